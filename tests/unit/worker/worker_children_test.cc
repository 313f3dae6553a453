// A worker with its real children: what they say of real work passes its checks.

#include <map>

#include "absl/strings/str_split.h"
#include "common/base/clock.h"
#include "common/base/sha256.h"
#include "common/export/probe.h"
#include "common/genome/ancestors.h"
#include "common/weights/network.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/checkout.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/worker/fake_attempt.h"
#include "worker/daemon/worker_executor.h"

namespace squish {
namespace {

constexpr int kSide = 32;

class WorkerChildrenTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new std::string(TemporaryFolder());
    ASSERT_TRUE(MakeFolder(JoinPath(*folder_, "artifacts")).ok());
    WorkerOptions options;
    options.state_folder = JoinPath(*folder_, "state");
    ASSERT_TRUE(MakeFolder(options.state_folder).ok());
    options.trainer.command = {ProgramPath("squish-trainer")};
    options.datasets.decoder_command = {ProgramPath("squish-decoder")};
    options.exporter.command = {ProgramPath("squish-exporter")};
    auto executor = WorkerExecutor::Create(options, Clock::System());
    ASSERT_TRUE(executor.ok()) << executor.status();
    executor_ = executor->release();
    // Asking for a data set has it prepared; the fingerprint is in the summary.
    absl::Mutex mutex;
    v1::DatasetReport report;
    const auto look = [&] {
      absl::MutexLock lock(&mutex);
      report = executor_->PrepareDatasets({Shapes()}, {""}).at(0);
    };
    executor_->OnDatasetsChanged(look);
    look();
    {
      absl::MutexLock lock(&mutex);
      const auto ready = [&] { return report.state() != v1::DatasetReport::PREPARING; };
      mutex.Await(absl::Condition(&ready));
    }
    executor_->OnDatasetsChanged({});
    ASSERT_EQ(report.state(), v1::DatasetReport::READY) << report.message();
    summary_ = new v1::DatasetSummary(report.summary());
  }
  static void TearDownTestSuite() {
    delete executor_;
    delete summary_;
    delete folder_;
  }

  static v1::DatasetSpec Shapes() {
    v1::DatasetSpec spec;
    spec.set_name("shapes");
    spec.set_input_size(kSide);
    spec.set_resize(v1::SQUASH);
    spec.mutable_built_in()->set_seed(1);
    spec.mutable_built_in()->set_train_images(100);
    spec.mutable_built_in()->set_val_images(120);
    return spec;
  }

  static std::string PutNetwork() {
    Genome genome = *SqueezeNetV11(10, 0.25);
    TensorMap weights = FreshWeights(genome, 1, 0, 0);
    Network network{std::move(genome),
                    std::move(weights),
                    {summary_->class_names().begin(), summary_->class_names().end()},
                    {}};
    network.preprocessing.set_input_size(kSide);
    *network.preprocessing.mutable_mean() = summary_->mean();
    *network.preprocessing.mutable_std() = summary_->std();
    return FakeAttempt::Put(Artifacts(), network.ToSafetensors());
  }

  static std::string Artifacts() { return JoinPath(*folder_, "artifacts"); }

  static v1::AttemptResult Run(v1::Job job) {
    FakeAttempt attempt(Artifacts(), std::move(job));
    return executor_->Execute(attempt);
  }

  static std::string* folder_;
  static WorkerExecutor* executor_;
  static v1::DatasetSummary* summary_;
};
std::string* WorkerChildrenTest::folder_ = nullptr;
WorkerExecutor* WorkerChildrenTest::executor_ = nullptr;
v1::DatasetSummary* WorkerChildrenTest::summary_ = nullptr;

