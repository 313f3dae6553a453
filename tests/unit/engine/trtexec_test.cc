// The adapter of trtexec: what it reads, and itself against a stand-in of the tool.
#include "jetson-agent/engine/trtexec/trtexec_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/engine/stand_ins.h"
#include "tests/unit/engine/test_networks.h"

namespace squish {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// --- Files ---------------------------------------------------------------------

// One call of TensorRT 7, at `start` ms, of 2 ms.
std::string CallOf7(double start) {
  return absl::StrCat(R"({ "startInMs" : )", start, R"(, "endInMs" : )", start + 0.5,
                      R"(, "startComputeMs" : )", start + 0.5, R"(, "endComputeMs" : )", start + 1.5,
                      R"(, "startOutMs" : )", start + 1.5, R"(, "endOutMs" : )", start + 2,
                      R"(, "inMs" : 0.5, "computeMs" : 1, "outMs" : 0.5, "latencyMs" : 2, )",
                      R"("endToEndMs" : 2 })");
}

TEST(TrtexecFilesTest, BlockIsTheLastCallsFromInputToOutput) {
  const std::string file =
      absl::StrCat("[\n  ", CallOf7(10), "\n, ", CallOf7(20), "\n, ", CallOf7(23), "\n]\n");
  const RunTiming timing = ParseTrtexecTimes(file, 2).value();
  EXPECT_NEAR(timing.seconds, 0.005, 1e-12) << "from 20 ms to 25 ms: gaps count, warm-up does not";
  EXPECT_EQ(timing.latencies, (std::vector<double>{0.002, 0.002}));
}

TEST(TrtexecFilesTest, NamesOfNewerVersionsAreUnderstood) {
  const RunTiming timing =
      ParseTrtexecTimes(R"([{"startEnqMs":1,"endEnqMs":2,"startH2dMs":1.5,"endH2dMs":2,
                             "startComputeMs":2,"endComputeMs":4,"startD2hMs":4,"endD2hMs":5.5,
                             "h2dMs":0.5,"computeMs":2,"d2hMs":1.5,"latencyMs":4}])",
                        1)
          .value();
  EXPECT_NEAR(timing.seconds, 0.004, 1e-12);
  EXPECT_NEAR(timing.latencies.front(), 0.004, 1e-12) << "without endToEndMs, latencyMs";
}

TEST(TrtexecFilesTest, LatenciesAreBoundedAndFromTheWholeBlock) {
  std::string file = "[";
  for (int i = 0; i < 2500; ++i) absl::StrAppend(&file, i ? "," : "", CallOf7(2.0 * i));
  const RunTiming timing = ParseTrtexecTimes(file + "]", 2500).value();
  EXPECT_EQ(timing.latencies.size(), 834u) << "every third";
}

TEST(TrtexecFilesTest, BrokenFilesOfTimesAreNamed) {
  const auto problem = [](const std::string& file, int64_t calls = 1) {
    return std::string(ParseTrtexecTimes(file, calls).status().message());
  };
  EXPECT_THAT(problem("[ " + CallOf7(1).substr(0, 40)), HasSubstr("no whole JSON"));
  EXPECT_THAT(problem(""), HasSubstr("no whole JSON"));
  EXPECT_THAT(problem("{}"), HasSubstr("no whole JSON"));
  EXPECT_THAT(problem("[" + CallOf7(1) + "]", 2), HasSubstr("asked for 2 calls"));
  EXPECT_THAT(problem("[3]"), HasSubstr("startInMs"));
  EXPECT_THAT(problem(R"([{"startInMs":1,"finishMs":2,"latencyMs":1}])"), HasSubstr("`endD2hMs`"));
  EXPECT_THAT(problem(R"([{"startInMs":1,"endOutMs":"2","latencyMs":1}])"),
              HasSubstr("`endOutMs` that is no number"));
  EXPECT_THAT(problem(R"([{"startInMs":1,"endOutMs":2}])"), HasSubstr("`latencyMs`"));
  EXPECT_THAT(problem(R"([{"startInMs":2,"endOutMs":2,"latencyMs":1}])"), HasSubstr("took 0 s"));
  EXPECT_THAT(problem(R"([{"startInMs":1,"endOutMs":2,"latencyMs":-1}])"), HasSubstr("took -1 ms"));
}

