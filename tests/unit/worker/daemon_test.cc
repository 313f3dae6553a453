// The worker as a process, against a coordinator without rules.
#include <signal.h>
#include <unistd.h>

#include "common/child/child.h"
#include "squish/v1/trainer.pb.h"
#include "tests/support/checkout.h"
#include "tests/support/sanitized.h"
#include "tests/unit/runner/fake_coordinator.h"
#include "tests/unit/worker/worker_fixture.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

class WorkerDaemonTest : public WorkerFixture {
 protected:
  WorkerDaemonTest() {
    const std::string network = TwoClasses().ToSafetensors();
    coordinator_.artifacts[Sha256Hex(network)] = network;
  }

  std::unique_ptr<Child> Start(std::vector<std::string> arguments) {
    ChildOptions options;
    options.command = std::move(arguments);
    options.command.insert(options.command.begin(), ProgramPath("worker"));
    options.environment = InheritedEnvironment();
    options.stderr_path = Path("stderr");
    return Child::Spawn(options).value();
  }

  std::unique_ptr<Child> StartWorker(std::vector<std::string> more) {
    more.insert(more.begin(), {"--coordinator", coordinator_.address(), "--state", Path("state"),
                               "--id", "worker-1", "--trainer", TestProgramPath("fake_trainer"),
                               "--decoder", TestProgramPath("fake_decoder")});
    return Start(std::move(more));
  }

  std::string Stderr() const { return ReadFile(Path("stderr")).value_or(""); }

  bool AwaitResult(const std::string& attempt) {
    return coordinator_.Await(
        [&](const FakeCoordinator& seen) { return seen.results.count(attempt) == 1; });
  }

  FakeCoordinator coordinator_;
};

TEST_F(WorkerDaemonTest, SynthesisesAndTrainsWhatItIsAssignedAndStopsOnSigterm) {
  coordinator_.WantDataset(Pictures());
  coordinator_.Assign("synthesis", AncestorJob());
  coordinator_.Assign("training", TrainJob(kTrain));
  const auto worker = StartWorker({"--slots", "2", "--data", "pictures=" + Path("data")});
  ASSERT_TRUE(AwaitResult("synthesis")) << Stderr();
  ASSERT_TRUE(AwaitResult("training")) << Stderr();
  EXPECT_TRUE(coordinator_.results["synthesis"].has_synthesize()) << Stderr();
  const v1::AttemptResult training = coordinator_.results["training"];
  ASSERT_TRUE(training.has_train()) << training.DebugString();
  EXPECT_EQ(coordinator_.artifacts.count(training.train().artifact()), 1u);

  ASSERT_TRUE(coordinator_.Await([](const FakeCoordinator& seen) {
    const auto& last = seen.requests.back();
    return last.datasets_size() == 1 && last.datasets(0).state() == v1::DatasetReport::READY &&
           last.runner().metrics().step_seconds() == 3.0;
  })) << Stderr();
  const v1::RunnerInfo info = coordinator_.requests.back().runner();
  EXPECT_EQ(info.kind(), v1::RunnerInfo::WORKER);
  EXPECT_EQ(info.id(), "worker-1");
  EXPECT_EQ(info.slots(), 2);
  EXPECT_TRUE(info.cuda());
  EXPECT_FALSE(info.version().empty());
  EXPECT_GT(info.metrics().resident_bytes(), 0);
  EXPECT_LT(info.metrics().resident_bytes(), kSanitized ? 500'000'000 : 50'000'000);
  worker->Terminate();
  EXPECT_EQ(worker->CloseAndWait(absl::Seconds(30)), "exit status 0") << Stderr();
}

TEST_F(WorkerDaemonTest, StopsInTheMiddleOfATrainingAndItsTrainerWithIt) {
  coordinator_.Assign("training", TrainJob(kHang));
  const auto worker = StartWorker({"--data", "pictures=" + Path("data")});
  pid_t trainer = 0;
  ASSERT_TRUE(coordinator_.Await([&](const FakeCoordinator& seen) {
    if (seen.requests.empty() || seen.requests.back().attempts_size() == 0) return false;
    return std::sscanf(seen.requests.back().attempts(0).note().c_str(), "pid %d", &trainer) == 1;
  })) << Stderr();
  worker->Terminate();
  EXPECT_EQ(worker->CloseAndWait(absl::Seconds(30)), "exit status 0") << Stderr();
  EXPECT_NE(::kill(trainer, 0), 0);
}

