#include "tests/fault/crash_points/recorded_disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>

#include "common/artifacts/blob_store.h"
#include "common/base/file.h"
#include "coordinator/population/sqlite.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_folder.h"

namespace squish {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

class RecordedDiskTest : public testing::Test {
 protected:
  std::string In(const std::string& name) const { return JoinPath(folder_, name); }

  void Record() {
    disk_.emplace(*ReadImage(folder_));
    recorded_.emplace(folder_, *disk_, 1);
  }
  // Ends the recording; the disk then has gone through it.
  std::vector<std::string> Stop() {
    std::vector<std::string> all;
    for (const DiskOperation& operation : recorded_->operations()) {
      all.push_back(Describe(operation));
      disk_->Apply(operation);
    }
    recorded_.reset();
    EXPECT_EQ(Difference(disk_->Now(), *ReadImage(folder_)), "") << "something was not seen";
    return all;
  }

  const std::string folder_ = TemporaryFolder();
  std::optional<DiskModel> disk_;
  std::optional<RecordedDisk> recorded_;
};

TEST_F(RecordedDiskTest, EveryOperationIsSeenInOrder) {
  Record();
  ASSERT_TRUE(WriteFileDurably(In("file"), "text").ok());
  ASSERT_TRUE(MakeFolder(In("a/b")).ok());
  ASSERT_EQ(::unlink(In("none").c_str()), -1) << "what fails is not noted";
  ASSERT_EQ(::unlink(In("file").c_str()), 0);
  const std::vector<std::string> all = Stop();
  ASSERT_EQ(all.size(), 8u);
  const std::string made = all[0].substr(std::string("making of ").size());
  EXPECT_THAT(all, ElementsAre("making of " + made, "write of 4 bytes at 0 of " + made,
                               "sync of " + made, "rename of " + made + " to file",
                               "sync of the folder .", "making of the folder a",
                               "making of the folder a/b", "removal of file"));
}

TEST_F(RecordedDiskTest, WritesAreSeenWhereverTheyGo) {
  Record();
  const int fd = ::open(In("file").c_str(), O_RDWR | O_CREAT, 0644);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(::write(fd, "abc", 3), 3);
  EXPECT_EQ(::write(fd, "def", 3), 3);
  EXPECT_EQ(::pwrite(fd, "X", 1, 9), 1);
  EXPECT_EQ(::ftruncate(fd, 8), 0);
  EXPECT_EQ(::rename(In("file").c_str(), In("other").c_str()), 0);
  EXPECT_EQ(::write(fd, "ghi", 3), 3) << "it is the same file";
  ::close(fd);
  const int again = ::open(In("other").c_str(), O_WRONLY | O_TRUNC);
  EXPECT_EQ(::write(again, "new", 3), 3);
  ::close(again);
  EXPECT_THAT(Stop(), Contains("write of 3 bytes at 6 of file"));
  EXPECT_EQ(disk_->Now().files["other"], "new");
}

TEST_F(RecordedDiskTest, OtherPlacesAreNotRecorded) {
  const std::string elsewhere = folder_ + "-elsewhere";
  Record();
  ASSERT_TRUE(WriteFileDurably(elsewhere, "text").ok());
  EXPECT_THAT(Stop(), IsEmpty());
  std::filesystem::remove(elsewhere);
}

TEST_F(RecordedDiskTest, WhatGoesOnIsTheSameEachTime) {
  const auto once = [this] {
    std::filesystem::remove_all(folder_);
    EXPECT_TRUE(MakeFolder(folder_).ok());
    Record();
    auto store = BlobStore::Open(In("store"));
    EXPECT_TRUE((*store)->Put("some").ok());
    EXPECT_TRUE((*store)->Put("more").ok());
    return Stop();
  };
  const std::vector<std::string> first = once();
  EXPECT_EQ(once(), first);
}

TEST_F(RecordedDiskTest, ADatabaseIsSeenWhole) {
  Record();
  {
    auto database = Database::Open(In("database"));
    ASSERT_TRUE(database.ok()) << database.status();
    ASSERT_TRUE((*database)->Execute("CREATE TABLE t (x); PRAGMA journal_mode = WAL;").ok());
    ASSERT_TRUE((*database)->Execute("INSERT INTO t VALUES (zeroblob(20000))").ok());
  }
  EXPECT_THAT(Stop(), Contains("sync of database-wal"));
}

// A store as it must not be. That its faults are seen shows that those of the real one would be.
class CarelessStoreTest : public RecordedDiskTest {
 protected:
  struct Care {
    bool syncs_file = true;
    bool syncs_folder = true;
    bool renames = true;  // Else it writes in place.
  };
  // Writes `content` and says so; whether power cuts at some point show the file half written,
  // or without what it was said to hold.
  bool IsCaught(const Care& care) {
    Record();
    const std::string path = In(care.renames ? "temporary" : "file");
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT, 0644);
    EXPECT_EQ(::write(fd, content_.data(), content_.size()),
              static_cast<ssize_t>(content_.size()));
    if (care.syncs_file) ::fsync(fd);
    ::close(fd);
    if (care.renames) ::rename(path.c_str(), In("file").c_str());
    if (care.syncs_folder) {
      EXPECT_TRUE(SyncFolder(folder_).ok());
    }
    const std::deque<DiskOperation> operations = recorded_->operations();
    bool caught = false;
    for (size_t i = 0; i < operations.size(); ++i) {
      disk_->Apply(operations[i]);
      const bool acknowledged = i + 1 == operations.size();
      for (uint64_t seed = 0; seed < 20; ++seed) {
        caught = caught || !IsSound(disk_->AfterPowerCut(seed), acknowledged);
      }
      caught = caught || !IsSound(disk_->Now(), acknowledged) ||
               !IsSound(disk_->AfterPowerCut(), acknowledged);
    }
    return caught;
  }

 private:
  bool IsSound(const DiskImage& image, bool acknowledged) const {
    const auto file = image.files.find("file");
    return file == image.files.end() ? !acknowledged : file->second == content_;
  }
  const std::string content_ = std::string(3000, 'x');
};

TEST_F(CarelessStoreTest, ACarefulOneIsSound) { EXPECT_FALSE(IsCaught({})); }

TEST_F(CarelessStoreTest, AFileThatIsNotSyncedIsSeen) {
  EXPECT_TRUE(IsCaught({.syncs_file = false}));
}

TEST_F(CarelessStoreTest, AFolderThatIsNotSyncedIsSeen) {
  EXPECT_TRUE(IsCaught({.syncs_folder = false}));
}

TEST_F(CarelessStoreTest, AFileThatIsWrittenInPlaceIsSeen) {
  EXPECT_TRUE(IsCaught({.renames = false}));
}

}  // namespace
}  // namespace squish
