#include "tests/fault/crash_points/disk_model.h"

#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace squish {
namespace {

using Kind = DiskOperation::Kind;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

// A disk, and what a program does to it by the names of files.
class DiskModelTest : public testing::Test {
 protected:
  void Do(Kind kind, const std::string& path, int64_t offset = 0, const std::string& bytes = "",
          const std::string& new_path = "") {
    DiskOperation operation;
    operation.kind = kind;
    operation.path = path;
    operation.new_path = new_path;
    operation.offset = offset;
    operation.bytes = bytes;
    const auto file = disk_.files().find(path);
    operation.file = file == disk_.files().end() ? disk_.next_file() : file->second;
    disk_.Apply(operation);
  }
  void Make(const std::string& path) { Do(Kind::kMakeFile, path); }
  void Write(const std::string& path, int64_t offset, const std::string& bytes) {
    Do(Kind::kWrite, path, offset, bytes);
  }
  void Sync(const std::string& path) { Do(Kind::kSyncFile, path); }
  void SyncFolder(const std::string& path) { Do(Kind::kSyncFolder, path); }
  void Rename(const std::string& from, const std::string& to) {
    Do(Kind::kRename, from, 0, "", to);
  }

  // All that a disk was seen to have kept of the file; "-" where it is absent.
  std::set<std::string> Kept(const std::string& path) const {
    std::set<std::string> all;
    for (uint64_t seed = 0; seed < 300; ++seed) {
      const DiskImage image = disk_.AfterPowerCut(seed);
      const auto file = image.files.find(path);
      all.insert(file == image.files.end() ? "-" : file->second);
    }
    return all;
  }