TEST(TrtexecFilesTest, OutputsAreRowsAndNotFiniteOnesAreNan) {
  const auto rows =
      ParseTrtexecOutput(
          R"([ { "name" : "logits", "dimensions" : "2x2", "values" : [ 1, -2.5, -nan, inf ] } ])",
          2)
          .value();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0], (std::vector<double>{1, -2.5}));
  EXPECT_TRUE(std::isnan(rows[1][0]) && std::isnan(rows[1][1]));
  EXPECT_FALSE(ParseTrtexecOutput(R"([{"name":"logits","values":[1,2,3]}])", 2).ok());
  EXPECT_FALSE(ParseTrtexecOutput(R"([{"name":"logits"}])", 2).ok());
  EXPECT_FALSE(ParseTrtexecOutput(R"([{"name":"logits","values":[]}])", 2).ok());
  EXPECT_THAT(ParseTrtexecOutput(R"([{"name":"x","values":[1,2]}])", 2).status().ToString(),
              HasSubstr("no `logits`"));
}

TEST(TrtexecFilesTest, FailuresAreToldApart) {
  const auto failure = [](absl::string_view log) {
    return TrtexecFailure("build an engine", "exit status 1", log);
  };
  EXPECT_TRUE(absl::IsUnimplemented(failure("[8] No importer registered for op: Foo\n[E] x\n")));
  EXPECT_TRUE(absl::IsResourceExhausted(failure("Cuda Error in allocate: 2 (out of memory)")));
  EXPECT_TRUE(absl::IsInvalidArgument(failure("[E] Unknown option: --exposeDMA \n")));
  const absl::Status other = failure("[I] fine\n[E] Engine could not be created\n&&&& FAILED\n");
  EXPECT_TRUE(absl::IsInternal(other));
  EXPECT_THAT(other.ToString(), AllOf(HasSubstr("exit status 1"), HasSubstr("could not be created"),
                                      Not(HasSubstr("fine"))));
  EXPECT_THAT(failure("").ToString(), HasSubstr("without a word"));
}

// --- The adapter ------------------------------------------------------------------

class TrtexecEngineTest : public ::testing::Test {
 protected:
  TrtexecEngineTest() {
    onnx_ = WriteStandInOnnx(folder_, "batch=2 side=8 classes=4 ms=0.05");
    options_.cache_folder = JoinPath(folder_, "cache");
  }
  ~TrtexecEngineTest() override { std::filesystem::remove_all(folder_); }

  absl::StatusOr<std::unique_ptr<TrtexecEngine>> Start(const std::string& version,
                                                       const std::string& bad = "none") {
    options_.trtexec = WriteStandInTrtexec(folder_, version, bad);
    return TrtexecEngine::Create(options_);
  }

  LoadRequest LoadOf(const std::string& onnx, int build = 1) const {
    return {.id = "a",
            .path = "/unused",
            .batch = 2,
            .input_size = 8,
            .threads = 1,
            .onnx = onnx,
            .probe = "",
            .build = build};
  }

  // Start, load, run; the first error.
  absl::Status UseOnce(const std::string& version, const std::string& bad = "none") {
    SQUISH_ASSIGN_OR_RETURN(const auto engine, Start(version, bad));
    SQUISH_ASSIGN_OR_RETURN(const auto network, engine->Load(LoadOf(onnx_)));
    SQUISH_ASSIGN_OR_RETURN(const RunTiming timing, network->Run(20));
    EXPECT_NEAR(timing.seconds, 20 * 0.05e-3, 0.02e-3) << "warm-up left out";
    EXPECT_EQ(timing.latencies.size(), 20u);
    return absl::OkStatus();
  }

  // The command lines of all builds.
  std::vector<std::string> Builds() const {
    return absl::StrSplit(ReadFile(JoinPath(folder_, "builds.log")).value_or(""), '\n',
                          absl::SkipEmpty());
  }

  const std::string folder_ = TemporaryFolder();
  std::string onnx_;
  TrtexecOptions options_;
};

class TrtexecVersionTest : public TrtexecEngineTest,
                           public ::testing::WithParamInterface<const char*> {};

TEST_P(TrtexecVersionTest, IsSpokenTo) {
  for (const char* precision : {"fp32", "fp16"}) {
    options_.precision = precision;
    EXPECT_TRUE(UseOnce(GetParam()).ok()) << UseOnce(GetParam());
  }
  ASSERT_EQ(Builds().size(), 2u) << "one for each precision";
  EXPECT_THAT(Builds()[0], Not(HasSubstr("--fp16")));
  EXPECT_THAT(Builds()[1], HasSubstr("--fp16"));
}

