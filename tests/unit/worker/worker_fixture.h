// Folders, jobs and executors that the tests of the worker share.
#ifndef SQUISH_TESTS_UNIT_WORKER_WORKER_FIXTURE_H_
#define SQUISH_TESTS_UNIT_WORKER_WORKER_FIXTURE_H_

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/genome/ancestors.h"
#include "common/genome/cost.h"
#include "common/weights/network.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/checkout.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/worker/fake_attempt.h"
#include "tests/unit/worker/fake_behaviour.h"
#include "worker/daemon/worker_executor.h"

namespace squish {

// What a child is told to do wrong, and the failure that comes of it.
struct Misbehaviour {
  const char* name;
  uint64_t behaviour;
  v1::Failure::Code code;
  const char* message;  // A part of it.
};
inline constexpr v1::Failure::Code kBabbled = v1::Failure::CHILD_BABBLED;

inline std::string NameOfMisbehaviour(const testing::TestParamInfo<Misbehaviour>& info) {
  return info.param.name;
}

inline void ExpectFailure(const v1::AttemptResult& result, const Misbehaviour& of) {
  ASSERT_TRUE(result.has_failure()) << result.DebugString();
  EXPECT_EQ(result.failure().code(), of.code) << result.DebugString();
  EXPECT_THAT(result.failure().message(), testing::HasSubstr(of.message));
}

class WorkerFixture : public testing::Test {
 protected:
  WorkerFixture() {
    for (const char* name : {"artifacts", "data", "state"}) {
      EXPECT_TRUE(MakeFolder(Path(name)).ok());
    }
    EXPECT_TRUE(WriteFileDurably(Path("data/content"), "pictures").ok());
  }

  std::string Path(absl::string_view name) const { return JoinPath(folder_, name); }

  static v1::DatasetSpec Pictures() {
    v1::DatasetSpec spec;
    spec.set_name("pictures");
    spec.set_input_size(32);
    spec.mutable_cifar10();
    return spec;
  }
  static std::string Fingerprint() { return Sha256Hex("pictures"); }

  static Network TwoClasses() {
    Genome genome = *SqueezeNetV11(2, 0.1);
    TensorMap weights = FreshWeights(genome, 1, 0, 0);
    v1::Preprocessing preprocessing;
    preprocessing.set_input_size(32);
    preprocessing.set_resize(v1::SQUASH);
    for (int i = 0; i < 3; ++i) {
      preprocessing.add_mean(0.5f);
      preprocessing.add_std(0.25f);
    }
    return {std::move(genome), std::move(weights), {"cat", "dog"}, std::move(preprocessing)};
  }

  std::string PutArtifact(const std::string& bytes) const {
    return FakeAttempt::Put(Path("artifacts"), bytes);
  }

  v1::Job TrainJob(uint64_t behaviour) const {
    v1::Job job;
    v1::TrainJob& train = *job.mutable_train();
    train.set_network(PutArtifact(TwoClasses().ToSafetensors()));
    *train.mutable_dataset() = Pictures();
    train.set_dataset_fingerprint(Fingerprint());
    train.set_seed(behaviour);
    train.set_threads(1);
    train.set_device(v1::TrainingSpec::CPU);
    train.set_strength_images(8);
    return job;
  }

  v1::Job EvaluateJob(uint64_t behaviour, v1::Split split = v1::VAL) const {
    v1::Job job;
    v1::EvaluateJob& evaluate = *job.mutable_evaluate();
    evaluate.set_network(PutArtifact(TwoClasses().ToSafetensors()));
    *evaluate.mutable_dataset() = Pictures();
    evaluate.set_dataset_fingerprint(Fingerprint());
    evaluate.set_split(split);
    evaluate.set_threads(static_cast<int>(behaviour));
    evaluate.set_device(v1::TrainingSpec::CPU);
    return job;
  }

  v1::Job ExportJob(uint64_t trainer, uint64_t exporter) const {
    v1::Job job;
    v1::ExportJob& files = *job.mutable_export_files();
    files.set_network(PutArtifact(TwoClasses().ToSafetensors()));
    *files.mutable_dataset() = Pictures();
    files.set_dataset_fingerprint(Fingerprint());
    files.add_batches(static_cast<int>(trainer));
    files.add_batches(static_cast<int>(exporter));
    return job;
  }

