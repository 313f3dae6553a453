// The agent without a coordinator: attempts go in, results come out, whatever the
// engine does.
#include "jetson-agent/measure_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <fstream>
#include <map>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "jetson-agent/device_class.h"
#include "tests/support/checkout.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/engine/stand_ins.h"
#include "tests/unit/engine/test_networks.h"
#include "tests/unit/telemetry/machine_trees.h"

namespace squish {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// An attempt whose artifacts are files at hand.
class FakeAttempt : public Attempt {
 public:
  explicit FakeAttempt(v1::Job job) : job_(std::move(job)) {}

  const std::string& id() const override { return id_; }
  const v1::Job& job() const override { return job_; }
  bool cancelled() const override {
    absl::MutexLock lock(&mutex_);
    return cancelled_;
  }
  void OnCancel(std::function<void()> callback) override {
    absl::MutexLock lock(&mutex_);
    callback_ = std::move(callback);
    if (cancelled_ && callback_) callback_();
  }
  void Progress(double fraction, std::string) override {
    EXPECT_GE(fraction, 0);
    EXPECT_LE(fraction, 1);
    if (!progressed_.HasBeenNotified()) progressed_.Notify();
  }
  void OnStop(std::function<void()>) override {}
  void Checkpoint(std::string, const v1::Checkpoint&) override {
    ADD_FAILURE() << "a measurement has none";
  }
  void ResumedAt(double) override { ADD_FAILURE() << "a measurement begins at its beginning"; }
  absl::StatusOr<std::string> Fetch(absl::string_view digest) override {
    if (disk_is_full_) {
      return absl::ResourceExhaustedError("cannot write state/cache: No space left on device");
    }
    const auto found = files_.find(std::string(digest));
    if (found == files_.end()) return absl::NotFoundError(absl::StrCat("no artifact ", digest));
    return found->second;
  }
  absl::StatusOr<std::string> Store(absl::string_view) override {
    return absl::UnimplementedError("an agent stores nothing");
  }

  void Add(const TestNetwork& network) { Add(network.artifact, network.path); }
  void Add(const std::string& artifact, const std::string& path) { files_[artifact] = path; }
  // From now on nothing can be fetched.
  void FillDisk() { disk_is_full_ = true; }
  void Cancel() {
    absl::MutexLock lock(&mutex_);
    cancelled_ = true;
    if (callback_) callback_();
  }
  // After the first group.
  void WaitForProgress() { progressed_.WaitForNotification(); }

 private:
  const std::string id_ = "attempt";
  const v1::Job job_;
  std::map<std::string, std::string> files_;
  bool disk_is_full_ = false;
  absl::Notification progressed_;
  mutable absl::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::function<void()> callback_ ABSL_GUARDED_BY(mutex_);
};

class MeasureExecutorTest : public ::testing::Test {
 protected:
  MeasureExecutorTest()
      : folder_(TemporaryFolder()),
        candidate_(WriteNetwork(folder_, 0.1)),
        ancestor_(WriteNetwork(folder_, 0.2)) {}

  // Short, and content with any spread: the fake engine is no benchmark.
  v1::MeasureJob Job() const {
    v1::MeasureJob job;
    job.set_candidate(candidate_.artifact);
    job.set_ancestor(ancestor_.artifact);
    job.set_candidate_architecture(candidate_.architecture);
    job.set_ancestor_architecture(ancestor_.architecture);
    v1::MeasurementSpec& protocol = *job.mutable_protocol();
    protocol.set_batch(2);
    protocol.set_input_size(64);
    protocol.set_threads(1);
    protocol.set_minimum_seconds(0.02);
    protocol.set_minimum_blocks(2);
    protocol.set_warmup_seconds(0.005);
    protocol.set_maximum_spread(1e9);
    protocol.set_time_limit_seconds(60);
    return job;
  }

  std::unique_ptr<FakeAttempt> AttemptOf(const v1::MeasureJob& measure) const {
    v1::Job job;
    *job.mutable_measure() = measure;
    auto attempt = std::make_unique<FakeAttempt>(job);
    attempt->Add(candidate_);
    attempt->Add(ancestor_);
    return attempt;
  }

  static std::unique_ptr<MeasureExecutor> Start(std::vector<std::string> command,
                                                const std::string& device_class = "") {
    MeasureExecutorOptions options;
    options.engine.child.command = std::move(command);
    options.device_class = device_class;
    auto executor = MeasureExecutor::Create(options, Clock::System());
    EXPECT_TRUE(executor.ok()) << executor.status();
    return executor.ok() ? *std::move(executor) : nullptr;
  }