TEST_F(WorkerChildrenTest, EvaluateWithAnyNumberOfThreadsGivesALineForEachPicture) {
  for (const v1::Split split : {v1::SELECTION, v1::VAL}) {
    for (const int threads : {1, 2}) {
      v1::Job job;
      v1::EvaluateJob& evaluate = *job.mutable_evaluate();
      evaluate.set_network(PutNetwork());
      *evaluate.mutable_dataset() = Shapes();
      evaluate.set_dataset_fingerprint(summary_->fingerprint());
      evaluate.set_split(split);
      evaluate.set_threads(threads);
      evaluate.set_device(v1::TrainingSpec::CPU);
      const v1::AttemptResult result = Run(job);
      ASSERT_TRUE(result.has_evaluate()) << result.DebugString();
      const int images = split == v1::VAL ? 120 : summary_->selection_images();
      EXPECT_EQ(result.evaluate().evaluation().images(), images);
      const auto csv = ReadFile(JoinPath(Artifacts(), result.evaluate().predictions()));
      ASSERT_TRUE(csv.ok()) << csv.status();
      EXPECT_EQ(std::count(csv->begin(), csv->end(), '\n'), images + 1);
    }
  }
}

TEST_F(WorkerChildrenTest, WhatEnginesAreGivenIsTheSameEachTime) {
  v1::Job job;
  job.mutable_key()->set_kind(v1::JobKey::SYNTHESIZE);
  v1::SynthesizeJob& synthesize = *job.mutable_synthesize();
  synthesize.set_seed(3);
  synthesize.mutable_ancestor()->mutable_squeezenet_v1_1()->set_width(0.2);
  *synthesize.mutable_class_names() = summary_->class_names();
  synthesize.set_macs_input_size(48);
  synthesize.mutable_preprocessing()->set_input_size(kSide);
  synthesize.mutable_preprocessing()->set_resize(v1::SQUASH);
  *synthesize.mutable_preprocessing()->mutable_mean() = summary_->mean();
  *synthesize.mutable_preprocessing()->mutable_std() = summary_->std();
  v1::EngineFilesOrder& order = *synthesize.mutable_engine_files();
  order.set_input_size(48);
  for (const int batch : {1, 16}) order.add_batches(batch);
  *order.mutable_dataset() = Shapes();
  order.set_dataset_fingerprint(summary_->fingerprint());
  const v1::AttemptResult first = Run(job), second = Run(job);
  ASSERT_TRUE(first.has_synthesize()) << first.DebugString();
  EXPECT_EQ(first.SerializeAsString(), second.SerializeAsString());

  const auto read = [](const std::string& digest) {
    return ReadFile(JoinPath(Artifacts(), digest)).value_or("");
  };
  const v1::EngineFiles& files = first.synthesize().engine_files();
  ASSERT_EQ(files.onnx_size(), 2);
  for (const v1::EngineFiles::Onnx& onnx : files.onnx()) {
    EXPECT_GT(static_cast<int64_t>(read(onnx.artifact()).size()), first.synthesize().bytes());
  }
  const auto network = Network::FromSafetensors(read(first.synthesize().artifact()));
  ASSERT_TRUE(network.ok()) << network.status();
  const auto probe = ProbeFromSafetensors(read(files.probe_pictures()),
                                          read(files.probe_outputs()), 48, network->genome);
  EXPECT_TRUE(probe.ok()) << probe.status();
}

TEST_F(WorkerChildrenTest, ExportsAreTheSameFilesEachTime) {
  v1::Job job;
  v1::ExportJob& files = *job.mutable_export_files();
  files.set_network(PutNetwork());
  *files.mutable_dataset() = Shapes();
  files.set_dataset_fingerprint(summary_->fingerprint());
  files.add_batches(1);
  files.add_batches(4);
  std::vector<std::map<std::string, std::string>> artifacts(2);
  for (auto& by_name : artifacts) {
    const v1::AttemptResult result = Run(job);
    ASSERT_TRUE(result.has_export_files()) << result.DebugString();
    for (const v1::ExportedFile& file : result.export_files().files()) {
      by_name[file.name()] = file.artifact();
      const auto stored = ReadFile(JoinPath(Artifacts(), file.artifact()));
      ASSERT_TRUE(stored.ok()) << stored.status();
      EXPECT_EQ(file.bytes(), static_cast<int64_t>(stored->size()));
      EXPECT_FALSE(file.checked_with().empty());
    }
  }
  std::vector<std::string> names;
  for (const auto& [name, artifact] : artifacts[0]) names.push_back(name);
  EXPECT_THAT(names, testing::ElementsAre("model-batch-1.onnx", "model-batch-4.onnx", "model.onnx",
                                          "model.pt", "network.safetensors"));
  EXPECT_EQ(artifacts[0], artifacts[1]);
}

}  // namespace
}  // namespace squish
