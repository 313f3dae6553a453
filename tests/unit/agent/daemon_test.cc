// The agent as a process, against a coordinator without rules.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/child/child.h"
#include "tests/support/checkout.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/engine/test_networks.h"
#include "tests/unit/runner/fake_coordinator.h"
#include "tests/unit/telemetry/machine_trees.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

class DaemonTest : public ::testing::Test {
 protected:
  DaemonTest()
      : folder_(TemporaryFolder()),
        candidate_(WriteNetwork(folder_, 0.1)),
        ancestor_(WriteNetwork(folder_, 0.2)) {
    for (const TestNetwork& network : {candidate_, ancestor_}) {
      coordinator_.artifacts[network.artifact] = ReadFile(network.path).value();
    }
  }

  std::unique_ptr<Child> Start(std::vector<std::string> arguments) {
    ChildOptions options;
    options.command = std::move(arguments);
    options.command.insert(options.command.begin(), ProgramPath("jetson-agent"));
    options.stderr_path = JoinPath(folder_, "stderr");
    return Child::Spawn(options).value();
  }

  std::unique_ptr<Child> StartAgent(std::vector<std::string> engine) {
    engine.insert(engine.begin(), {"--coordinator", coordinator_.address(), "--state",
                                   JoinPath(folder_, "state"), "--id", "agent-1"});
    return Start(std::move(engine));
  }

  v1::Job Job() const {
    v1::Job job;
    v1::MeasureJob& measure = *job.mutable_measure();
    measure.set_candidate(candidate_.artifact);
    measure.set_ancestor(ancestor_.artifact);
    measure.set_candidate_architecture(candidate_.architecture);
    measure.set_ancestor_architecture(ancestor_.architecture);
    v1::MeasurementSpec& protocol = *measure.mutable_protocol();
    protocol.set_batch(1);
    protocol.set_input_size(64);
    protocol.set_threads(1);
    protocol.set_minimum_seconds(0.1);
    protocol.set_minimum_blocks(8);
    protocol.set_warmup_seconds(0.02);
    protocol.set_maximum_spread(1e9);  // The fake engine is no benchmark.
    protocol.set_time_limit_seconds(60);
    return job;
  }

  std::string Stderr() const { return ReadFile(JoinPath(folder_, "stderr")).value_or(""); }

  std::string WriteSettings(absl::string_view text) const {
    const std::string path = JoinPath(folder_, "agent.toml");
    EXPECT_TRUE(WriteFileDurably(path, text).ok());
    return path;
  }

  const std::string folder_;
  const TestNetwork candidate_;
  const TestNetwork ancestor_;
  FakeCoordinator coordinator_;
};

TEST_F(DaemonTest, MeasuresWhatItIsAssignedAndStopsOnSigterm) {
  coordinator_.Assign("attempt-1", Job());
  const auto agent = StartAgent({"--engine", "simulated"});
  ASSERT_TRUE(coordinator_.Await([](const FakeCoordinator& seen) { return !seen.results.empty(); }))
      << Stderr();
  const v1::AttemptResult result = coordinator_.results["attempt-1"];
  ASSERT_TRUE(result.has_measure()) << result.DebugString();
  EXPECT_EQ(result.measure().verdict(), v1::MeasureResult::VALID);
  EXPECT_GT(result.measure().ratio(), 1);
  const v1::RunnerInfo info = coordinator_.requests.front().runner();
  EXPECT_EQ(info.kind(), v1::RunnerInfo::AGENT);
  EXPECT_EQ(info.id(), "agent-1");
  EXPECT_EQ(info.slots(), 1);
  EXPECT_EQ(info.engine(), "simulated");
  EXPECT_EQ(info.device_class(), "simulated-tx1");
  EXPECT_FALSE(info.version().empty());
  agent->Terminate();
  EXPECT_EQ(agent->CloseAndWait(absl::Seconds(20)), "exit status 0") << Stderr();
}