  // A fake engine that misbehaves once, then never again.
  std::unique_ptr<MeasureExecutor> StartBrokenOnce(const std::string& event,
                                                   const std::string& action) const {
    return Start({TestProgramPath("fake_engine"), event, action,
                  JoinPath(folder_, "marker-" + RandomHex(4))});
  }

  v1::AttemptResult ExecuteJob(MeasureExecutor& executor) const {
    const auto attempt = AttemptOf(Job());
    return executor.Execute(*attempt);
  }

  static int64_t Restarts(MeasureExecutor& executor) {
    v1::RunnerMetrics metrics;
    executor.FillMetrics(metrics);
    return metrics.child_restarts();
  }

  const std::string folder_;
  const TestNetwork candidate_;
  const TestNetwork ancestor_;
};

TEST_F(MeasureExecutorTest, ResultSaysWhatItWasMeasuredOn) {
  const auto executor = Start({TestProgramPath("fake_engine")}, "board-x/1");
  const v1::AttemptResult result = ExecuteJob(*executor);
  ASSERT_TRUE(result.has_measure()) << result.DebugString();
  const v1::MeasureResult& measured = result.measure();
  EXPECT_EQ(measured.verdict(), v1::MeasureResult::VALID) << measured.DebugString();
  EXPECT_GT(measured.images_per_second(), 0);
  EXPECT_GT(measured.ratio(), 0);
  EXPECT_GE(measured.block_images_per_second_size(), 4);
  const v1::MeasurementSetting& setting = measured.setting();
  EXPECT_EQ(setting.device_class(), "board-x/1");
  EXPECT_EQ(setting.engine(), "fake");
  EXPECT_EQ(setting.precision(), "fp32");
  EXPECT_EQ(setting.batch(), 2);
  EXPECT_EQ(setting.threads(), 1);
  EXPECT_EQ(setting.input_size(), 64);
  EXPECT_EQ(setting.protocol_version(), 2);
  EXPECT_FALSE(setting.synthetic());
}

TEST_F(MeasureExecutorTest, ProfileIsThereWhenItIsWanted) {
  const auto executor = Start({TestProgramPath("fake_engine")});
  EXPECT_TRUE(ExecuteJob(*executor).measure().profile().empty());
  v1::MeasureJob job = Job();
  job.mutable_protocol()->set_profile(true);
  const v1::AttemptResult result = executor->Execute(*AttemptOf(job));
  ASSERT_TRUE(result.has_measure()) << result.DebugString();
  ASSERT_EQ(result.measure().profile_size(), 2);
  EXPECT_EQ(result.measure().profile(1).layer(), "classifier.1");
  EXPECT_EQ(result.measure().profile(1).milliseconds(), 0.5);
}

TEST_F(MeasureExecutorTest, EngineThatGivesNoProfileIsNamed) {
  const auto executor = Start({TestProgramPath("fake_engine"), "profile", "unsupported"});
  v1::MeasureJob job = Job();
  job.mutable_protocol()->set_profile(true);
  const v1::AttemptResult result = executor->Execute(*AttemptOf(job));
  EXPECT_THAT(result.failure().message(), HasSubstr("the engine fake gives none"));
}

// --- What jobs bring beside networks ----------------------------------------------

// A job with the probe of fake_engine, whose outputs are of the given number off.
class EngineFilesTest : public MeasureExecutorTest {
 protected:
  EngineFilesTest() : job_(Job()) {
    Logits outputs;
    for (int i = 1; i <= 8; ++i) outputs.push_back({1.0 * i, i + 1.0, i + 2.0});
    SetOutputs(outputs);
    for (v1::EngineFiles* files : {job_.mutable_candidate_files(), job_.mutable_ancestor_files()}) {
      files->set_probe_pictures("pictures");
      files->set_probe_outputs("outputs");
    }
    files_["pictures"] = WriteProbe(folder_, RandomPictures(8, 3, 64));
  }

  void SetOutputs(const Logits& outputs) { files_["outputs"] = WriteOutputs(folder_, outputs); }

  v1::AttemptResult ExecuteWith(MeasureExecutor& executor) {
    const auto attempt = AttemptOf(job_);
    for (const auto& [artifact, path] : files_) attempt->Add(artifact, path);
    return executor.Execute(*attempt);
  }

