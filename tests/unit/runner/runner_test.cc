#include "common/runner/runner.h"

#include <atomic>
#include <set>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "tests/unit/runner/runner_fixture.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

class RunnerTest : public RunnerFixture {};

TEST_F(RunnerTest, RunsAnAssignedAttemptAndDeliversItsResult) {
  StartRunner();
  AssignScript("a1", [](Attempt& attempt) {
    EXPECT_EQ(attempt.id(), "a1");
    EXPECT_FALSE(attempt.cancelled());
    return Trained(0.75);
  });
  ASSERT_TRUE(AwaitResult("a1"));
  const v1::AttemptResult& result = coordinator_.results["a1"];
  EXPECT_EQ(result.train().selection_accuracy(), 0.75);
  EXPECT_EQ(result.experiment(), "a1");
  EXPECT_EQ(result.key().generation(), 1);
  EXPECT_EQ(result.key().kind(), v1::JobKey::TRAIN);
  ASSERT_TRUE(coordinator_.Await([](const auto& self) {
    return self.deliveries > 0 && self.requests.back().results_size() == 0;
  }));
  StopRunner();
  EXPECT_EQ(coordinator_.deliveries, 1);
  EXPECT_EQ(FilesIn("spool", ".pb"), 0);
}

TEST_F(RunnerTest, SaysWhatItIs) {
  StartRunner();
  ASSERT_TRUE(coordinator_.Await([](const auto& self) { return !self.requests.empty(); }));
  StopRunner();
  const v1::RunnerInfo& info = coordinator_.requests[0].runner();
  EXPECT_EQ(info.kind(), v1::RunnerInfo::WORKER);
  EXPECT_EQ(info.protocol_version(), 1);
  EXPECT_FALSE(info.id().empty());
  EXPECT_FALSE(info.host().empty());
  EXPECT_NE(info.incarnation(), 0u);
  EXPECT_EQ(info.metrics().child_restarts(), 7);
  EXPECT_GT(info.metrics().resident_bytes(), 1'000'000);
  EXPECT_GT(info.metrics().cpu_seconds(), 0);
}

TEST_F(RunnerTest, ResultStaysInTheSpoolUntilItIsAcknowledged) {
  coordinator_.acknowledge = false;
  StartRunner();
  AssignScript("a1", [](Attempt&) { return Trained(0.5); });
  ASSERT_TRUE(AwaitResult("a1"));
  EXPECT_EQ(FilesIn("spool", ".pb"), 1);
  coordinator_.Change([](FakeCoordinator& self) { self.acknowledge = true; });
  AssignScript("a2", [](Attempt&) { return Trained(0.5); });
  ASSERT_TRUE(AwaitResult("a2"));
  StopRunner();
  EXPECT_EQ(FilesIn("spool", ".pb"), 0);
}

TEST_F(RunnerTest, ResultWhoseAnswerWasLostIsDeliveredAgain) {
  coordinator_.on_result = [this](const v1::AttemptResult&) {
    if (coordinator_.deliveries < 3) coordinator_.lose_answers = 1;
  };
  StartRunner();
  AssignScript("a1", [](Attempt&) { return Trained(0.5); });
  ASSERT_TRUE(coordinator_.Await([](const auto& self) { return self.deliveries >= 3; }));
  StopRunner();
  EXPECT_EQ(coordinator_.results.size(), 1u);
  EXPECT_EQ(FilesIn("spool", ".pb"), 0);
}

TEST_F(RunnerTest, LostAssignmentIsTakenFromTheNextAnswer) {
  coordinator_.lose_answers = 1;
  AssignScript("a1", [](Attempt&) { return Trained(0.5); });
  StartRunner();
  EXPECT_TRUE(AwaitResult("a1"));
}

TEST_F(RunnerTest, CoordinatorThatRestartsCostsNoAttempt) {
  StartRunner();
  absl::Notification started, finish;
  AssignScript("a1", [&](Attempt& attempt) {
    started.Notify();
    finish.WaitForNotification();
    EXPECT_FALSE(attempt.cancelled());
    return Trained(0.5);
  });
  started.WaitForNotification();
  coordinator_.Vanish();
  finish.Notify();
  coordinator_.ComeBack();
  ASSERT_TRUE(AwaitResult("a1"));
}

TEST_F(RunnerTest, CoordinatorMayComeLater) {
  coordinator_.Vanish();
  StartRunner();
  AssignScript("a1", [](Attempt&) { return Trained(0.5); });
  coordinator_.ComeBack();
  EXPECT_TRUE(AwaitResult("a1"));
}