TEST_F(DaemonTest, AnotherEngineIsUsedByItsCommandLine) {
  const auto agent =
      StartAgent({"--engine-command", absl::StrCat("  ", TestProgramPath("fake_engine"), "  "),
                  "--device-class", "board/1"});
  coordinator_.Assign("attempt-1", Job());
  ASSERT_TRUE(coordinator_.Await([](const FakeCoordinator& seen) { return !seen.results.empty(); }))
      << Stderr();
  const v1::AttemptResult result = coordinator_.results["attempt-1"];
  EXPECT_EQ(result.measure().setting().engine(), "fake") << result.DebugString();
  EXPECT_EQ(result.measure().setting().device_class(), "board/1");
}

TEST_F(DaemonTest, ArtifactOfAnotherDigestIsNotMeasured) {
  coordinator_.artifacts[candidate_.artifact] = ReadFile(ancestor_.path).value();
  coordinator_.Assign("attempt-1", Job());
  const auto agent = StartAgent({"--engine", "simulated"});
  ASSERT_TRUE(coordinator_.Await([](const FakeCoordinator& seen) { return !seen.results.empty(); }))
      << Stderr();
  const v1::AttemptResult result = coordinator_.results["attempt-1"];
  EXPECT_EQ(result.failure().code(), v1::Failure::BAD_ARTIFACT) << result.DebugString();
  EXPECT_THAT(result.failure().message(), HasSubstr(candidate_.artifact));
}

TEST_F(DaemonTest, WithdrawnMeasurementEndsAndTheNextIsMade) {
  v1::Job endless = Job();
  endless.mutable_measure()->mutable_protocol()->set_minimum_blocks(100'000'000);
  endless.mutable_measure()->mutable_protocol()->set_time_limit_seconds(1e6);
  coordinator_.Assign("endless", endless);
  const auto agent = StartAgent({"--engine-command", TestProgramPath("fake_engine")});
  ASSERT_TRUE(coordinator_.Await([](const FakeCoordinator& seen) {
    return !seen.requests.empty() && seen.requests.back().attempts_size() == 1;
  })) << Stderr();
  coordinator_.Withdraw("endless");
  coordinator_.Assign("next", Job());
  ASSERT_TRUE(coordinator_.Await(
      [](const FakeCoordinator& seen) { return seen.results.count("next") == 1; }))
      << Stderr();
  EXPECT_TRUE(coordinator_.results["next"].has_measure());
}

TEST_F(DaemonTest, StopsOnSigtermWithoutItsCoordinator) {
  const auto agent = StartAgent({"--engine", "simulated"});
  ASSERT_TRUE(coordinator_.Await([](const FakeCoordinator& seen) { return !seen.requests.empty(); }))
      << Stderr();
  coordinator_.Vanish();
  agent->Terminate();
  EXPECT_EQ(agent->CloseAndWait(absl::Seconds(20)), "exit status 0") << Stderr();
}

TEST_F(DaemonTest, TellsWhatTheFilesBelowItsSystemRootTell) {
  const MachineTree tx1(Tx1OnL4t32());
  coordinator_.Assign("attempt-1", Job());
  const auto agent =
      StartAgent({"--engine-command", TestProgramPath("fake_engine"), "--system-root", tx1.root()});
  ASSERT_TRUE(coordinator_.Await([](const FakeCoordinator& seen) { return !seen.results.empty(); }))
      << Stderr();
  const v1::AttemptResult result = coordinator_.results["attempt-1"];
  EXPECT_EQ(result.measure().board().before().power_mode(), "MAXN") << result.DebugString();
  EXPECT_EQ(coordinator_.requests.front().runner().device_class(), "jetson-tx1/l4t-32.7");
  EXPECT_THAT(Stderr(), HasSubstr("L4T 32.7.1, JetPack 4.6.1, CUDA 10.2.300, TensorRT 8.2.1"));
}

