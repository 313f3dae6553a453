// The agent's side of the contract against engines that keep it and that break it.
#include "jetson-agent/engine/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "tests/support/checkout.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/engine/test_networks.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

EngineOptions Fake(const std::vector<std::string>& arguments) {
  EngineOptions options;
  options.child.command = {TestProgramPath("fake_engine")};
  for (const std::string& argument : arguments) options.child.command.push_back(argument);
  return options;
}

// Start, load, run, unload; the first error.
absl::Status UseOnce(const EngineOptions& options) {
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<EngineClient> engine, EngineClient::Spawn(options));
  SQUISH_RETURN_IF_ERROR(engine->AwaitReady());
  SQUISH_RETURN_IF_ERROR(
      engine->Load({.id = "a", .path = "/x", .batch = 4, .input_size = 64, .threads = 1}));
  SQUISH_ASSIGN_OR_RETURN(const Block block, engine->Run("a", 25));
  EXPECT_EQ(block.images, 100);
  EXPECT_GT(block.seconds, 0);
  SQUISH_ASSIGN_OR_RETURN(const auto layers, engine->Profile("a", 20));
  EXPECT_EQ(layers.size(), 2u);
  SQUISH_ASSIGN_OR_RETURN(const auto outputs, engine->Outputs("a"));
  EXPECT_FALSE(outputs.empty());
  return engine->Unload("a");
}

TEST(EngineClientTest, HonestEngineIsUnderstood) {
  const auto engine = EngineClient::Spawn(Fake({})).value();
  ASSERT_TRUE(engine->AwaitReady().ok());
  ASSERT_TRUE(engine->AwaitReady().ok()) << "asking twice is harmless";
  EXPECT_EQ(engine->info().engine, "fake");
  EXPECT_EQ(engine->info().precision, "fp32");
  EXPECT_EQ(engine->info().version, "fake 1.0");
  EXPECT_FALSE(engine->info().synthetic);
  EXPECT_TRUE(UseOnce(Fake({})).ok());
}

TEST(EngineClientTest, MissingExecutableIsNamed) {
  EngineOptions options;
  options.child.command = {"/nonexistent/engine"};
  const absl::Status status = EngineClient::Spawn(options).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(status.ToString(), HasSubstr("/nonexistent/engine"));
}

struct Misbehaviour {
  const char* event;
  const char* action;
  absl::StatusCode code;
};

class BrokenEngineTest : public ::testing::TestWithParam<Misbehaviour> {};

TEST_P(BrokenEngineTest, IsToldApart) {
  const absl::Status status = UseOnce(Fake({GetParam().event, GetParam().action}));
  EXPECT_EQ(status.code(), GetParam().code) << status;
}

constexpr auto kCrashed = absl::StatusCode::kAborted;
constexpr auto kBabbled = absl::StatusCode::kDataLoss;

INSTANTIATE_TEST_SUITE_P(
    Start, BrokenEngineTest,
    ::testing::Values(Misbehaviour{"start", "crash", kCrashed},
                      Misbehaviour{"start", "exit", kCrashed},
                      Misbehaviour{"start", "babble", kBabbled},
                      Misbehaviour{"start", "binary", kBabbled},
                      Misbehaviour{"start", "flood", kBabbled},
                      Misbehaviour{"start", "empty", kBabbled},
                      Misbehaviour{"start", "ready", kBabbled},
                      Misbehaviour{"start", "other-contract", kBabbled},
                      Misbehaviour{"start", "error", absl::StatusCode::kInternal}));

INSTANTIATE_TEST_SUITE_P(
    Load, BrokenEngineTest,
    ::testing::Values(Misbehaviour{"load", "crash", kCrashed},
                      Misbehaviour{"load", "babble", kBabbled},
                      Misbehaviour{"load", "wrong-id", kBabbled},
                      Misbehaviour{"load", "unsupported", absl::StatusCode::kUnimplemented},
                      Misbehaviour{"load", "error", absl::StatusCode::kInternal}));

INSTANTIATE_TEST_SUITE_P(
    Run, BrokenEngineTest,
    ::testing::Values(
        Misbehaviour{"run", "crash", kCrashed}, Misbehaviour{"run", "exit", kCrashed},
        Misbehaviour{"run", "babble", kBabbled}, Misbehaviour{"run", "binary", kBabbled},
        Misbehaviour{"run", "flood", kBabbled}, Misbehaviour{"run", "array", kBabbled},
        Misbehaviour{"run", "unknown", kBabbled}, Misbehaviour{"run", "unsupported", kBabbled},
        Misbehaviour{"run", "more", kBabbled}, Misbehaviour{"run", "fewer", kBabbled},
        Misbehaviour{"run", "none", kBabbled}, Misbehaviour{"run", "huge-count", kBabbled},
        Misbehaviour{"run", "fraction", kBabbled}, Misbehaviour{"run", "zero", kBabbled},
        Misbehaviour{"run", "negative", kBabbled}, Misbehaviour{"run", "nan", kBabbled},
        Misbehaviour{"run", "text", kBabbled}, Misbehaviour{"run", "missing", kBabbled},
        Misbehaviour{"run", "infinite", kBabbled}, Misbehaviour{"run", "too-long", kBabbled},
        Misbehaviour{"run", "wrong-id", kBabbled},
        Misbehaviour{"run", "error", absl::StatusCode::kInternal},
        Misbehaviour{"run", "latency-beyond", kBabbled},
        Misbehaviour{"run", "too-many-latencies", kBabbled},
        Misbehaviour{"run", "latencies", absl::StatusCode::kOk},
        Misbehaviour{"run", "additional", absl::StatusCode::kOk},
        Misbehaviour{"run", "synthetic", absl::StatusCode::kOk}));

