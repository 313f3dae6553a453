#include "worker/daemon/dataset_shelf.h"

#include <filesystem>
#include <thread>

#include "tests/unit/worker/worker_fixture.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

class DatasetShelfTest : public WorkerFixture {
 protected:
  DatasetShelfTest() {
    options_ = Options().datasets;
    options_.cache_folder = Path("state");
    options_.retry_after = absl::Seconds(30);
    for (const char* name :
         {"crash", "hang", "babble", "lie-fingerprint", "lie-classes", "lie-cache", "empty"}) {
      options_.sources[name] = Path("data");
    }
    options_.sources["empty"] = Path("state");
  }

  static v1::DatasetSpec Named(const std::string& name) {
    v1::DatasetSpec spec = Pictures();
    spec.set_name(name);
    return spec;
  }

  // Counts changes, and waits for them.
  void Watch(DatasetShelf& shelf) {
    shelf.OnChanged([this] {
      absl::MutexLock lock(&mutex_);
      ++changes_;
    });
  }
  void AwaitChanges(int count) {
    absl::MutexLock lock(&mutex_);
    const auto reached = [&] { return changes_ >= count; };
    ASSERT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&reached), absl::Minutes(1)));
  }

  // The report once the first preparation has ended.
  v1::DatasetReport Settled(const v1::DatasetSpec& spec) {
    DatasetShelf shelf(options_, clock_);
    FakeAttempt attempt(Path("artifacts"), {});
    shelf.Report({spec});
    shelf.Await(spec, attempt).status().IgnoreError();
    return shelf.Report({spec})[0];
  }

  DatasetOptions options_;
  FakeClock clock_;
  absl::Mutex mutex_;
  int changes_ = 0;
};

TEST_F(DatasetShelfTest, AWantedSetIsPreparedThenReady) {
  DatasetShelf shelf(options_, clock_);
  Watch(shelf);
  EXPECT_EQ(shelf.Report({Pictures()})[0].state(), v1::DatasetReport::PREPARING);
  AwaitChanges(1);
  const v1::DatasetReport report = shelf.Report({Pictures()})[0];
  EXPECT_EQ(report.state(), v1::DatasetReport::READY) << report.DebugString();
  EXPECT_EQ(report.summary().fingerprint(), Fingerprint());
  EXPECT_EQ(report.spec().SerializeAsString(), Pictures().SerializeAsString());
  EXPECT_EQ(report.message(), "");
}

TEST_F(DatasetShelfTest, DecoderIsToldWhatASetWasPinnedToAndItsDifferenceIsReported) {
  DatasetShelf shelf(options_, clock_);
  Watch(shelf);
  shelf.Report({Pictures()}, {Fingerprint()});
  AwaitChanges(1);
  EXPECT_EQ(shelf.Report({Pictures()}, {Fingerprint()})[0].difference(), "");
  // Pinned after it was prepared: asked again, and READY all the while.
  const std::string pinned = Sha256Hex("other pictures");
  EXPECT_EQ(shelf.Report({Pictures()}, {pinned})[0].state(), v1::DatasetReport::READY);
  AwaitChanges(2);
  const v1::DatasetReport report = shelf.Report({Pictures()}, {pinned})[0];
  EXPECT_EQ(report.state(), v1::DatasetReport::READY);
  EXPECT_EQ(report.difference(), "content has changed since " + pinned);
  EXPECT_EQ(report.summary().fingerprint(), Fingerprint());
  // Answered once; not asked again.
  for (int i = 0; i < 3; ++i) shelf.Report({Pictures()}, {pinned});
  const std::string third = Sha256Hex("third pictures");
  shelf.Report({Pictures()}, {third});
  AwaitChanges(3);
  EXPECT_EQ(shelf.Report({Pictures()}, {third})[0].difference(),
            "content has changed since " + third);
}

