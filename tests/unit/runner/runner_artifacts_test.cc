#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"
#include "common/runner/artifact_cache.h"
#include "tests/unit/runner/runner_fixture.h"

namespace squish {
namespace {

class RunnerArtifactsTest : public RunnerFixture {
 protected:
  // What Fetch says inside an attempt.
  absl::StatusOr<std::string> FetchInAttempt(const std::string& attempt,
                                             const std::string& digest) {
    absl::StatusOr<std::string> content = absl::UnknownError("not run");
    AssignScript(attempt, [&](Attempt& a) {
      const auto path = a.Fetch(digest);
      content = path.ok() ? ReadFile(*path) : path.status();
      return Trained(0.5);
    });
    EXPECT_TRUE(AwaitResult(attempt));
    return content;
  }
  std::string Offer(const std::string& bytes) {
    const std::string digest = Sha256Hex(bytes);
    coordinator_.Change([&](FakeCoordinator& self) { self.artifacts[digest] = bytes; });
    return digest;
  }
  std::string WriteOutput(const std::string& name, const std::string& bytes) {
    const std::string path = JoinPath(root_, name);
    EXPECT_TRUE(WriteFileDurably(path, bytes).ok());
    return path;
  }
};

TEST_F(RunnerArtifactsTest, FetchDownloadsOnceAndSurvivesBrokenTransfers) {
  const std::string bytes(3 << 20, 'n');
  const std::string digest = Offer(bytes);
  coordinator_.Change([](FakeCoordinator& self) { self.fail_transfers = 2; });
  StartRunner();
  EXPECT_EQ(FetchInAttempt("a1", digest).value(), bytes);
  EXPECT_EQ(coordinator_.downloads, 3);
  EXPECT_EQ(FetchInAttempt("a2", digest).value(), bytes);
  EXPECT_EQ(coordinator_.downloads, 3) << "it was there already";
}

TEST_F(RunnerArtifactsTest, DamagedCopyIsFetchedAgain) {
  const std::string digest = Offer("network");
  StartRunner();
  ASSERT_TRUE(FetchInAttempt("a1", digest).ok());
  const std::string path = absl::StrCat("artifacts/", digest.substr(0, 2), "/", digest);
  ASSERT_TRUE(WriteFileDurably(JoinPath(root_, path), "netw0rk").ok());
  EXPECT_EQ(FetchInAttempt("a2", digest).value(), "network");
}

TEST_F(RunnerArtifactsTest, MissingArtifactIsNotFound) {
  StartRunner();
  EXPECT_EQ(FetchInAttempt("a1", Sha256Hex("nothing")).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(FetchInAttempt("a2", "../../etc/passwd").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RunnerArtifactsTest, BytesThatAreNotTheirNameAreDataLoss) {
  const std::string digest = Sha256Hex("network");
  coordinator_.Change([&](FakeCoordinator& self) { self.artifacts[digest] = "netw0rk"; });
  StartRunner();
  EXPECT_EQ(FetchInAttempt("a1", digest).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(RunnerArtifactsTest, StoreIsDurableThereBeforeTheResultIs) {
  coordinator_.fail_transfers = 2;
  const std::string bytes(2'500'000, 't');
  bool there = false;
  coordinator_.on_result = [&](const v1::AttemptResult& result) {
    there = coordinator_.artifacts.count(result.train().artifact()) > 0;
  };
  StartRunner();
  const std::string path = WriteOutput("trained", bytes);
  AssignScript("a1", [&](Attempt& attempt) {
    v1::AttemptResult result = Trained(0.5);
    const auto digest = attempt.Store(path);
    EXPECT_TRUE(digest.ok()) << digest.status();
    if (digest.ok()) result.mutable_train()->set_artifact(*digest);
    return result;
  });
  ASSERT_TRUE(AwaitResult("a1"));
  EXPECT_TRUE(there);
  EXPECT_EQ(coordinator_.artifacts[Sha256Hex(bytes)], bytes);
  EXPECT_FALSE(std::filesystem::exists(path)) << "it was moved into the store";
  EXPECT_EQ(FetchInAttempt("a2", Sha256Hex(bytes)).value(), bytes);
  EXPECT_EQ(coordinator_.downloads, 0) << "what was made here need not be fetched";
}

TEST_F(RunnerArtifactsTest, TroubleWithTheCoordinatorsDiskCostsNoAttempt) {
  StartRunner();
  int number = 0;
  for (const grpc::StatusCode trouble :
       {grpc::StatusCode::RESOURCE_EXHAUSTED, grpc::StatusCode::INTERNAL}) {
    const std::string bytes = absl::StrCat("network ", ++number);
    coordinator_.Change([&](FakeCoordinator& self) {
      self.upload_failure = trouble;
      self.fail_transfers = 2;
    });
    const std::string path = WriteOutput("trained", bytes);
    const std::string attempt_id = absl::StrCat("a", number);
    AssignScript(attempt_id, [&](Attempt& attempt) {
      EXPECT_EQ(attempt.Store(path).value_or("nothing"), Sha256Hex(bytes)) << trouble;
      return Trained(0.5);
    });
    ASSERT_TRUE(AwaitResult(attempt_id));
    EXPECT_EQ(coordinator_.artifacts[Sha256Hex(bytes)], bytes);
  }
}

TEST_F(RunnerArtifactsTest, StoringWhatIsThereAlreadyIsOk) {
  const std::string digest = Offer("same");
  StartRunner();
  const std::string path = WriteOutput("trained", "same");
  AssignScript("a1", [&](Attempt& attempt) {
    EXPECT_EQ(attempt.Store(path).value(), digest);
    return Trained(0.5);
  });
  EXPECT_TRUE(AwaitResult("a1"));
}

TEST_F(RunnerArtifactsTest, StoringNoFileIsNotFound) {
  StartRunner();
  AssignScript("a1", [&](Attempt& attempt) {
    EXPECT_EQ(attempt.Store(JoinPath(root_, "absent")).status().code(),
              absl::StatusCode::kNotFound);
    return Trained(0.5);
  });
  EXPECT_TRUE(AwaitResult("a1"));
}

TEST_F(RunnerArtifactsTest, TransfersWaitForAnAbsentCoordinator) {
  const std::string digest = Offer("network");
  StartRunner();
  absl::Notification started, vanished;
  absl::StatusOr<std::string> path = absl::UnknownError("not run");
  AssignScript("a1", [&](Attempt& attempt) {
    started.Notify();
    vanished.WaitForNotification();
    path = attempt.Fetch(digest);
    return Trained(0.5);
  });
  started.WaitForNotification();
  coordinator_.Vanish();
  vanished.Notify();
  coordinator_.ComeBack();
  ASSERT_TRUE(AwaitResult("a1"));
  EXPECT_TRUE(path.ok()) << path.status();
}

TEST_F(RunnerArtifactsTest, CancelEndsATransferThatWaits) {
  StartRunner();
  absl::Notification started, vanished;
  absl::StatusOr<std::string> path;
  AssignScript("a1", [&](Attempt& attempt) {
    started.Notify();
    vanished.WaitForNotification();
    path = attempt.Fetch(Sha256Hex("network"));
    return v1::AttemptResult();
  });
  started.WaitForNotification();
  coordinator_.Vanish();
  vanished.Notify();
  StopRunner();
  EXPECT_EQ(path.status().code(), absl::StatusCode::kCancelled);
}

class ArtifactCacheTest : public RunnerArtifactsTest {
 protected:
  std::unique_ptr<ArtifactCache> Open(int64_t bytes) {
    auto cache = ArtifactCache::Open(JoinPath(root_, "cache"), bytes);
    EXPECT_TRUE(cache.ok()) << cache.status();
    return *std::move(cache);
  }
  // Puts ten bytes, used `age` seconds ago.
  std::string Put(ArtifactCache& cache, int age) {
    const std::string digest = cache.store().Put(absl::StrCat("blob ", 10000 + age)).value();
    std::filesystem::last_write_time(
        cache.store().PathOf(digest),
        std::filesystem::file_time_type::clock::now() - std::chrono::seconds(age));
    return digest;
  }
};

TEST_F(ArtifactCacheTest, LongestUnusedGoesFirst) {
  const auto cache = Open(20);
  const std::string oldest = Put(*cache, 300), older = Put(*cache, 200), newest = Put(*cache, 100);
  ASSERT_TRUE(cache->Use(oldest));  // Now the last used.
  cache->Trim();
  EXPECT_TRUE(cache->store().Contains(oldest));
  EXPECT_FALSE(cache->store().Contains(older));
  EXPECT_TRUE(cache->store().Contains(newest));
}

TEST_F(ArtifactCacheTest, WhatIsHeldIsNeverEvicted) {
  const auto cache = Open(0);
  const std::string held = Put(*cache, 300), other = Put(*cache, 100);
  cache->Pin(held);
  cache->Pin(held);
  cache->Trim();
  EXPECT_TRUE(cache->store().Contains(held));
  EXPECT_FALSE(cache->store().Contains(other));
  cache->Unpin(held);
  cache->Trim();
  EXPECT_TRUE(cache->store().Contains(held)) << "it was pinned twice";
  cache->Unpin(held);
  cache->Trim();
  EXPECT_FALSE(cache->store().Contains(held));
}

TEST_F(ArtifactCacheTest, BoundHoldsAfterARestart) {
  const std::string digest = Put(*Open(100), 100);
  EXPECT_FALSE(Open(5)->store().Contains(digest));
}

TEST_F(ArtifactCacheTest, DamagedBlobIsNotHere) {
  const auto cache = Open(100);
  const std::string digest = Put(*cache, 100);
  ASSERT_TRUE(WriteFileDurably(cache->store().PathOf(digest), "damaged").ok());
  EXPECT_FALSE(cache->Use(digest));
  EXPECT_FALSE(cache->store().Contains(digest));
}

}  // namespace
}  // namespace squish
