#include "common/artifacts/blob_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_folder.h"

namespace squish {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class BlobStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto store = BlobStore::Open(folder_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  int FilesInTmp() const {
    int count = 0;
    for (const auto& entry : fs::directory_iterator(JoinPath(folder_, "tmp"))) {
      count += entry.is_regular_file() ? 1 : 0;
    }
    return count;
  }

  const std::string root_ = TemporaryFolder();
  const std::string folder_ = JoinPath(root_, "store");
  std::unique_ptr<BlobStore> store_;
};

TEST_F(BlobStoreTest, PutNamesBytesByTheirDigestAndGetReturnsThem) {
  const auto digest = store_->Put("hello");
  ASSERT_TRUE(digest.ok());
  EXPECT_EQ(*digest, Sha256Hex("hello"));
  EXPECT_EQ(store_->Get(*digest).value(), "hello");
  EXPECT_TRUE(store_->Contains(*digest));
  EXPECT_EQ(store_->SizeOf(*digest).value(), 5);
  EXPECT_EQ(store_->PathOf(*digest), absl::StrCat(folder_, "/2c/", *digest));
  EXPECT_EQ(FilesInTmp(), 0);
}

TEST_F(BlobStoreTest, EmptyBlobIsABlob) {
  const auto digest = store_->Put("");
  ASSERT_TRUE(digest.ok());
  EXPECT_EQ(store_->Get(*digest).value(), "");
}

TEST_F(BlobStoreTest, PutTwiceIsOkAndAnotherOpenSeesIt) {
  const auto digest = store_->Put("hello");
  EXPECT_EQ(store_->Put("hello").value(), *digest);
  const auto again = BlobStore::Open(folder_);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ((*again)->Get(*digest).value(), "hello");
}

TEST_F(BlobStoreTest, MissingBlobIsNotFound) {
  const std::string digest = Sha256Hex("nothing");
  EXPECT_EQ(store_->Get(digest).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->SizeOf(digest).status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(store_->Contains(digest));
}

TEST_F(BlobStoreTest, NamesThatAreNoDigestReachNoFile) {
  for (const std::string& name : std::vector<std::string>{
           "", "..", "../../etc/passwd", "tmp/x", "/etc/passwd", std::string(64, 'A')}) {
    EXPECT_EQ(store_->Get(name).status().code(), absl::StatusCode::kNotFound) << name;
    EXPECT_FALSE(store_->Contains(name)) << name;
    EXPECT_EQ(store_->PathOf(name), "") << name;
    EXPECT_TRUE(store_->Remove(name).ok()) << name;
    EXPECT_EQ(store_->NewWriter(name, 1).status().code(), absl::StatusCode::kInvalidArgument)
        << name;
  }
}

TEST_F(BlobStoreTest, DamagedFileIsDataLossAndATruncatedOneIsReplacedByPut) {
  const std::string digest = store_->Put("hello").value();
  ASSERT_TRUE(WriteFileDurably(store_->PathOf(digest), "jello").ok());
  EXPECT_EQ(store_->Get(digest).status().code(), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(WriteFileDurably(store_->PathOf(digest), "hel").ok());
  EXPECT_EQ(store_->Get(digest).status().code(), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(store_->Put("hello").ok());
  EXPECT_EQ(store_->Get(digest).value(), "hello");
}

TEST_F(BlobStoreTest, OnlyWhatIsHereInItsSizeIsKept) {
  const std::string digest = *store_->Put("bytes");
  EXPECT_TRUE(*store_->Keep(digest, 5));
  EXPECT_FALSE(*store_->Keep(digest, 6)) << "it is a damaged one";
  EXPECT_FALSE(*store_->Keep(Sha256Hex("others"), 6));
  EXPECT_FALSE(*store_->Keep("../../etc/passwd", 6));
}

TEST_F(BlobStoreTest, RemovedBlobIsGone) {
  const std::string digest = store_->Put("hello").value();
  EXPECT_TRUE(store_->Remove(digest).ok());
  EXPECT_FALSE(store_->Contains(digest));
  EXPECT_TRUE(store_->Remove(digest).ok());
}

TEST_F(BlobStoreTest, WriterStoresWhatArrivesInPieces) {
  const std::string digest = Sha256Hex("hello world");
  auto writer = store_->NewWriter(digest, 11);
  ASSERT_TRUE(writer.ok());
  EXPECT_TRUE((*writer)->Append("hello ").ok());
  EXPECT_FALSE(store_->Contains(digest)) << "visible before it was whole";
  EXPECT_TRUE((*writer)->Append("world").ok());
  EXPECT_TRUE((*writer)->Commit().ok());
  EXPECT_EQ(store_->Get(digest).value(), "hello world");
  EXPECT_EQ(FilesInTmp(), 0);
}

TEST_F(BlobStoreTest, WriterRefusesOtherBytesThanAnnounced) {
  const std::string digest = Sha256Hex("hello");
  {
    auto writer = store_->NewWriter(digest, 5).value();
    EXPECT_TRUE(writer->Append("jello").ok());
    EXPECT_EQ(writer->Commit().code(), absl::StatusCode::kDataLoss);
  }
  {
    auto writer = store_->NewWriter(digest, 5).value();
    EXPECT_TRUE(writer->Append("hell").ok());
    EXPECT_EQ(writer->Commit().code(), absl::StatusCode::kDataLoss);
  }
  {
    auto writer = store_->NewWriter(digest, 5).value();
    EXPECT_EQ(writer->Append("hello!").code(), absl::StatusCode::kDataLoss);
  }
  EXPECT_FALSE(store_->Contains(digest));
  EXPECT_EQ(FilesInTmp(), 0);
}

TEST_F(BlobStoreTest, AbsurdSizesAreRefused) {
  const std::string digest = Sha256Hex("hello");
  EXPECT_EQ(store_->NewWriter(digest, -1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(store_->NewWriter(digest, BlobStore::kMaximumBytes + 1).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(BlobStoreTest, PutFileTakesTheFileOver) {
  const std::string path = JoinPath(root_, "file");
  ASSERT_TRUE(WriteFileDurably(path, "hello").ok());
  EXPECT_EQ(store_->PutFile(path).value(), Sha256Hex("hello"));
  EXPECT_EQ(store_->Get(Sha256Hex("hello")).value(), "hello");
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(BlobStoreTest, PutFileRefusesWhatIsNoFile) {
  EXPECT_EQ(store_->PutFile(JoinPath(root_, "absent")).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->PutFile(root_).status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(WriteFileDurably(JoinPath(root_, "file"), "hello").ok());
  fs::create_symlink(JoinPath(root_, "file"), JoinPath(root_, "link"));
  EXPECT_EQ(store_->PutFile(JoinPath(root_, "link")).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(fs::exists(JoinPath(root_, "file")));
}

TEST_F(BlobStoreTest, UnusedIsWhatWasNeitherStoredNorUsedSince) {
  const absl::Time before = absl::Now() - absl::Minutes(1), after = absl::Now() + absl::Hours(1);
  const std::string digest = *store_->Put("bytes");
  EXPECT_FALSE(*store_->RemoveUnused(digest, before));
  EXPECT_TRUE(store_->Contains(digest));
  ASSERT_EQ(::utimensat(AT_FDCWD, store_->PathOf(digest).c_str(),
                        std::array<timespec, 2>{}.data(), 0), 0);  // 1970
  EXPECT_TRUE(store_->Use(digest));
  EXPECT_FALSE(*store_->RemoveUnused(digest, before));
  EXPECT_TRUE(*store_->RemoveUnused(digest, after));
  EXPECT_FALSE(store_->Contains(digest));
  EXPECT_FALSE(store_->Use(digest));
  EXPECT_TRUE(*store_->RemoveUnused(digest, after)) << "it is gone already";
}

TEST_F(BlobStoreTest, OpenRemovesWhatACrashLeftAndSparesLivingWriters) {
  ASSERT_TRUE(WriteFileDurably(JoinPath(folder_, "tmp/abandoned"), "half").ok());
  auto writer = store_->NewWriter(Sha256Hex("hello"), 5).value();
  ASSERT_TRUE(BlobStore::Open(folder_).ok());
  EXPECT_FALSE(fs::exists(JoinPath(folder_, "tmp/abandoned")));
  EXPECT_TRUE(writer->Append("hello").ok());
  EXPECT_TRUE(writer->Commit().ok());
}

TEST_F(BlobStoreTest, OpenWhereNoFolderCanBeIsAnError) {
  ASSERT_TRUE(WriteFileDurably(JoinPath(root_, "file"), "x").ok());
  const auto store = BlobStore::Open(JoinPath(root_, "file"));
  EXPECT_THAT(std::string(store.status().message()), HasSubstr("file"));
}

TEST_F(BlobStoreTest, ManyThreadsMayPutTheSameAndDifferentBlobs) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 8; ++i) EXPECT_TRUE(store_->Put(absl::StrCat("blob ", i)).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < 8; ++i) {
    const std::string bytes = absl::StrCat("blob ", i);
    EXPECT_EQ(store_->Get(Sha256Hex(bytes)).value(), bytes);
  }
  EXPECT_EQ(FilesInTmp(), 0);
}

}  // namespace
}  // namespace squish