TEST_F(DatasetShelfTest, ASetThatIsWantedAgainIsLookedAtAgain) {
  DatasetShelf shelf(options_, clock_);
  Watch(shelf);
  shelf.Report({Pictures()}, {Fingerprint()});
  AwaitChanges(1);
  ASSERT_TRUE(WriteFileDurably(Path("data/content"), "changed pictures").ok());
  EXPECT_EQ(shelf.Report({Pictures()}, {Fingerprint()})[0].state(), v1::DatasetReport::READY);
  shelf.Report({});
  EXPECT_EQ(shelf.Report({Pictures()}, {Fingerprint()})[0].state(),
            v1::DatasetReport::PREPARING);
  AwaitChanges(2);
  EXPECT_EQ(shelf.Report({Pictures()}, {Fingerprint()})[0].summary().fingerprint(),
            Sha256Hex("changed pictures"));
}

TEST_F(DatasetShelfTest, ANewExperimentIsNeverPinnedToWhatAnEarlierOneFound) {
  DatasetShelf shelf(options_, clock_);
  Watch(shelf);
  shelf.Report({Pictures()}, {""});
  AwaitChanges(1);
  shelf.Report({Pictures()}, {Fingerprint()});  // Pinned; then it ends as a new one begins.
  ASSERT_TRUE(WriteFileDurably(Path("data/content"), "changed pictures").ok());
  const v1::DatasetReport report = shelf.Report({Pictures()}, {""})[0];
  EXPECT_EQ(report.state(), v1::DatasetReport::PREPARING);
  EXPECT_FALSE(report.has_summary());
  AwaitChanges(2);
  const v1::DatasetReport now = shelf.Report({Pictures()}, {""})[0];
  EXPECT_EQ(now.summary().fingerprint(), Sha256Hex("changed pictures"));
  EXPECT_EQ(now.difference(), "") << "it was pinned to nothing";
  // Asked once only, as long as it stays wanted.
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(shelf.Report({Pictures()}, {""})[0].state(), v1::DatasetReport::READY);
  }
}

TEST_F(DatasetShelfTest, ASetInWorkWhenANewExperimentBeginsIsLookedAtAfterwards) {
  DatasetShelf shelf(options_, clock_);
  Watch(shelf);
  shelf.Report({Pictures()}, {Fingerprint()});
  EXPECT_EQ(shelf.Report({Pictures()}, {""})[0].state(), v1::DatasetReport::PREPARING);
  AwaitChanges(2);
  EXPECT_EQ(shelf.Report({Pictures()}, {""})[0].state(), v1::DatasetReport::READY);
}

TEST_F(DatasetShelfTest, ASetThatAnAttemptWaitsForIsNotForgotten) {
  DatasetShelf shelf(options_, clock_);
  FakeAttempt attempt(Path("artifacts"), {});
  std::thread waiter([&] { EXPECT_TRUE(shelf.Await(Pictures(), attempt).ok()); });
  while (shelf.Report({Pictures()}, {Fingerprint()})[0].state() != v1::DatasetReport::READY) {
    shelf.Report({});
  }
  waiter.join();
}

TEST_F(DatasetShelfTest, ReportsComeInTheOrderOfTheQuestion) {
  DatasetShelf shelf(options_, clock_);
  const auto reports = shelf.Report({Named("unknown"), Pictures()});
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports[0].spec().name(), "unknown");
  EXPECT_EQ(reports[1].spec().name(), "pictures");
  EXPECT_TRUE(shelf.Report({}).empty());
}

TEST_F(DatasetShelfTest, WithoutDataItIsUnavailableForGood) {
  DatasetShelf shelf(options_, clock_);
  for (int i = 0; i < 3; ++i) {
    const v1::DatasetReport report = shelf.Report({Named("cifar10")})[0];
    EXPECT_EQ(report.state(), v1::DatasetReport::UNAVAILABLE);
    EXPECT_EQ(report.message(), "no --data NAME=DIR was given for 'cifar10'");
    clock_.Advance(absl::Hours(1));
  }
}

TEST_F(DatasetShelfTest, TheBuiltInSetNeedsNoData) {
  v1::DatasetSpec spec = Named("shapes");
  spec.mutable_built_in()->set_seed(1);
  EXPECT_EQ(Settled(spec).state(), v1::DatasetReport::READY);
}