TEST_F(DaemonTest, SettingsComeFromAFileAndTheCommandLineGoesBefore) {
  const std::string settings = WriteSettings(absl::StrCat(
      "# A comment.\ncoordinator = \"", coordinator_.address(), "\"\nstate = \"",
      JoinPath(folder_, "state"), "\"\nid = \"of-the-file\"\nengine-command = \"",
      ProgramPath("jetson-agent"), " engine simulated\"\ndevice-class = \"board/1\"\n"));
  const auto agent = Start({"--config", settings, "--id", "of-the-command-line"});
  ASSERT_TRUE(coordinator_.Await([](const FakeCoordinator& seen) { return !seen.requests.empty(); }))
      << Stderr();
  const v1::RunnerInfo info = coordinator_.requests.front().runner();
  EXPECT_EQ(info.id(), "of-the-command-line");
  EXPECT_EQ(info.device_class(), "board/1");
  EXPECT_EQ(info.engine(), "simulated");
}

TEST_F(DaemonTest, AMistakeInTheSettingsIsNamed) {
  const std::string settings = WriteSettings("cordinator = \"board:7461\"\n");
  EXPECT_NE(Start({"--config", settings})->CloseAndWait(absl::Seconds(20)), "exit status 0");
  EXPECT_THAT(Stderr(), HasSubstr("cordinator"));
}

TEST_F(DaemonTest, SelftestEndsWithItsVerdict) {
  EXPECT_EQ(Start({"selftest", "--engine", "simulated"})->CloseAndWait(absl::Seconds(100)),
            "exit status 0")
      << Stderr();
  EXPECT_EQ(Start({"selftest", "--engine-command",
                   absl::StrCat(TestProgramPath("fake_engine"), " load crash")})
                ->CloseAndWait(absl::Seconds(100)),
            "exit status 1");
  EXPECT_THAT(Stderr(), HasSubstr("fake_engine"));
}

TEST_F(DaemonTest, MeasureEndsWithItsVerdict) {
  const std::string network = candidate_.path;
  EXPECT_EQ(Start({"measure", network, network, "--engine", "simulated", "--batch", "2"})
                ->CloseAndWait(absl::Seconds(100)),
            "exit status 0")
      << Stderr();
  EXPECT_EQ(Start({"measure", network, "/nonexistent", "--engine", "simulated"})
                ->CloseAndWait(absl::Seconds(100)),
            "exit status 1");
  EXPECT_THAT(Stderr(), HasSubstr("/nonexistent"));
  EXPECT_EQ(Start({"measure", network, network, "--engine", "trtexec"})
                ->CloseAndWait(absl::Seconds(100)),
            "exit status 1");
  EXPECT_THAT(Stderr(), HasSubstr("--state"));
  EXPECT_NE(Start({"measure", network})->CloseAndWait(absl::Seconds(20)), "exit status 0");
  EXPECT_THAT(Stderr(), HasSubstr("ANCESTOR"));
}

TEST_F(DaemonTest, MistakesOnTheCommandLineAreSaidClearly) {
  EXPECT_EQ(Start({})->CloseAndWait(absl::Seconds(20)), "exit status 2");
  EXPECT_THAT(Stderr(), HasSubstr("--coordinator"));
  EXPECT_EQ(StartAgent({"--engine", "warp"})->CloseAndWait(absl::Seconds(20)), "exit status 1");
  EXPECT_THAT(Stderr(), HasSubstr("no such engine"));
  EXPECT_EQ(StartAgent({"--engine-command",
                        absl::StrCat(ProgramPath("jetson-agent"), " engine trtexec --trtexec ",
                                     "/nonexistent/trtexec --cache ", folder_)})
                ->CloseAndWait(absl::Seconds(20)),
            "exit status 1");
  EXPECT_THAT(Stderr(), HasSubstr("/nonexistent/trtexec"));
  EXPECT_EQ(StartAgent({"--engine", "replay:/nonexistent.csv"})->CloseAndWait(absl::Seconds(20)),
            "exit status 1");
  EXPECT_THAT(Stderr(), HasSubstr("/nonexistent.csv"));
  EXPECT_EQ(StartAgent({"--engine-command", "/nonexistent/engine"})->CloseAndWait(absl::Seconds(20)),
            "exit status 1");
  EXPECT_THAT(Stderr(), HasSubstr("/nonexistent/engine"));
}

}  // namespace
}  // namespace squish