TEST_F(RunnerTest, SpooledResultIsDeliveredByTheNextIncarnation) {
  coordinator_.acknowledge = false;
  StartRunner();
  AssignScript("a1", [](Attempt&) { return Trained(0.25); });
  ASSERT_TRUE(AwaitResult("a1"));
  StopRunner();
  ASSERT_EQ(FilesIn("spool", ".pb"), 1);
  const v1::RunnerInfo before = coordinator_.requests.back().runner();
  coordinator_.Change([](FakeCoordinator& self) {
    self.acknowledge = true;
    self.results.clear();
  });
  StartRunner();
  ASSERT_TRUE(AwaitResult("a1"));
  StopRunner();
  EXPECT_EQ(coordinator_.results["a1"].train().selection_accuracy(), 0.25);
  const v1::RunnerInfo after = coordinator_.requests.back().runner();
  EXPECT_EQ(after.id(), before.id());
  EXPECT_NE(after.incarnation(), before.incarnation());
  EXPECT_EQ(FilesIn("spool", ".pb"), 0);
}

TEST_F(RunnerTest, WithdrawnAttemptIsCancelledAndItsFailureDropped) {
  StartRunner();
  absl::Notification started;
  AssignScript("a1", [&](Attempt& attempt) {
    started.Notify();
    AwaitCancel(attempt);
    EXPECT_TRUE(attempt.cancelled());
    v1::AttemptResult result;
    result.mutable_failure()->set_code(v1::Failure::CHILD_CRASHED);
    return result;
  });
  started.WaitForNotification();
  coordinator_.Withdraw("a1");
  AssignScript("a2", [](Attempt&) { return Trained(0.5); });
  ASSERT_TRUE(AwaitResult("a2"));
  StopRunner();
  EXPECT_EQ(coordinator_.results.count("a1"), 0u);
}

TEST_F(RunnerTest, ResultThatAWithdrawnAttemptFinishedIsStillSent) {
  StartRunner();
  absl::Notification started;
  AssignScript("a1", [&](Attempt& attempt) {
    started.Notify();
    AwaitCancel(attempt);
    return Trained(0.5);
  });
  started.WaitForNotification();
  coordinator_.Withdraw("a1");
  EXPECT_TRUE(AwaitResult("a1"));
}

TEST_F(RunnerTest, CallbackOfACancelledAttemptIsCalledAtOnce) {
  StartRunner();
  absl::Notification started, registered;
  AssignScript("a1", [&](Attempt& attempt) {
    started.Notify();
    AwaitCancel(attempt);
    bool called = false;
    attempt.OnCancel([&] { called = true; });
    EXPECT_TRUE(called);
    attempt.OnCancel({});
    registered.Notify();
    return Trained(0.5);
  });
  started.WaitForNotification();
  StopRunner();
  EXPECT_TRUE(registered.HasBeenNotified());
}

TEST_F(RunnerTest, StopCancelsAttemptsAndDrains) {
  StartRunner();
  absl::Notification started;
  AssignScript("a1", [&](Attempt& attempt) {
    started.Notify();
    AwaitCancel(attempt);
    return v1::AttemptResult();
  });
  started.WaitForNotification();
  StopRunner();
  EXPECT_TRUE(coordinator_.requests.back().draining());
  EXPECT_EQ(coordinator_.requests.back().attempts_size(), 0);
  EXPECT_TRUE(coordinator_.results.empty());
}

TEST_F(RunnerTest, StopEndsAParkedCallAndAWaitForAnAbsentCoordinator) {
  StartRunner();
  ASSERT_TRUE(coordinator_.Await([](const auto& self) { return !self.requests.empty(); }));
  StopRunner();
  coordinator_.Vanish();
  StartRunner();
  StopRunner();
}

TEST_F(RunnerTest, RefusedVersionEndsTheRun) {
  coordinator_.refusal =
      grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "runner speaks 9, coordinator 1");
  StartRunner();
  const absl::Status status = JoinRunner();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("runner speaks 9, coordinator 1"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(coordinator_.address()));
}

TEST_F(RunnerTest, OtherRefusalsAreAskedAgain) {
  coordinator_.refusal = grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too many runners");
  AssignScript("a1", [](Attempt&) { return Trained(0.5); });
  StartRunner();
  coordinator_.Change([](FakeCoordinator& self) { self.refusal = grpc::Status::OK; });
  EXPECT_TRUE(AwaitResult("a1"));
}

TEST_F(RunnerTest, AsManyAttemptsRunAsThereAreSlotsAndNoMore) {
  absl::Mutex mutex;
  int running = 0, most = 0;
  bool released = false;
  RunnerOptions options = Options();
  options.info.set_slots(2);
  for (int i = 0; i < 6; ++i) {
    AssignScript(absl::StrCat("a", i), [&](Attempt&) {
      absl::MutexLock lock(&mutex);
      most = std::max(most, ++running);
      mutex.Await(absl::Condition(&released));
      --running;
      return Trained(0.5);
    });
  }
  StartRunner(options);
  const auto both_run = [&] { return running >= 2; };
  const auto release = [&] {
    absl::MutexLock lock(&mutex);
    const bool full = mutex.AwaitWithTimeout(absl::Condition(&both_run), absl::Seconds(30));
    released = true;
    return full;
  };
  // This coordinator offers more than there are slots. What the runner starts of it, it
  // has started when it says that it holds all six.
  const bool said = coordinator_.Await([](const auto& self) {
    return !self.requests.empty() && self.requests.back().attempts_size() == 6;
  });
  EXPECT_TRUE(release());
  EXPECT_TRUE(said);
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(AwaitResult(absl::StrCat("a", i)));
  EXPECT_EQ(most, 2);
}