TEST_F(DatasetShelfTest, TheDecodersOwnReasonIsReported) {
  const v1::DatasetReport report = Settled(Named("empty"));
  EXPECT_EQ(report.state(), v1::DatasetReport::UNAVAILABLE);
  EXPECT_EQ(report.message(), Path("state") + " holds no pictures");
}

TEST_F(DatasetShelfTest, ADecoderThatMisbehavesMakesASetUnavailableAndSaysHow) {
  const std::pair<const char*, const char*> cases[] = {
      {"crash", "signal 6"},      {"babble", "decoding…"},    {"lie-fingerprint", "fingerprint"},
      {"lie-classes", "classes"}, {"lie-cache", "not there"},
  };
  for (const auto& [name, message] : cases) {
    const v1::DatasetReport report = Settled(Named(name));
    EXPECT_EQ(report.state(), v1::DatasetReport::UNAVAILABLE) << name;
    EXPECT_THAT(report.message(), HasSubstr(message));
  }
  options_.silence_limit = absl::Milliseconds(300);
  EXPECT_THAT(Settled(Named("hang")).message(), HasSubstr("said nothing for 300ms"));
  options_.decoder_command = {"/nonexistent/squish-decoder"};
  EXPECT_THAT(Settled(Pictures()).message(), HasSubstr("/nonexistent/squish-decoder"));
}

TEST_F(DatasetShelfTest, AFailedSetIsTriedAgainAfterAWhileAndKeepsItsReasonUntilThen) {
  DatasetShelf shelf(options_, clock_);
  Watch(shelf);
  shelf.Report({Named("empty")});
  AwaitChanges(1);
  EXPECT_EQ(shelf.Report({Named("empty")})[0].state(), v1::DatasetReport::UNAVAILABLE);
  ASSERT_TRUE(WriteFileDurably(Path("state/content"), "late pictures").ok());
  clock_.Advance(absl::Seconds(29));
  EXPECT_EQ(shelf.Report({Named("empty")})[0].state(), v1::DatasetReport::UNAVAILABLE);
  clock_.Advance(absl::Seconds(1));
  EXPECT_NE(shelf.Report({Named("empty")})[0].state(), v1::DatasetReport::PREPARING);
  AwaitChanges(2);
  EXPECT_EQ(shelf.Report({Named("empty")})[0].summary().fingerprint(), Sha256Hex("late pictures"));
}

TEST_F(DatasetShelfTest, ACacheThatDisappearedIsMadeAgain) {
  DatasetShelf shelf(options_, clock_);
  FakeAttempt attempt(Path("artifacts"), {});
  const auto first = shelf.Await(Pictures(), attempt);
  ASSERT_TRUE(first.ok()) << first.status();
  std::filesystem::remove(first->cache_path());
  EXPECT_EQ(shelf.Report({Pictures()})[0].state(), v1::DatasetReport::PREPARING);
  const auto second = shelf.Await(Pictures(), attempt);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_TRUE(ReadFile(second->cache_path()).ok());
}

TEST_F(DatasetShelfTest, AWaitEndsWithItsAttempt) {
  DatasetShelf shelf(options_, clock_);
  FakeAttempt attempt(Path("artifacts"), {});
  std::thread canceller([&] { attempt.Cancel(); });
  EXPECT_EQ(shelf.Await(Named("hang"), attempt).status().code(), absl::StatusCode::kCancelled);
  canceller.join();
}

TEST_F(DatasetShelfTest, TheEndOfTheShelfEndsADecoderThatHangs) {
  DatasetShelf shelf(options_, clock_);
  shelf.Report({Named("hang"), Pictures()});
}

TEST_F(DatasetShelfTest, NobodyIsToldAfterTheyAskedNotToBe) {
  DatasetShelf shelf(options_, clock_);
  Watch(shelf);
  shelf.OnChanged({});
  FakeAttempt attempt(Path("artifacts"), {});
  ASSERT_TRUE(shelf.Await(Pictures(), attempt).ok());
  absl::MutexLock lock(&mutex_);
  EXPECT_EQ(changes_, 0);
}

}  // namespace
}  // namespace squish