  // Of a measurement by a fake engine.
  v1::MeasureResult Measured(const std::vector<std::string>& misbehaviour = {}) {
    std::vector<std::string> command = {TestProgramPath("fake_engine")};
    command.insert(command.end(), misbehaviour.begin(), misbehaviour.end());
    const auto executor = Start(command);
    const v1::AttemptResult result = ExecuteWith(*executor);
    EXPECT_TRUE(result.has_measure()) << result.DebugString();
    return result.measure();
  }

  v1::MeasureJob job_;
  std::map<std::string, std::string> files_;
};

TEST_F(EngineFilesTest, OutputsThatAgreeAreRecorded) {
  const v1::MeasureResult measured = Measured();
  EXPECT_EQ(measured.verdict(), v1::MeasureResult::VALID);
  EXPECT_EQ(measured.output_check().outcome(), v1::OutputCheck::AGREES);
  EXPECT_EQ(measured.output_check().tolerance(), 1e-3);
}

TEST_F(EngineFilesTest, WrongEngineMakesTheMeasurementInvalidAndSaysByHowMuch) {
  const v1::MeasureResult measured = Measured({"outputs", "off"});
  EXPECT_EQ(measured.verdict(), v1::MeasureResult::INVALID) << "it is not the network's fault";
  EXPECT_EQ(measured.output_check().outcome(), v1::OutputCheck::DIFFERS);
  EXPECT_NEAR(measured.output_check().difference(), 0.05, 1e-6);
  EXPECT_THAT(measured.reasons(0), HasSubstr("differ from the network's by 0.05"));
}

TEST_F(EngineFilesTest, OutputsThatAreNoNumbersOrTooFewMakeItInvalid) {
  EXPECT_THAT(Measured({"outputs", "not-a-number"}).reasons(0), HasSubstr("not finite"));
  EXPECT_THAT(Measured({"outputs", "too-few"}).reasons(0), HasSubstr("for 7 pictures, not for 8"));
}

TEST_F(EngineFilesTest, EngineIsKeptAfterWrongOutputs) {
  const auto executor = Start({TestProgramPath("fake_engine"), "outputs", "off"});
  EXPECT_TRUE(ExecuteWith(*executor).has_measure());
  EXPECT_TRUE(ExecuteWith(*executor).has_measure());
  EXPECT_EQ(Restarts(*executor), 0);
}

TEST_F(EngineFilesTest, EngineWithoutOutputsIsMeasuredUnchecked) {
  const v1::MeasureResult refused = Measured({"outputs", "unsupported"});
  EXPECT_EQ(refused.verdict(), v1::MeasureResult::VALID);
  EXPECT_EQ(refused.output_check().outcome(), v1::OutputCheck::NOT_CHECKED);
  const v1::MeasureResult silent = Measured({"start", "no-outputs"});
  EXPECT_EQ(silent.verdict(), v1::MeasureResult::VALID);
  EXPECT_THAT(silent.output_check().note(), HasSubstr("the engine fake gives none"));
}

TEST_F(EngineFilesTest, JobWithoutAProbeIsMeasuredUnchecked) {
  job_.clear_candidate_files();
  const v1::MeasureResult measured = Measured();
  EXPECT_EQ(measured.verdict(), v1::MeasureResult::VALID);
  EXPECT_THAT(measured.output_check().note(), HasSubstr("no probe"));
}

TEST_F(EngineFilesTest, OutputsOfOneNetworkAloneAreHalfACheck) {
  job_.mutable_ancestor_files()->clear_probe_outputs();
  EXPECT_THAT(Measured().output_check().note(), HasSubstr("no outputs of the ancestor"));
  EXPECT_EQ(Measured({"outputs", "off"}).verdict(), v1::MeasureResult::INVALID);
}

TEST_F(EngineFilesTest, ZeroReferenceProvesNothingAndSaysSo) {
  SetOutputs(Logits(8, {0, 0, 0}));
  const v1::MeasureResult measured = Measured();
  EXPECT_EQ(measured.verdict(), v1::MeasureResult::VALID);
  EXPECT_EQ(measured.output_check().outcome(), v1::OutputCheck::PROVES_NOTHING);
}

TEST_F(EngineFilesTest, ArtifactThatIsNoProbeIsABadArtifact) {
  files_["outputs"] = files_["pictures"];
  const auto executor = Start({TestProgramPath("fake_engine")});
  const v1::AttemptResult result = ExecuteWith(*executor);
  EXPECT_EQ(result.failure().code(), v1::Failure::BAD_ARTIFACT) << result.DebugString();
  EXPECT_THAT(result.failure().message(), HasSubstr("no tensor `outputs`"));
}

TEST_F(EngineFilesTest, EngineThatWantsOnnxSaysWhenThereIsNone) {
  const v1::MeasureResult measured = Measured({"start", "onnx"});
  EXPECT_EQ(measured.verdict(), v1::MeasureResult::INVALID);
  EXPECT_THAT(measured.reasons(0),
              HasSubstr("the engine fake reads ONNX, and the job has no ONNX file of the candidate "
                        "for a batch of 2"));
}

TEST_F(EngineFilesTest, OnnxOfTheBatchIsHandedOver) {
  for (v1::EngineFiles* files : {job_.mutable_candidate_files(), job_.mutable_ancestor_files()}) {
    for (const int batch : {1, 2}) {
      v1::EngineFiles::Onnx& onnx = *files->add_onnx();
      onnx.set_batch(batch);
      onnx.set_artifact(absl::StrCat("onnx of ", batch));
    }
  }
  files_["onnx of 2"] = files_["pictures"];  // The other is not there: it is not wanted.
  EXPECT_EQ(Measured({"start", "onnx"}).verdict(), v1::MeasureResult::VALID);
}

TEST_F(EngineFilesTest, LatencyIsReportedAtBatch1) {
  EXPECT_FALSE(Measured({"run", "latencies"}).has_latency()) << "the batch is 2";
  job_.mutable_protocol()->set_batch(1);
  const v1::MeasureResult measured = Measured({"run", "latencies"});
  ASSERT_TRUE(measured.has_latency());
  EXPECT_GT(measured.latency().p50_milliseconds(), 0);
  EXPECT_GE(measured.latency().p99_milliseconds(), measured.latency().p50_milliseconds());
  EXPECT_EQ(measured.latency().calls(), measured.block_images_per_second_size())
      << "this engine tells of one call of each block";
  EXPECT_FALSE(Measured().has_latency()) << "this one does not tell";
}

TEST_F(EngineFilesTest, BuildsAreMeasuredApartWhereTheyMatter) {
  job_.set_engine_builds(2);
  EXPECT_TRUE(Measured().builds().empty());
  const v1::MeasureResult measured = Measured({"start", "builds"});
  EXPECT_EQ(measured.verdict(), v1::MeasureResult::VALID) << measured.DebugString();
  ASSERT_EQ(measured.builds_size(), 2);
  EXPECT_EQ(measured.builds(0).engine_sha256(), std::string(64, '1'));
  EXPECT_EQ(measured.builds(1).engine_sha256(), std::string(64, '2'));
  EXPECT_GE(measured.between_build_spread(), 0);
  EXPECT_GE(measured.block_images_per_second_size(), 8) << "two groups of each";
}

TEST_F(EngineFilesTest, TrtexecMeasuresBuildsLatencyAndOutputs) {
  job_.set_engine_builds(2);
  job_.mutable_protocol()->set_batch(1);
  job_.mutable_protocol()->set_input_size(8);
  const StandInProbe probe = WriteStandInProbe(folder_, 2, 8, 4);
  files_["pictures"] = probe.pictures_path;
  SetOutputs(probe.outputs);
  files_["candidate.onnx"] = WriteStandInOnnx(folder_, "batch=1 side=8 classes=4 ms=1 slower=1.25");
  files_["ancestor.onnx"] = WriteStandInOnnx(folder_, "batch=1 side=8 classes=4 ms=2");
  const auto add = [](v1::EngineFiles& files, const std::string& artifact) {
    files.add_onnx()->set_batch(1);
    files.mutable_onnx(0)->set_artifact(artifact);
  };
  add(*job_.mutable_candidate_files(), "candidate.onnx");
  add(*job_.mutable_ancestor_files(), "ancestor.onnx");
  const auto executor =
      Start({ProgramPath("jetson-agent"), "engine", "trtexec", "--trtexec",
             WriteStandInTrtexec(folder_, "8.2", "none"), "--cache", JoinPath(folder_, "cache")});
  const v1::AttemptResult result = ExecuteWith(*executor);
  const v1::MeasureResult& measured = result.measure();
  EXPECT_EQ(measured.verdict(), v1::MeasureResult::VALID) << result.DebugString();
  ASSERT_EQ(measured.builds_size(), 2);
  EXPECT_NEAR(measured.builds(0).ratio(), 2, 0.01);
  EXPECT_NEAR(measured.builds(1).ratio(), 1.6, 0.01) << "this build is slower";
  EXPECT_NEAR(measured.between_build_spread(), 0.25, 0.01);
  EXPECT_NE(measured.builds(0).engine_sha256(), measured.builds(1).engine_sha256());
  EXPECT_EQ(measured.output_check().outcome(), v1::OutputCheck::AGREES)
      << measured.output_check().DebugString();
  EXPECT_TRUE(measured.has_latency());
  EXPECT_GT(measured.restart_seconds(), 0);
  EXPECT_EQ(measured.setting().engine(), "trtexec");
}

TEST_F(MeasureExecutorTest, FullDiskIsAboutTheBoard) {
  const auto executor = Start({TestProgramPath("fake_engine")});
  const auto attempt = AttemptOf(Job());
  attempt->FillDisk();
  const v1::AttemptResult result = executor->Execute(*attempt);
  EXPECT_EQ(result.failure().code(), v1::Failure::LOCAL_RESOURCES) << result.DebugString();
  EXPECT_THAT(result.failure().message(), HasSubstr("No space left on device"));
}

TEST_F(MeasureExecutorTest, NetworkLargerThanMemoryIsNotHeldAgainstIt) {
  // The kernel ends an engine that wants more than there is, or the engine says so.
  for (const char* end : {"crash", "error"}) {
    const auto executor = Start({TestProgramPath("fake_engine"), "load-candidate", end});
    const v1::AttemptResult result = ExecuteJob(*executor);
    EXPECT_TRUE(result.has_failure()) << result.DebugString();
  }
}

TEST_F(MeasureExecutorTest, NetworkWithAnUnknownLayerIsABadArtifact) {
  std::string file = ReadFile(candidate_.path).value();
  // Within the header, so that its length stays.
  const size_t at = file.find("max_pool");
  ASSERT_NE(at, std::string::npos);
  file.replace(at, 8, "hex_pool");
  TestNetwork strange = candidate_;
  strange.artifact = Sha256Hex(file);
  strange.path = JoinPath(folder_, strange.artifact);
  ASSERT_TRUE(WriteFileDurably(strange.path, file).ok());
  const auto executor = Start({TestProgramPath("fake_engine")});
  v1::MeasureJob job = Job();
  job.set_candidate(strange.artifact);
  const auto attempt = AttemptOf(job);
  attempt->Add(strange);
  const v1::AttemptResult result = executor->Execute(*attempt);
  EXPECT_EQ(result.failure().code(), v1::Failure::BAD_ARTIFACT) << result.DebugString();
  EXPECT_THAT(result.failure().message(), HasSubstr("hex_pool"));
}

TEST_F(MeasureExecutorTest, EngineStaysWarmBetweenMeasurements) {
  const auto executor = Start({TestProgramPath("fake_engine")});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(ExecuteJob(*executor).has_measure());
  EXPECT_EQ(Restarts(*executor), 0);
}

TEST_F(MeasureExecutorTest, AncestorIsMeasuredAgainstItself) {
  const auto executor = Start({TestProgramPath("fake_engine")});
  v1::MeasureJob job = Job();
  job.set_candidate(job.ancestor());
  job.set_candidate_architecture(job.ancestor_architecture());
  const auto attempt = AttemptOf(job);
  const v1::AttemptResult result = executor->Execute(*attempt);
  ASSERT_TRUE(result.has_measure()) << result.DebugString();
  EXPECT_EQ(result.measure().verdict(), v1::MeasureResult::VALID);
}

TEST_F(MeasureExecutorTest, RefusedCandidateIsAResult) {
  const auto executor = Start({TestProgramPath("fake_engine"), "load-candidate", "unsupported"});
  const v1::AttemptResult result = ExecuteJob(*executor);
  ASSERT_TRUE(result.has_measure()) << result.DebugString();
  EXPECT_EQ(result.measure().verdict(), v1::MeasureResult::UNSUPPORTED);
  EXPECT_THAT(result.measure().reasons(), ElementsAre("no kernel for layer features.3"));
  EXPECT_EQ(result.measure().setting().engine(), "fake");
}

TEST_F(MeasureExecutorTest, RefusedAncestorIsNotHeldAgainstTheCandidate) {
  const auto executor = Start({TestProgramPath("fake_engine"), "load-ancestor", "unsupported"});
  const v1::AttemptResult result = ExecuteJob(*executor);
  ASSERT_TRUE(result.has_failure()) << result.DebugString();
  EXPECT_THAT(result.failure().message(), HasSubstr("the engine refuses the ancestor"));
}

struct Broken {
  const char* event;
  const char* action;
  v1::Failure::Code code;
};

class BrokenEngineTest : public MeasureExecutorTest, public ::testing::WithParamInterface<Broken> {
};

TEST_P(BrokenEngineTest, CostsOneAttemptAndIsReplaced) {
  const auto executor = StartBrokenOnce(GetParam().event, GetParam().action);
  const v1::AttemptResult first = ExecuteJob(*executor);
  ASSERT_TRUE(first.has_failure()) << first.DebugString();
  EXPECT_EQ(first.failure().code(), GetParam().code) << first.DebugString();
  EXPECT_FALSE(first.failure().message().empty());
  const v1::AttemptResult second = ExecuteJob(*executor);
  EXPECT_TRUE(second.has_measure()) << second.DebugString();
  EXPECT_EQ(Restarts(*executor), 1);
}

INSTANTIATE_TEST_SUITE_P(Engines, BrokenEngineTest,
                         ::testing::Values(Broken{"load", "crash", v1::Failure::CHILD_CRASHED},
                                           Broken{"run", "crash", v1::Failure::CHILD_CRASHED},
                                           Broken{"unload", "exit", v1::Failure::CHILD_CRASHED},
                                           Broken{"run", "babble", v1::Failure::CHILD_BABBLED},
                                           Broken{"run", "flood", v1::Failure::CHILD_BABBLED},
                                           Broken{"run", "more", v1::Failure::CHILD_BABBLED},
                                           Broken{"run", "negative", v1::Failure::CHILD_BABBLED},
                                           Broken{"load", "error", v1::Failure::INTERNAL},
                                           Broken{"run", "error", v1::Failure::INTERNAL}));

TEST_F(MeasureExecutorTest, HangingEngineCostsOneAttempt) {
  MeasureExecutorOptions options;
  options.engine.child.command = {TestProgramPath("fake_engine"), "run", "hang",
                                  JoinPath(folder_, "hung")};
  options.engine.silence_limit = absl::Seconds(2);
  const auto executor = MeasureExecutor::Create(options, Clock::System()).value();
  const v1::AttemptResult first = ExecuteJob(*executor);
  EXPECT_EQ(first.failure().code(), v1::Failure::CHILD_HUNG) << first.DebugString();
  EXPECT_TRUE(ExecuteJob(*executor).has_measure());
}

TEST_F(MeasureExecutorTest, EngineThatDiedWhileIdleIsReplacedUnnoticed) {
  const std::string pid_file = JoinPath(folder_, "pid");
  const auto executor =
      Start({"/bin/sh", "-c",
             absl::StrCat("echo $$ > ", pid_file, "; exec ", TestProgramPath("fake_engine"))});
  EXPECT_TRUE(ExecuteJob(*executor).has_measure());
  pid_t pid = 0;
  std::ifstream(pid_file) >> pid;
  ASSERT_GT(pid, 0);
  ::kill(pid, SIGKILL);
  siginfo_t info;
  ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
  EXPECT_TRUE(ExecuteJob(*executor).has_measure());
  EXPECT_EQ(Restarts(*executor), 1);
}

TEST_F(MeasureExecutorTest, CancellationEndsARunningMeasurement) {
  const auto executor = Start({TestProgramPath("fake_engine")});
  v1::MeasureJob job = Job();
  job.mutable_protocol()->set_minimum_seconds(1e6);
  job.mutable_protocol()->set_minimum_blocks(100'000'000);
  job.mutable_protocol()->set_time_limit_seconds(1e6);
  const auto attempt = AttemptOf(job);
  v1::AttemptResult result;
  std::thread measuring([&] { result = executor->Execute(*attempt); });
  attempt->WaitForProgress();
  attempt->Cancel();
  measuring.join();
  EXPECT_TRUE(result.has_failure()) << result.DebugString();
  EXPECT_TRUE(ExecuteJob(*executor).has_measure());
  attempt->Cancel();
  EXPECT_TRUE(ExecuteJob(*executor).has_measure())
      << "cancelling what is over does not touch the next";
}

TEST_F(MeasureExecutorTest, CancellationEndsAHangingEngineAtOnce) {
  const auto executor = StartBrokenOnce("load", "hang");
  const auto attempt = AttemptOf(Job());
  std::thread canceller([&] { attempt->Cancel(); });
  const absl::Duration start = Clock::System().Steady();
  EXPECT_TRUE(executor->Execute(*attempt).has_failure());
  EXPECT_LT(Clock::System().Steady() - start, absl::Seconds(20)) << "the silence limit is 30 s";
  canceller.join();
}

TEST_F(MeasureExecutorTest, TimeLimitGivesAnInvalidResultWithReasons) {
  const auto executor = Start({TestProgramPath("fake_engine")});
  v1::MeasureJob job = Job();
  // Beyond any engine in that time, however steady or noisy it is.
  job.mutable_protocol()->set_minimum_blocks(100'000'000);
  job.mutable_protocol()->set_minimum_seconds(1e6);
  job.mutable_protocol()->set_time_limit_seconds(0.2);
  const auto attempt = AttemptOf(job);
  const v1::AttemptResult result = executor->Execute(*attempt);
  ASSERT_TRUE(result.has_measure()) << result.DebugString();
  EXPECT_EQ(result.measure().verdict(), v1::MeasureResult::INVALID);
  EXPECT_GE(result.measure().reasons_size(), 2);
}

TEST_F(MeasureExecutorTest, MissingArtifactIsNamed) {
  const auto executor = Start({TestProgramPath("fake_engine")});
  v1::MeasureJob job = Job();
  job.set_ancestor(std::string(64, 'e'));
  const auto attempt = AttemptOf(job);
  const v1::AttemptResult result = executor->Execute(*attempt);
  EXPECT_EQ(result.failure().code(), v1::Failure::BAD_ARTIFACT) << result.DebugString();
  EXPECT_THAT(result.failure().message(), HasSubstr(std::string(64, 'e')));
}

TEST_F(MeasureExecutorTest, ArtifactOfAnotherArchitectureIsRefused) {
  const auto executor = Start({TestProgramPath("fake_engine")});
  v1::MeasureJob job = Job();
  job.set_candidate_architecture(ancestor_.architecture);
  const auto attempt = AttemptOf(job);
  const v1::AttemptResult result = executor->Execute(*attempt);
  EXPECT_EQ(result.failure().code(), v1::Failure::BAD_ARTIFACT) << result.DebugString();
  EXPECT_THAT(result.failure().message(),
              AllOf(HasSubstr(candidate_.architecture), HasSubstr(ancestor_.architecture)));
}

TEST_F(MeasureExecutorTest, JobOfAnotherKindIsRefused) {
  const auto executor = Start({TestProgramPath("fake_engine")});
  v1::Job job;
  job.mutable_train();
  FakeAttempt attempt(job);
  EXPECT_EQ(executor->Execute(attempt).failure().code(), v1::Failure::INTERNAL);
}

TEST_F(MeasureExecutorTest, EngineThatDoesNotStartIsKnownAtOnce) {
  MeasureExecutorOptions options;
  options.engine.child.command = {"/nonexistent/engine"};
  EXPECT_TRUE(absl::IsNotFound(MeasureExecutor::Create(options, Clock::System()).status()));
  options.engine.child.command = {TestProgramPath("fake_engine"), "start", "babble"};
  EXPECT_TRUE(absl::IsDataLoss(MeasureExecutor::Create(options, Clock::System()).status()));
}

TEST_F(MeasureExecutorTest, SimulatedEngineMeasuresAtOnceAndSaysSo) {
  const auto executor = Start({ProgramPath("jetson-agent"), "engine", "simulated"});
  v1::MeasureJob job = Job();
  job.mutable_protocol()->set_minimum_seconds(0.3);
  job.mutable_protocol()->set_minimum_blocks(8);
  job.mutable_protocol()->set_maximum_spread(0.05);
  const auto attempt = AttemptOf(job);
  const v1::AttemptResult result = executor->Execute(*attempt);
  ASSERT_TRUE(result.has_measure()) << result.DebugString();
  EXPECT_EQ(result.measure().verdict(), v1::MeasureResult::VALID);
  EXPECT_NEAR(result.measure().ratio_half_width(), 0, 1e-9);
  EXPECT_EQ(result.measure().setting().device_class(), "simulated-tx1");
  EXPECT_EQ(result.measure().setting().engine(), "simulated");
  EXPECT_TRUE(result.measure().setting().synthetic());
}

TEST_F(MeasureExecutorTest, ReplayGivesTheRecordedSpeedsAndTheirRatio) {
  const std::string csv = JoinPath(folder_, "speeds.csv");
  ASSERT_TRUE(WriteFileDurably(csv, absl::StrCat("architecture_digest,images_per_second\n",
                                                 candidate_.architecture, ",320\n",
                                                 ancestor_.architecture, ",200\n"))
                  .ok());
  const auto executor = Start({ProgramPath("jetson-agent"), "engine", "replay", csv});
  const v1::AttemptResult result = ExecuteJob(*executor);
  ASSERT_TRUE(result.has_measure()) << result.DebugString();
  EXPECT_EQ(result.measure().verdict(), v1::MeasureResult::VALID);
  EXPECT_NEAR(result.measure().images_per_second(), 320, 1e-9);
  EXPECT_NEAR(result.measure().ratio(), 1.6, 1e-12);
  EXPECT_EQ(result.measure().setting().device_class(), "replayed");
  EXPECT_TRUE(result.measure().setting().synthetic());
}

TEST_F(MeasureExecutorTest, ReplayOfAnUnknownArchitectureIsAFailureThatNamesIt) {
  const std::string csv = JoinPath(folder_, "speeds.csv");
  ASSERT_TRUE(WriteFileDurably(csv, "architecture_digest,images_per_second\n").ok());
  const auto executor = Start({ProgramPath("jetson-agent"), "engine", "replay", csv});
  const v1::AttemptResult result = ExecuteJob(*executor);
  ASSERT_TRUE(result.has_failure()) << result.DebugString();
  EXPECT_THAT(result.failure().message(), AllOf(HasSubstr(candidate_.architecture), HasSubstr(csv)));
}

TEST(DeviceClassTest, IsMachineAndProcessor) {
  EXPECT_EQ(DeviceClassFrom("x86_64",
                            "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Intel(R) Xeon(R)  CPU @ "
                            "2.00GHz\nflags\t: a b\n"),
            "host-x86_64/intel-r-xeon-r-cpu-2-00ghz");
  EXPECT_EQ(DeviceClassFrom("aarch64", "processor\t: 0\n"), "host-aarch64/unknown");
  EXPECT_EQ(DeviceClassFrom("x86_64", "model name: ***\n"), "host-x86_64/unknown");
}

v1::BoardInfo Board(const std::string& model, const std::string& l4t) {
  v1::BoardInfo board;
  board.set_model(model);
  board.set_l4t(l4t);
  return board;
}

TEST(DeviceClassTest, OfAJetsonIsModuleAndL4t) {
  EXPECT_EQ(JetsonDeviceClass(Board("NVIDIA Jetson TX1 Developer Kit", "32.7.1")),
            "jetson-tx1/l4t-32.7");
  EXPECT_EQ(JetsonDeviceClass(Board("jetson_tx1", "28.2.0")), "jetson-tx1/l4t-28.2");
  EXPECT_EQ(JetsonDeviceClass(Board("NVIDIA Jetson Nano Developer Kit", "32.7.6")),
            "jetson-nano/l4t-32.7");
  EXPECT_EQ(JetsonDeviceClass(Board("jetson_tx1", "")), "jetson-tx1/l4t-unknown");
  EXPECT_EQ(JetsonDeviceClass(Board("Raspberry Pi 4", "")), "");
  EXPECT_EQ(JetsonDeviceClass(Board("", "32.7.1")), "");
}

TEST(DeviceClassTest, OfThisHostIsByItsFiles) {
  const MachineTree tx1(Tx1OnL4t32());
  EXPECT_EQ(HostDeviceClass(tx1.root(), ReadSoftware(tx1.root())), "jetson-tx1/l4t-32.7");
  const MachineTree pc(Pc());
  EXPECT_THAT(HostDeviceClass(pc.root(), ReadSoftware(pc.root())),
              AllOf(HasSubstr("host-"), HasSubstr("/some-cpu-2-00ghz")));
  const MachineTree empty;
  EXPECT_THAT(HostDeviceClass(empty.root(), {}), HasSubstr("/unknown"));
  EXPECT_TRUE(absl::StartsWith(HostDeviceClass("/", {}), "host-"));
}

TEST_F(MeasureExecutorTest, DeviceClassIsThatOfTheBoardUnlessTheEngineOrAFlagSaysElse) {
  const MachineTree tx1(Tx1OnL4t32());
  MeasureExecutorOptions options;
  options.engine.child.command = {TestProgramPath("fake_engine")};
  options.board.system_root = tx1.root();
  const auto executor = MeasureExecutor::Create(options, Clock::System()).value();
  EXPECT_EQ(executor->device_class(), "jetson-tx1/l4t-32.7");
  EXPECT_EQ(executor->board().cuda(), "10.2.300");
  const v1::AttemptResult result = ExecuteJob(*executor);
  EXPECT_EQ(result.measure().setting().device_class(), "jetson-tx1/l4t-32.7");
  EXPECT_EQ(result.measure().board().info().jetpack(), "4.6.1") << result.DebugString();
  options.device_class = "my-board/1";
  EXPECT_EQ(MeasureExecutor::Create(options, Clock::System()).value()->device_class(),
            "my-board/1");
}

}  // namespace
}  // namespace squish