TEST_F(RunnerTest, ResultOfOneSlotIsNotHeldUpByTheParkedCallOfAnother) {
  RunnerOptions options = Options();
  options.info.set_slots(3);
  absl::Notification finish;
  AssignScript("slow", [&](Attempt&) {
    finish.WaitForNotification();
    return Trained(0.5);
  });
  StartRunner(options);
  ASSERT_TRUE(coordinator_.Await([](const auto& self) {
    return !self.requests.empty() && self.requests.back().attempts_size() == 1;
  }));
  // The runner is parked now, with a free slot, and the coordinator never answers.
  finish.Notify();
  EXPECT_TRUE(AwaitResult("slow"));
}

TEST_F(RunnerTest, IdThatCannotNameAFileIsNotRun) {
  StartRunner();
  for (const std::string id : {"../../evil", "", "a/b", "a.pb"}) {
    AssignScript(id, [](Attempt&) -> v1::AttemptResult {
      ADD_FAILURE() << "was run";
      return {};
    });
    coordinator_.Withdraw(id);
  }
  AssignScript("good", [](Attempt&) { return Trained(0.5); });
  EXPECT_TRUE(AwaitResult("good"));
}

TEST_F(RunnerTest, ExecutorThatFailsInItsOwnWayIsAFailure) {
  StartRunner();
  AssignScript("throws", [](Attempt&) -> v1::AttemptResult { throw std::runtime_error("oh\xff"); });
  AssignScript("nothing", [](Attempt&) { return v1::AttemptResult(); });
  AssignScript("huge", [](Attempt&) {
    v1::AttemptResult result;
    result.mutable_measure()->add_reasons(std::string(3 << 20, 'x'));
    return result;
  });
  AssignScript("wordy", [](Attempt&) {
    v1::AttemptResult result;
    result.mutable_failure()->set_code(v1::Failure::CHILD_HUNG);
    result.mutable_failure()->set_message(std::string(3 << 20, 'x'));
    return result;
  });
  for (const char* id : {"throws", "nothing", "huge", "wordy"}) ASSERT_TRUE(AwaitResult(id)) << id;
  StopRunner();
  EXPECT_EQ(coordinator_.results["throws"].failure().message(), "oh?");
  EXPECT_EQ(coordinator_.results["throws"].failure().code(), v1::Failure::INTERNAL);
  EXPECT_EQ(coordinator_.results["nothing"].failure().code(), v1::Failure::INTERNAL);
  EXPECT_EQ(coordinator_.results["huge"].failure().code(), v1::Failure::INTERNAL);
  EXPECT_EQ(coordinator_.results["wordy"].failure().code(), v1::Failure::CHILD_HUNG);
  EXPECT_EQ(coordinator_.results["wordy"].failure().message().size(), 4096u);
}

TEST_F(RunnerTest, ProgressIsTold) {
  StartRunner();
  absl::Notification finish;
  AssignScript("a1", [&](Attempt& attempt) {
    attempt.Progress(2.0, "epoch 3 of 8\xff");
    finish.WaitForNotification();
    return Trained(0.5);
  });
  EXPECT_TRUE(coordinator_.Await([](const auto& self) {
    return !self.requests.empty() && self.requests.back().attempts_size() == 1 &&
           self.requests.back().attempts(0).note() == "epoch 3 of 8?" &&
           self.requests.back().attempts(0).fraction() == 1.0;
  }));
  finish.Notify();
  StopRunner();
}

TEST_F(RunnerTest, WantedDatasetsAreReportedAndChangesEndAParkedCall) {
  v1::DatasetReport report;
  report.set_state(v1::DatasetReport::PREPARING);
  executor_.SetReports({report});
  StartRunner();
  v1::DatasetSpec spec;
  spec.set_name("shapes");
  coordinator_.WantDataset(spec, "pinned");
  const auto reported = [](v1::DatasetReport::State state) {
    return [state](const FakeCoordinator& self) {
      return !self.requests.empty() && self.requests.back().datasets_size() == 1 &&
             self.requests.back().datasets(0).state() == state;
    };
  };
  ASSERT_TRUE(coordinator_.Await(reported(v1::DatasetReport::PREPARING)));
  report.set_state(v1::DatasetReport::READY);
  executor_.SetReports({report});
  EXPECT_TRUE(coordinator_.Await(reported(v1::DatasetReport::READY)));
  EXPECT_THAT(executor_.fingerprints(), testing::ElementsAre("pinned"));
}

}  // namespace
}  // namespace squish