INSTANTIATE_TEST_SUITE_P(Versions, TrtexecVersionTest,
                         ::testing::Values("6", "7", "8.0", "8.2", "8.6"));

TEST_F(TrtexecEngineTest, SaysWhatItIs) {
  const EngineReady ready = Start("8.2").value()->Describe();
  EXPECT_EQ(ready.engine, "trtexec");
  EXPECT_EQ(ready.precision, "fp32");
  EXPECT_THAT(ready.version, HasSubstr("TensorRT 8201"));
  EXPECT_EQ(ready.format, NetworkFormat::kOnnx);
  EXPECT_TRUE(ready.outputs && ready.restarts_per_block && ready.builds);
  EXPECT_EQ(ready.load_seconds, 1800 + 2 * 120);
  EXPECT_THAT(Start("7").value()->Describe().version, HasSubstr("does not say which"));
}

TEST_F(TrtexecEngineTest, EngineFilesAreKeptAndNamedByWhatTheyAreMadeOf) {
  const auto sha_of = [&](int build) {
    const auto engine = Start("8.2").value();
    return engine->Load(LoadOf(onnx_, build)).value()->EngineSha256();
  };
  const std::string first = sha_of(1);
  EXPECT_TRUE(IsSha256Hex(first));
  EXPECT_EQ(sha_of(1), first) << "of another process";
  EXPECT_EQ(Builds().size(), 1u);
  sha_of(2);
  ASSERT_EQ(Builds().size(), 2u);
  EXPECT_THAT(Builds()[0], HasSubstr("--timingCacheFile"));
  EXPECT_THAT(Builds()[1], Not(HasSubstr("--timingCacheFile")))
      << "else it would choose the same kernels";
  onnx_ = WriteStandInOnnx(folder_, "batch=2 side=8 classes=4 ms=0.06");
  EXPECT_NE(sha_of(1), first);
  options_.workspace_mib = 64;
  sha_of(1);
  EXPECT_EQ(Builds().size(), 4u);
}

TEST_F(TrtexecEngineTest, CacheIsBounded) {
  const auto engine = Start("8.2").value();
  for (int i = 0; i < TrtexecEngine::kKeptEngines + 3; ++i) {
    std::ofstream(JoinPath(options_.cache_folder, absl::StrCat(i, ".engine"))) << "x";
  }
  ASSERT_TRUE(engine->Load(LoadOf(onnx_)).ok());
  int left = 0;
  for (const auto& entry : std::filesystem::directory_iterator(options_.cache_folder)) {
    left += entry.path().extension() == ".engine";
  }
  EXPECT_EQ(left, TrtexecEngine::kKeptEngines);
  ASSERT_TRUE(engine->Load(LoadOf(onnx_)).ok());
  EXPECT_EQ(Builds().size(), 1u) << "what was used last stays";
}

TEST_F(TrtexecEngineTest, EngineFileOfAnotherVersionIsBuiltAnew) {
  const auto engine = Start("8.2").value();
  ASSERT_TRUE(engine->Load(LoadOf(onnx_)).ok());
  // TensorRT was updated below a tool that stayed the same.
  for (const auto& entry : std::filesystem::directory_iterator(options_.cache_folder)) {
    if (entry.path().extension() != ".engine") continue;
    const std::string file = ReadFile(entry.path().string()).value();
    ASSERT_TRUE(WriteFileDurably(entry.path().string(), absl::StrReplaceAll(file, {{"8.2", "7"}}))
                    .ok());
  }
  const auto network = engine->Load(LoadOf(onnx_));
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_TRUE((*network)->Run(5).ok());
  EXPECT_EQ(Builds().size(), 2u);
}

TEST_F(TrtexecEngineTest, OutputsAreOfAllPicturesOfTheProbe) {
  const StandInProbe probe = WriteStandInProbe(folder_, 5, 8, 4);
  LoadRequest load = LoadOf(onnx_);
  load.probe = probe.pictures_path;
  const auto outputs = Start("8.2").value()->Load(load).value()->Outputs().value();
  ASSERT_EQ(outputs.size(), 5u) << "two pictures a call, the last one beside the first";
  for (size_t i = 0; i < outputs.size(); ++i) {
    for (size_t c = 0; c < 4; ++c) EXPECT_NEAR(outputs[i][c], probe.outputs[i][c], 1e-5);
  }
  EXPECT_TRUE(absl::IsUnimplemented(
      Start("8.2").value()->Load(LoadOf(onnx_)).value()->Outputs().status()));
}

