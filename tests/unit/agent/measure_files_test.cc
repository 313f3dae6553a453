#include "jetson-agent/measure_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/export/handout.h"
#include "tests/support/checkout.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/engine/test_networks.h"

namespace squish {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class MeasureFilesTest : public ::testing::Test {
 protected:
  MeasureFilesTest() {
    v1::MeasurementSpec& protocol = options_.protocol;
    protocol.set_batch(1);
    protocol.set_threads(1);
    protocol.set_minimum_seconds(0.05);
    protocol.set_minimum_blocks(2);
    protocol.set_warmup_seconds(0.01);
    protocol.set_maximum_spread(10);
    protocol.set_time_limit_seconds(60);
    options_.ancestor = Export(1);
    options_.candidate = Export(0.5);
  }

  // A folder as `squishctl export` writes it, as far as engines look; they find there what they
  // read themselves, which of ONNX the fake one does not.
  std::string Export(double width) {
    const std::string folder = TemporaryFolder();
    std::filesystem::rename(WriteNetwork(folder, width).path, JoinPath(folder, kNetworkFileName));
    EXPECT_TRUE(WriteFileDurably(JoinPath(folder, OnnxFileName(1)), "onnx").ok());
    return folder;
  }

  absl::StatusOr<v1::MeasureResult> Run(std::vector<std::string> engine) {
    LocalEngineOptions options;
    options.engine.child.command = std::move(engine);
    options.device_class = "board-x/1";
    absl::StatusOr<LocalEngine> local = StartLocalEngine(options, Clock::System());
    if (!local.ok()) return local.status();
    return MeasureFiles(*local, options_, Clock::System());
  }
  absl::StatusOr<v1::MeasureResult> RunSimulated() {
    return Run({ProgramPath("jetson-agent"), "engine", "simulated"});
  }
  absl::StatusOr<v1::MeasureResult> RunWithOnnx() {
    return Run({TestProgramPath("fake_engine"), "start", "onnx"});
  }

  MeasureFilesOptions options_;
};

TEST_F(MeasureFilesTest, TwoExportedFoldersGiveWhatAJobWould) {
  const absl::StatusOr<v1::MeasureResult> result = RunSimulated();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->verdict(), v1::MeasureResult::VALID) << result->DebugString();
  EXPECT_GT(result->ratio(), 1);
  EXPECT_EQ(result->setting().device_class(), "board-x/1");
  EXPECT_EQ(result->setting().input_size(), 64);  // The network's own.
  EXPECT_TRUE(result->setting().synthetic());
}

TEST_F(MeasureFilesTest, NetworkFilesAndAnotherSizeWillDo) {
  options_.candidate = JoinPath(options_.candidate, kNetworkFileName);
  options_.protocol.set_input_size(224);
  const absl::StatusOr<v1::MeasureResult> result = RunSimulated();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->setting().input_size(), 224);
}

TEST_F(MeasureFilesTest, WhatIsNoNetworkIsNamed) {
  options_.ancestor = "/nonexistent/ancestor";
  EXPECT_THAT(std::string(RunSimulated().status().message()), HasSubstr(options_.ancestor));
  options_.ancestor = JoinPath(TemporaryFolder(), "noise");
  ASSERT_TRUE(WriteFileDurably(options_.ancestor, "noise").ok());
  const absl::Status status = RunSimulated().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(options_.ancestor));
}

TEST_F(MeasureFilesTest, AnEngineThatReadsOnnxGetsIt) {
  const absl::StatusOr<v1::MeasureResult> result = RunWithOnnx();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->verdict(), v1::MeasureResult::VALID) << result->DebugString();
}

TEST_F(MeasureFilesTest, WhatSuchAnEngineLacksIsNamed) {
  const auto message = [this] { return std::string(RunWithOnnx().status().message()); };
  options_.protocol.set_batch(4);
  EXPECT_THAT(message(), AllOf(HasSubstr("model-batch-4.onnx"), HasSubstr("batches: 4")));
  options_.protocol.set_batch(1);
  options_.protocol.set_input_size(224);
  EXPECT_THAT(message(), AllOf(HasSubstr(options_.candidate), HasSubstr("64×64, not 224×224")));
  options_.protocol.clear_input_size();
  options_.ancestor = JoinPath(options_.ancestor, kNetworkFileName);
  EXPECT_THAT(message(), AllOf(HasSubstr(options_.ancestor), HasSubstr("squishctl export")));
}

TEST_F(MeasureFilesTest, AnEngineThatDiesIsAnError) {
  EXPECT_EQ(Run({TestProgramPath("fake_engine"), "start", "crash"}).status().code(),
            absl::StatusCode::kAborted);
  EXPECT_EQ(Run({TestProgramPath("fake_engine"), "run", "crash"}).status().code(),
            absl::StatusCode::kAborted);
}

}  // namespace
}  // namespace squish