INSTANTIATE_TEST_SUITE_P(
    Profile, BrokenEngineTest,
    ::testing::Values(Misbehaviour{"profile", "crash", kCrashed},
                      Misbehaviour{"profile", "babble", kBabbled},
                      Misbehaviour{"profile", "wrong-id", kBabbled},
                      Misbehaviour{"profile", "unsupported", absl::StatusCode::kUnimplemented},
                      Misbehaviour{"profile", "error", absl::StatusCode::kInternal}));

INSTANTIATE_TEST_SUITE_P(
    Outputs, BrokenEngineTest,
    ::testing::Values(Misbehaviour{"outputs", "crash", kCrashed},
                      Misbehaviour{"outputs", "babble", kBabbled},
                      Misbehaviour{"outputs", "wrong-id", kBabbled},
                      Misbehaviour{"outputs", "texts", kBabbled},
                      Misbehaviour{"outputs", "unsupported", absl::StatusCode::kUnimplemented},
                      Misbehaviour{"outputs", "error", absl::StatusCode::kInternal}));

TEST(EngineClientTest, HangingEngineIsGivenUp) {
  EngineOptions at_start = Fake({"start", "hang"});
  at_start.silence_limit = absl::Milliseconds(100);
  EXPECT_TRUE(absl::IsDeadlineExceeded(UseOnce(at_start)));
  EngineOptions at_run = Fake({"run", "hang"});
  at_run.silence_limit = absl::Seconds(2);
  EXPECT_TRUE(absl::IsDeadlineExceeded(UseOnce(at_run)));
}

TEST(EngineClientTest, LieAboutTheCountSaysWhatWasAskedFor) {
  EXPECT_THAT(UseOnce(Fake({"run", "more"})).ToString(),
              HasSubstr("asked for 100 images and says that it ran 101"));
}

TEST(EngineClientTest, ForeignBytesInMessagesAreEscaped) {
  const absl::Status status = UseOnce(Fake({"run", "binary"}));
  EXPECT_THAT(status.ToString(), HasSubstr("\\xff\\xfe"));
}

// --- The engines inside jetson-agent, as the agent starts them ----------------

TEST(AgentEnginesTest, SimulatedKeepsTheContractAsAChild) {
  const TestNetwork network = WriteNetwork(TemporaryFolder(), 0.1);
  EngineOptions options;
  options.child.command = {ProgramPath("jetson-agent"), "engine", "simulated"};
  const auto engine = EngineClient::Spawn(options).value();
  ASSERT_TRUE(engine->AwaitReady().ok());
  EXPECT_EQ(engine->info().engine, "simulated");
  ASSERT_TRUE(engine
                  ->Load({.id = "a",
                          .path = network.path,
                          .batch = 2,
                          .input_size = 64,
                          .threads = 1})
                  .ok());
  const Block block = engine->Run("a", 1'000'000'000).value();
  EXPECT_EQ(block.images, 2'000'000'000);
  EXPECT_TRUE(engine->Unload("a").ok());
  EXPECT_TRUE(absl::IsUnimplemented(engine->Load(
      {.id = "a", .path = network.path, .batch = 1, .input_size = 2, .threads = 1})));
}

TEST(AgentEnginesTest, ReplayKeepsTheContractAsAChild) {
  const std::string folder = TemporaryFolder();
  const TestNetwork network = WriteNetwork(folder, 0.1);
  const TestNetwork unknown = WriteNetwork(folder, 0.2);
  const std::string csv = JoinPath(folder, "speeds.csv");
  ASSERT_TRUE(WriteFileDurably(csv, absl::StrCat("architecture_digest,images_per_second\n",
                                                 network.architecture, ",250\n"))
                  .ok());
  EngineOptions options;
  options.child.command = {ProgramPath("jetson-agent"), "engine", "replay", csv};
  const auto engine = EngineClient::Spawn(options).value();
  ASSERT_TRUE(engine->AwaitReady().ok());
  LoadRequest load{
      .id = "a", .path = network.path, .batch = 1, .input_size = 64, .threads = 1};
  ASSERT_TRUE(engine->Load(load).ok());
  const Block block = engine->Run("a", 1000).value();
  EXPECT_EQ(block.seconds, 4.0);
  load.path = unknown.path;
  const absl::Status status = engine->Load(load);
  EXPECT_TRUE(absl::IsInternal(status)) << status;
  EXPECT_THAT(status.ToString(), HasSubstr(unknown.architecture));
}

TEST(AgentEnginesTest, ReplayOfABadRecordDoesNotStart) {
  EngineOptions options;
  options.child.command = {ProgramPath("jetson-agent"), "engine", "replay", "/nonexistent.csv"};
  options.child.stderr_path = JoinPath(TemporaryFolder(), "stderr");
  EXPECT_TRUE(absl::IsAborted(UseOnce(options)));
  EXPECT_THAT(ReadFile(options.child.stderr_path).value(), HasSubstr("/nonexistent.csv"));
}

}  // namespace
}  // namespace squish