  DiskModel disk_{DiskImage{{"sub"}, {{"old", "abcd"}}}};
};

TEST_F(DiskModelTest, WhatWasThereAtTheStartStays) {
  EXPECT_THAT(disk_.AfterPowerCut().files, ElementsAre(Pair("old", "abcd")));
  EXPECT_THAT(disk_.AfterPowerCut().folders, ElementsAre("sub"));
  EXPECT_EQ(disk_.Now(), disk_.AfterPowerCut());
  EXPECT_EQ(disk_.AfterPowerCut(7), disk_.AfterPowerCut());
}

TEST_F(DiskModelTest, AWriteIsThereAfterItsSyncOnly) {
  Write("old", 2, "XYZ");
  EXPECT_EQ(disk_.Now().files["old"], "abXYZ");
  EXPECT_EQ(disk_.AfterPowerCut().files["old"], "abcd");
  Sync("old");
  EXPECT_EQ(disk_.AfterPowerCut().files["old"], "abXYZ");
  Write("old", 0, "12");
  EXPECT_EQ(disk_.AfterPowerCut().files["old"], "abXYZ") << "a sync is of what was before it";
}

TEST_F(DiskModelTest, OfAWriteWithinASectorAllIsKeptOrNothing) {
  Write("old", 1, "XY");
  EXPECT_THAT(Kept("old"), UnorderedElementsAre("abcd", "aXYd"));
}

TEST_F(DiskModelTest, ASectorIsAsItWasAtSomeMoment) {
  Write("old", 0, "1");
  Write("old", 1, "2");
  EXPECT_THAT(Kept("old"), UnorderedElementsAre("abcd", "1bcd", "12cd"))
      << "never the second without the first: both are in one page of memory";
}

TEST_F(DiskModelTest, SectorsAreKeptInAnyOrder) {
  const std::string before(1024, '.'), first(512, 'a'), second(512, 'b');
  Make("file");
  Write("file", 0, before);
  Sync("file");
  SyncFolder("");
  Write("file", 0, first + second);  // One write, which may be torn.
  EXPECT_THAT(Kept("file"),
              UnorderedElementsAre(before, first + second, first + std::string(512, '.'),
                                   std::string(512, '.') + second));
}

TEST_F(DiskModelTest, AFileMayHaveGrownWithoutItsBytes) {
  Write("old", 512, "grown");
  const std::string zeros = "abcd" + std::string(508, '\0');
  EXPECT_THAT(Kept("old"), UnorderedElementsAre("abcd", zeros + "grown",
                                                zeros + std::string(5, '\0')));
}

TEST_F(DiskModelTest, ATruncationIsThereAfterTheSyncOnly) {
  Do(Kind::kResize, "old", 1);
  Write("old", 2, "Z");
  EXPECT_EQ(disk_.Now().files["old"], std::string("a\0Z", 3));
  EXPECT_EQ(disk_.AfterPowerCut().files["old"], "abcd");
  // Three bytes long it was only after it had been one byte long.
  EXPECT_THAT(Kept("old"),
              UnorderedElementsAre("abcd", "a", std::string("a\0Z", 3), std::string("a\0\0", 3),
                                   std::string("a\0Z\0", 4)));
  Sync("old");
  EXPECT_EQ(disk_.AfterPowerCut().files["old"], std::string("a\0Z", 3));
}

TEST_F(DiskModelTest, ANewFileHasItsNameAfterASyncOfTheFolder) {
  Make("new");
  Write("new", 0, "text");
  Sync("new");
  EXPECT_THAT(disk_.AfterPowerCut().files, ElementsAre(Pair("old", "abcd")));
  EXPECT_THAT(Kept("new"), UnorderedElementsAre("-", "text")) << "its content was synced";
  SyncFolder("");
  EXPECT_EQ(disk_.AfterPowerCut().files["new"], "text");
}

TEST_F(DiskModelTest, ANameMayBeThereWithoutTheContent) {
  Make("new");
  Write("new", 0, "text");
  SyncFolder("");
  EXPECT_EQ(disk_.AfterPowerCut().files["new"], "");
  EXPECT_THAT(Kept("new"), UnorderedElementsAre("", "text", std::string(4, '\0')));
}

TEST_F(DiskModelTest, ARenameIsThereAfterASyncOfTheFolderThatItLeadsTo) {
  Rename("old", "sub/new");
  EXPECT_THAT(disk_.Now().files, ElementsAre(Pair("sub/new", "abcd")));
  EXPECT_THAT(disk_.AfterPowerCut().files, ElementsAre(Pair("old", "abcd")));
  SyncFolder("");
  EXPECT_THAT(disk_.AfterPowerCut().files, ElementsAre(Pair("old", "abcd")));
  SyncFolder("sub");
  EXPECT_THAT(disk_.AfterPowerCut().files, ElementsAre(Pair("sub/new", "abcd")));
}

TEST_F(DiskModelTest, ARenameIsWholeOrNotAtAll) {
  Make("next");
  Write("next", 0, "1234");
  Sync("next");
  Rename("next", "old");
  EXPECT_THAT(Kept("old"), UnorderedElementsAre("abcd", "1234"));
  for (uint64_t seed = 0; seed < 300; ++seed) {
    DiskImage image = disk_.AfterPowerCut(seed);
    EXPECT_FALSE(image.files["old"] == "1234" && image.files.count("next") > 0);
  }
}

TEST_F(DiskModelTest, ARemovalIsThereAfterASyncOfTheFolder) {
  Do(Kind::kRemove, "old");
  EXPECT_THAT(disk_.Now().files, IsEmpty());
  EXPECT_EQ(disk_.AfterPowerCut().files["old"], "abcd");
  EXPECT_THAT(Kept("old"), UnorderedElementsAre("-", "abcd"));
  SyncFolder("");
  EXPECT_THAT(disk_.AfterPowerCut().files, IsEmpty());
}

TEST_F(DiskModelTest, ANameThatIsUsedAgainChangesInOrder) {
  Do(Kind::kRemove, "old");
  Make("old");
  Write("old", 0, "again");
  Sync("old");
  EXPECT_EQ(disk_.AfterPowerCut().files["old"], "abcd");
  EXPECT_THAT(Kept("old"), UnorderedElementsAre("abcd", "-", "again"));
  SyncFolder("");
  EXPECT_EQ(disk_.AfterPowerCut().files["old"], "again");
}

TEST_F(DiskModelTest, AFolderIsThereAfterASyncOfTheFolderAboveIt) {
  Do(Kind::kMakeFolder, "sub/deep");
  Make("sub/deep/file");
  Sync("sub/deep/file");
  SyncFolder("sub/deep");
  EXPECT_THAT(disk_.AfterPowerCut().folders, ElementsAre("sub")) << "a sync is not of its name";
  EXPECT_THAT(disk_.AfterPowerCut().files, ElementsAre(Pair("old", "abcd")));
  SyncFolder("sub");
  EXPECT_THAT(disk_.AfterPowerCut().folders, ElementsAre("sub", "sub/deep"));
  EXPECT_EQ(disk_.AfterPowerCut().files.count("sub/deep/file"), 1u);
}

TEST_F(DiskModelTest, ACopyGoesItsOwnWay) {
  Write("old", 0, "AB");
  DiskModel copy = disk_;
  Sync("old");
  EXPECT_EQ(disk_.AfterPowerCut().files["old"], "ABcd");
  EXPECT_EQ(copy.AfterPowerCut().files["old"], "abcd");
}

}  // namespace
}  // namespace squish
