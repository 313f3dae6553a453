// Checkpoints on their way from an attempt to the coordinator.
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"
#include "tests/unit/runner/runner_fixture.h"

namespace squish {
namespace {

v1::Checkpoint AtStep(int64_t step) {
  v1::Checkpoint checkpoint;
  checkpoint.set_step(step);
  checkpoint.set_fraction(0.01 * static_cast<double>(step));
  checkpoint.set_numerics_class("class");
  return checkpoint;
}

// The step of the checkpoint that the latest request names; 0: none.
int64_t NamedStep(const FakeCoordinator& coordinator) {
  if (coordinator.requests.empty() || coordinator.requests.back().attempts().empty()) return 0;
  return coordinator.requests.back().attempts(0).checkpoint().step();
}

class RunnerCheckpointsTest : public RunnerFixture {
 protected:
  // An attempt that sends one checkpoint, of these bytes, and then does nothing until it is
  // finished or cancelled.
  void AssignSending(const std::string& bytes) {
    AssignScript("a1", [this, bytes](Attempt& attempt) {
      attempt.Checkpoint(bytes, AtStep(5));
      sent_.Notify();
      AwaitCancel(attempt);
      return v1::AttemptResult();
    });
  }
  bool AwaitNamed(int64_t step) {
    return coordinator_.Await(
        [step](const FakeCoordinator& self) { return NamedStep(self) == step; });
  }

  absl::Notification sent_;
};

TEST_F(RunnerCheckpointsTest, ACheckpointIsNamedOnceItIsThereWhileWorkGoesOn) {
  const std::string bytes(2'500'000, 'c');
  StartRunner();
  AssignSending(bytes);
  ASSERT_TRUE(AwaitNamed(5));
  const v1::Checkpoint named = coordinator_.requests.back().attempts(0).checkpoint();
  EXPECT_EQ(named.artifact(), Sha256Hex(bytes));
  EXPECT_EQ(named.fraction(), 0.05);
  EXPECT_EQ(named.numerics_class(), "class");
  for (const v1::SynchronizeRequest& request : coordinator_.requests) {
    for (const v1::AttemptProgress& attempt : request.attempts()) {
      EXPECT_TRUE(!attempt.has_checkpoint() ||
                  attempt.checkpoint().artifact() == named.artifact());
    }
  }
  EXPECT_EQ(coordinator_.artifacts[Sha256Hex(bytes)], bytes);
  EXPECT_FALSE(std::filesystem::exists(
      JoinPath(root_, absl::StrCat("artifacts/", named.artifact().substr(0, 2)))))
      << "it is of no use here";
}

TEST_F(RunnerCheckpointsTest, WhereAnAttemptBeganIsTold) {
  StartRunner();
  absl::Notification finish;
  AssignScript("a1", [&](Attempt& attempt) {
    attempt.ResumedAt(0.25);
    attempt.Progress(0.5, "");
    finish.WaitForNotification();
    return Trained(0.5);
  });
  EXPECT_TRUE(coordinator_.Await([](const FakeCoordinator& self) {
    return !self.requests.empty() && self.requests.back().attempts_size() == 1 &&
           self.requests.back().attempts(0).resumed_at() == 0.25;
  }));
  finish.Notify();
  StopRunner();  // Before `finish` goes.
}

TEST_F(RunnerCheckpointsTest, AnAbsentCoordinatorHoldsUpNoWorkAndGetsTheLatest) {
  StartRunner();
  absl::Notification started, vanished, finish;
  AssignScript("a1", [&](Attempt& attempt) {
    started.Notify();
    vanished.WaitForNotification();
    for (int step = 1; step <= 20; ++step) {
      attempt.Checkpoint(absl::StrCat("checkpoint ", step), AtStep(step));
    }
    sent_.Notify();
    finish.WaitForNotification();
    return Trained(0.5);
  });
  started.WaitForNotification();
  coordinator_.Vanish();
  vanished.Notify();
  sent_.WaitForNotification();
  coordinator_.ComeBack();
  EXPECT_TRUE(AwaitNamed(20));
  finish.Notify();
  EXPECT_TRUE(AwaitResult("a1"));
}

TEST_F(RunnerCheckpointsTest, WhatIsOnItsWayHoldsUpNoResult) {
  StartRunner();
  AssignScript("a1", [&](Attempt& attempt) {
    coordinator_.Change([](FakeCoordinator& self) { self.fail_transfers = 1'000'000; });
    attempt.Checkpoint("never arrives", AtStep(1));
    return Trained(0.5);
  });
  EXPECT_TRUE(AwaitResult("a1"));
}

TEST_F(RunnerCheckpointsTest, AStoppedAttemptSendsALastOneAndItsFailureIsDropped) {
  StartRunner();
  absl::Notification started;
  AssignScript("a1", [&](Attempt& attempt) {
    absl::Notification stopped;
    attempt.OnStop([&] { stopped.Notify(); });
    started.Notify();
    stopped.WaitForNotification();
    EXPECT_FALSE(attempt.cancelled());
    attempt.Checkpoint("the last", AtStep(9));
    attempt.OnStop({});
    v1::AttemptResult result;
    result.mutable_failure()->set_message("given up");
    return result;
  });
  started.WaitForNotification();
  StopRunner();
  EXPECT_TRUE(coordinator_.requests.back().draining());
  EXPECT_EQ(NamedStep(coordinator_), 9);
  EXPECT_EQ(coordinator_.artifacts.count(Sha256Hex("the last")), 1u);
  EXPECT_TRUE(coordinator_.results.empty());
}

TEST_F(RunnerCheckpointsTest, AStoppedAttemptMayFinish) {
  StartRunner();
  absl::Notification started;
  AssignScript("a1", [&](Attempt& attempt) {
    absl::Notification stopped;
    attempt.OnStop([&] { stopped.Notify(); });
    started.Notify();
    stopped.WaitForNotification();
    attempt.OnStop({});
    return Trained(0.5);
  });
  started.WaitForNotification();
  StopRunner();
  EXPECT_TRUE(coordinator_.results["a1"].has_train());
  EXPECT_EQ(coordinator_.requests.back().attempts_size(), 0);
}

TEST_F(RunnerCheckpointsTest, OneThatDoesNotStopIsCancelledAfterAWhile) {
  RunnerOptions options = Options();
  options.stop_limit = absl::Milliseconds(50);
  StartRunner(options);
  absl::Notification started;
  AssignScript("a1", [&](Attempt& attempt) {
    attempt.OnStop([] {});
    started.Notify();
    AwaitCancel(attempt);
    attempt.OnStop({});
    return v1::AttemptResult();
  });
  started.WaitForNotification();
  StopRunner();
  EXPECT_TRUE(coordinator_.results.empty());
}

TEST_F(RunnerCheckpointsTest, AStopDoesNotWaitForAnAbsentCoordinatorForEver) {
  RunnerOptions options = Options();
  options.stop_limit = absl::Milliseconds(50);
  StartRunner(options);
  absl::Notification started;
  AssignScript("a1", [&](Attempt& attempt) {
    absl::Notification stopped;
    attempt.OnStop([&] { stopped.Notify(); });
    started.Notify();
    stopped.WaitForNotification();
    attempt.OnStop({});
    attempt.Checkpoint("too late", AtStep(9));
    return v1::AttemptResult();
  });
  started.WaitForNotification();
  coordinator_.Vanish();
  StopRunner();
}

}  // namespace
}  // namespace squish