TEST_F(TrtexecEngineTest, WhatCannotBeSaysWhy) {
  EXPECT_THAT(Start("5").status().ToString(), HasSubstr("TensorRT 6 or newer"));
  options_.precision = "int8";
  EXPECT_TRUE(absl::IsInvalidArgument(Start("8.2").status()));
  options_.precision = "fp32";
  options_.trtexec = "/nonexistent/trtexec";
  EXPECT_THAT(TrtexecEngine::Create(options_).status().ToString(),
              HasSubstr("/nonexistent/trtexec"));
  EXPECT_THAT(Start("8.2").value()->Load(LoadOf("")).status().ToString(),
              HasSubstr("trtexec reads ONNX"));
  EXPECT_TRUE(absl::IsNotFound(Start("8.2").value()->Load(LoadOf("/nonexistent.onnx")).status()));
}

TEST_F(TrtexecEngineTest, OperationThatItDoesNotKnowIsRefused) {
  onnx_ = WriteStandInOnnx(folder_, "batch=2 side=8 classes=4 op=Fancy ms=0.05");
  const absl::Status status = UseOnce("8.2");
  EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
  EXPECT_THAT(status.ToString(), HasSubstr("Fancy"));
  EXPECT_TRUE(UseOnce("8.2", "plugin").ok()) << "a plugin knows it";
}

struct Trouble {
  const char* bad;
  absl::StatusCode code;
  const char* words;
};

class TrtexecTroubleTest : public TrtexecEngineTest,
                           public ::testing::WithParamInterface<Trouble> {};

TEST_P(TrtexecTroubleTest, IsAnErrorAboutTheEngine) {
  const absl::string_view bad = GetParam().bad;
  if (bad == "hang") options_.run_limit = absl::Seconds(5);
  if (bad == "hang-building") options_.build_limit = absl::Seconds(1);
  const absl::Status status = UseOnce("8.2", GetParam().bad);
  EXPECT_EQ(status.code(), GetParam().code) << status;
  EXPECT_THAT(status.ToString(), HasSubstr(GetParam().words));
}

INSTANTIATE_TEST_SUITE_P(
    Troubles, TrtexecTroubleTest,
    ::testing::Values(
        Trouble{"forgets-option", absl::StatusCode::kInvalidArgument, "--exposeDMA"},
        Trouble{"out-of-memory", absl::StatusCode::kResourceExhausted, "out of memory"},
        Trouble{"disk-full", absl::StatusCode::kResourceExhausted, "is the disk full?"},
        Trouble{"crash", absl::StatusCode::kInternal, "signal 11"},
        Trouble{"hang", absl::StatusCode::kDeadlineExceeded, "run within 5s"},
        Trouble{"hang-building", absl::StatusCode::kDeadlineExceeded, "build an engine within 1s"},
        Trouble{"truncated", absl::StatusCode::kInvalidArgument, "no whole JSON"},
        Trouble{"renamed-field", absl::StatusCode::kInvalidArgument, "`endOutMs`"},
        Trouble{"few", absl::StatusCode::kInvalidArgument, "asked for 20 calls"}));

TEST_F(TrtexecEngineTest, FileThatIsNoOnnxIsAnErrorWithItsLastComplaint) {
  onnx_ = JoinPath(folder_, "bad.onnx");
  ASSERT_TRUE(WriteFileDurably(onnx_, "not a model").ok());
  EXPECT_THAT(UseOnce("7").ToString(), HasSubstr("Engine could not be created"));
}

TEST_F(TrtexecEngineTest, OutputThatIsMissingOrNotFiniteIsSeen) {
  const StandInProbe probe = WriteStandInProbe(folder_, 2, 8, 4);
  LoadRequest load = LoadOf(onnx_);
  load.probe = probe.pictures_path;
  EXPECT_THAT(
      Start("8.2", "other-output").value()->Load(load).value()->Outputs().status().ToString(),
      HasSubstr("no `logits`"));
  EXPECT_TRUE(
      std::isnan(Start("8.2", "nan").value()->Load(load).value()->Outputs().value()[0][0]));
}

}  // namespace
}  // namespace squish