TEST_F(WorkerDaemonTest, StoppedItTellsOfALastCheckpoint) {
  coordinator_.Assign("training", TrainJob(kAwaitStop));
  const auto worker = StartWorker({"--data", "pictures=" + Path("data")});
  ASSERT_TRUE(coordinator_.Await([](const FakeCoordinator& seen) {
    return !seen.requests.empty() && seen.requests.back().attempts_size() == 1 &&
           seen.requests.back().attempts(0).fraction() > 0;
  })) << Stderr();
  worker->Terminate();
  EXPECT_EQ(worker->CloseAndWait(absl::Seconds(30)), "exit status 0") << Stderr();
  const v1::SynchronizeRequest last = coordinator_.requests.back();
  EXPECT_TRUE(last.draining());
  ASSERT_EQ(last.attempts_size(), 1) << Stderr();
  EXPECT_EQ(last.attempts(0).checkpoint().step(), 9);
  EXPECT_EQ(coordinator_.artifacts[last.attempts(0).checkpoint().artifact()], "the last");
  EXPECT_EQ(coordinator_.results.count("training"), 0u) << "it did not fail";
}

TEST_F(WorkerDaemonTest, AWithdrawnTrainingEndsAndTheNextIsMade) {
  coordinator_.Assign("hanging", TrainJob(kHang));
  const auto worker = StartWorker({"--data", "pictures=" + Path("data")});
  ASSERT_TRUE(coordinator_.Await([](const FakeCoordinator& seen) {
    return !seen.requests.empty() && seen.requests.back().attempts_size() == 1;
  })) << Stderr();
  coordinator_.Withdraw("hanging");
  coordinator_.Assign("next", TrainJob(kTrain));
  ASSERT_TRUE(AwaitResult("next")) << Stderr();
  EXPECT_TRUE(coordinator_.results["next"].has_train());
  EXPECT_EQ(coordinator_.results.count("hanging"), 0u);
}

TEST_F(WorkerDaemonTest, SaysWhichDataItLacks) {
  coordinator_.WantDataset(Pictures());
  const auto worker = StartWorker({});
  ASSERT_TRUE(coordinator_.Await([](const FakeCoordinator& seen) {
    return !seen.requests.empty() && seen.requests.back().datasets_size() == 1;
  })) << Stderr();
  const v1::DatasetReport report = coordinator_.requests.back().datasets(0);
  EXPECT_EQ(report.state(), v1::DatasetReport::UNAVAILABLE);
  EXPECT_EQ(report.message(), "no --data NAME=DIR was given for 'pictures'");
}

TEST_F(WorkerDaemonTest, StopsOnSigtermWithoutItsCoordinator) {
  const auto worker = StartWorker({});
  ASSERT_TRUE(coordinator_.Await([](const FakeCoordinator& seen) {
    return !seen.requests.empty();
  })) << Stderr();
  coordinator_.Vanish();
  worker->Terminate();
  EXPECT_EQ(worker->CloseAndWait(absl::Seconds(30)), "exit status 0") << Stderr();
}

TEST_F(WorkerDaemonTest, MistakesOnTheCommandLineAreSaidClearly) {
  const std::string clean = "exit status 1";
  EXPECT_NE(Start({})->CloseAndWait(absl::Seconds(30)), "exit status 0");
  EXPECT_THAT(Stderr(), HasSubstr("--coordinator"));
  EXPECT_EQ(StartWorker({"--data", "pictures"})->CloseAndWait(absl::Seconds(30)), clean);
  EXPECT_THAT(Stderr(), HasSubstr("--data pictures: write NAME=DIR"));
  EXPECT_EQ(StartWorker({"--data", "a=x", "--data", "a=y"})->CloseAndWait(absl::Seconds(30)),
            clean);
  EXPECT_THAT(Stderr(), HasSubstr("--data a is given twice"));
  EXPECT_EQ(Start({"--coordinator", coordinator_.address(), "--state", Path("state"), "--trainer",
                   "/nonexistent/t"})
                ->CloseAndWait(absl::Seconds(30)),
            clean);
  EXPECT_THAT(Stderr(), HasSubstr("/nonexistent/t"));
  EXPECT_NE(StartWorker({"--slots", "0"})->CloseAndWait(absl::Seconds(30)), "exit status 0");
}

}  // namespace
}  // namespace squish