  v1::Job AncestorJob() const {
    v1::Job job;
    v1::SynthesizeJob& synthesize = *job.mutable_synthesize();
    synthesize.set_seed(3);
    synthesize.mutable_ancestor()->mutable_squeezenet_v1_1()->set_width(0.1);
    synthesize.add_class_names("cat");
    synthesize.add_class_names("dog");
    synthesize.set_macs_input_size(32);
    *synthesize.mutable_preprocessing() = TwoClasses().preprocessing;
    job.mutable_key()->set_kind(v1::JobKey::SYNTHESIZE);
    return job;
  }

  v1::Job ChildJob() const {
    const Network parent = TwoClasses();
    v1::Job job = AncestorJob();
    job.mutable_key()->set_generation(1);
    v1::SynthesizeJob& synthesize = *job.mutable_synthesize();
    synthesize.clear_ancestor();
    v1::ParentNetwork& named = *synthesize.add_parents();
    named.mutable_name()->set_generation(0);
    named.mutable_name()->set_index(4);
    named.set_artifact(PutArtifact(parent.ToSafetensors()));
    synthesize.mutable_synthesis()->set_selectivity(1.0);
    synthesize.mutable_synthesis()->set_truncation(0.0);
    synthesize.mutable_synthesis()->set_inheritance(v1::SynthesisSpec::INHERIT);
    synthesize.mutable_synthesis()->set_minimum_filters(1);
    synthesize.mutable_synthesis()->set_filter_multiple(1);
    synthesize.mutable_synthesis()->set_strength(v1::SynthesisSpec::L1);
    synthesize.mutable_synthesis()->set_ranking(v1::SynthesisSpec::LAYER);
    synthesize.mutable_synthesis()->set_mates(1);
    synthesize.set_strategy(v1::ExperimentSpec::EVOLUTION);
    synthesize.mutable_environment()->set_resource_factor(0.8);
    synthesize.mutable_environment()->set_calibration(v1::EnvironmentSpec::BUDGET);
    synthesize.mutable_environment()->set_resource(v1::EnvironmentSpec::PARAMETERS);
    synthesize.set_target_budget(0.8 * CountParameters(parent.genome));
    return job;
  }

  // The ancestor with what engines are given beside it.
  v1::Job OrderingJob(uint64_t trainer, uint64_t exporter) const {
    v1::Job job = AncestorJob();
    v1::EngineFilesOrder& order = *job.mutable_synthesize()->mutable_engine_files();
    order.set_input_size(24);
    order.add_batches(static_cast<int>(trainer));
    order.add_batches(static_cast<int>(exporter));
    *order.mutable_dataset() = Pictures();
    order.set_dataset_fingerprint(Fingerprint());
    return job;
  }

  WorkerOptions Options() const {
    WorkerOptions options;
    options.state_folder = Path("state");
    options.trainer.command = {TestProgramPath("fake_trainer")};
    options.datasets.decoder_command = {TestProgramPath("fake_decoder")};
    options.exporter.command = {TestProgramPath("fake_exporter")};
    options.datasets.sources["pictures"] = Path("data");
    return options;
  }

  std::unique_ptr<WorkerExecutor> MakeExecutor(WorkerOptions options) {
    auto executor = WorkerExecutor::Create(std::move(options), Clock::System());
    EXPECT_TRUE(executor.ok()) << executor.status();
    return *std::move(executor);
  }

  // Runs a job that nothing happens to.
  v1::AttemptResult Run(JobExecutor& executor, v1::Job job) {
    FakeAttempt attempt(Path("artifacts"), std::move(job));
    return executor.Execute(attempt);
  }

  // What was left on its way.
  int FilesAtWork() const {
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(Path("state/work"))) {
      const auto extension = entry.path().extension();
      files += extension == ".safetensors" || extension == ".strengths" || extension == ".csv" ||
               extension == ".checkpoints" || extension == ".export" || extension == ".engine";
    }
    return files;
  }

  const std::string folder_ = TemporaryFolder();
};

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_WORKER_WORKER_FIXTURE_H_
