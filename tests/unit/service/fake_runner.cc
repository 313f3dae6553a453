#include "tests/unit/service/fake_runner.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"

namespace squish {
namespace {

// A number in [0, 1) that follows from the text.
double Fraction(const std::string& text) {
  return static_cast<double>(std::strtoul(Sha256Hex(text).substr(0, 8).c_str(), nullptr, 16)) /
         4294967296.0;
}

// The job without what differs between experiments of one spec, between attempts (from a
// checkpoint on a training ends as it does from its beginning), and without engine files, of
// which no result but themselves follows.
std::string Essence(v1::Job job) {
  job.clear_experiment();
  if (job.has_train()) job.mutable_train()->clear_checkpoint();
  if (job.has_synthesize()) job.mutable_synthesize()->clear_engine_files();
  return job.SerializeAsString();
}

v1::EngineFiles MakeEngineFiles(const v1::EngineFilesOrder& order, const std::string& network,
                                BlobStore& artifacts) {
  v1::EngineFiles files;
  for (const int batch : order.batches()) {
    v1::EngineFiles::Onnx& onnx = *files.add_onnx();
    onnx.set_batch(batch);
    onnx.set_artifact(*artifacts.Put(absl::StrCat("onnx ", batch, network)));
  }
  files.set_probe_pictures(*artifacts.Put(absl::StrCat("pictures ", order.input_size())));
  files.set_probe_outputs(*artifacts.Put(absl::StrCat("outputs", network)));
  return files;
}

void AnswerSynthesis(const v1::Job& job, BlobStore& artifacts, v1::SynthesizeResult& result) {
  const std::string essence = Essence(job);
  result.set_artifact(*artifacts.Put(absl::StrCat("born", essence)));
  result.set_genome_digest(Sha256Hex(absl::StrCat("genome", essence)));
  result.set_architecture_digest(Sha256Hex(absl::StrCat("architecture", essence)));
  result.set_weights_digest(Sha256Hex(absl::StrCat("weights", essence)));
  result.set_parameters(700'000 >> job.key().generation());
  result.set_macs(100 * result.parameters());
  result.set_bytes(4 * result.parameters());
  const v1::SynthesizeJob& work = job.synthesize();
  if (!work.has_engine_files()) return;
  *result.mutable_engine_files() =
      MakeEngineFiles(work.engine_files(), result.artifact(), artifacts);
  if (work.engine_files().ancestor().empty()) return;
  *result.mutable_ancestor_files() =
      MakeEngineFiles(work.engine_files(), work.engine_files().ancestor(), artifacts);
}

void AnswerTraining(const v1::Job& job, BlobStore& artifacts, v1::TrainResult& result) {
  const std::string essence = Essence(job);
  result.set_outcome(v1::TrainResult::TRAINED);
  result.set_artifact(*artifacts.Put(absl::StrCat("trained", essence)));
  result.set_weights_digest(Sha256Hex(absl::StrCat("trained weights", essence)));
  result.set_selection_accuracy(Fraction(absl::StrCat("accuracy", essence)));
  result.set_selection_log_loss(Fraction(absl::StrCat("loss", essence)));
  result.set_images_seen(100);
  result.set_numerics_class("fake");
  if (job.train().strength_images() > 0) {
    result.set_strengths(*artifacts.Put(absl::StrCat("strengths", essence)));
  }
}

void AnswerMeasurement(const v1::Job& job, const v1::RunnerInfo& runner,
                       v1::MeasureResult& result) {
  const v1::MeasureJob& work = job.measure();
  result.set_verdict(v1::MeasureResult::VALID);
  result.set_ratio(1 + Fraction(work.candidate_architecture()));
  result.set_images_per_second(100 * result.ratio());
  result.set_ancestor_images_per_second(100);
  result.set_ratio_half_width(0.01);
  if (work.protocol().profile()) {
    v1::LayerTime& time = *result.add_profile();
    time.set_layer("features.0");
    time.set_milliseconds(1);
  }
  v1::MeasurementSetting& setting = *result.mutable_setting();
  setting.set_device_class(runner.device_class());
  setting.set_engine(runner.engine());
  setting.set_precision("fp32");
  setting.set_batch(work.protocol().batch());
  setting.set_threads(work.protocol().threads());
  setting.set_input_size(work.protocol().input_size());
  setting.set_protocol_version(1);
}

void AnswerEvaluation(const v1::Job& job, BlobStore& artifacts, v1::EvaluateResult& result) {
  const std::string essence = Essence(job);
  const int correct = static_cast<int>(10 * Fraction(absl::StrCat("val", essence)));
  v1::Evaluation& evaluation = *result.mutable_evaluation();
  evaluation.set_images(10);
  for (const int count : {correct, 10 - correct, 0, 0}) evaluation.add_confusion(count);
  evaluation.set_accuracy(correct / 10.0);
  evaluation.set_balanced_accuracy(correct / 20.0);
  evaluation.set_log_loss(Fraction(absl::StrCat("val loss", essence)));
  result.set_predictions(*artifacts.Put(absl::StrCat("predictions", essence)));
  result.set_numerics_class("fake");
}

void AnswerExport(const v1::Job& job, BlobStore& artifacts, v1::ExportResult& result) {
  std::vector<std::string> names = {"model.onnx", "model.pt", "network.safetensors"};
  for (const int batch : job.export_files().batches()) {
    names.push_back(absl::StrCat("model-batch-", batch, ".onnx"));
  }
  for (const std::string& name : names) {
    v1::ExportedFile& file = *result.add_files();
    file.set_name(name);
    file.set_artifact(name == "network.safetensors"
                          ? job.export_files().network()
                          : *artifacts.Put(absl::StrCat(name, Essence(job))));
    file.set_bytes(artifacts.SizeOf(file.artifact()).value_or(0));
    file.set_difference(1e-6);
    file.set_checked_with("nothing");
  }
}

v1::RunnerInfo Info(v1::RunnerInfo::Kind kind, const std::string& id) {
  v1::RunnerInfo info;
  info.set_kind(kind);
  info.set_id(id);
  info.set_incarnation(1);
  info.set_protocol_version(1);
  info.set_slots(1);
  return info;
}

}  // namespace

v1::SynchronizeRequest FakeRunner::Request() const {
  v1::SynchronizeRequest request;
  *request.mutable_runner() = info;
  for (const v1::DatasetReport& report : datasets) *request.add_datasets() = report;
  for (const auto& [id, job] : attempts) request.add_attempts()->set_attempt_id(id);
  for (const v1::AttemptResult& result : spool) *request.add_results() = result;
  return request;
}

void FakeRunner::Take(const v1::SynchronizeResponse& response) {
  last = response;
  for (const std::string& id : response.acknowledged()) {
    std::erase_if(spool, [&id](const auto& result) { return result.attempt_id() == id; });
  }
  std::map<std::string, v1::Job> now;
  for (const v1::Assignment& assignment : response.assignments()) {
    const std::string& id = assignment.attempt_id();
    now[id] = assignment.has_job() ? assignment.job() : attempts.at(id);
  }
  attempts = std::move(now);
  if (keep_datasets) return;
  if (response.datasets_size() > 0) datasets.clear();
  for (const v1::DatasetSpec& spec : response.datasets()) datasets.push_back(ReadyReport(spec));
}

bool FakeRunner::FinishOne(BlobStore& artifacts) {
  if (attempts.empty()) return false;
  Finish(GoodAnswer(attempts.begin()->second, info, artifacts));
  return true;
}

void FakeRunner::Finish(v1::AttemptResult result) {
  const auto& [id, job] = *attempts.begin();
  result.set_attempt_id(id);
  result.set_experiment(job.experiment());
  *result.mutable_key() = job.key();
  spool.push_back(std::move(result));
  attempts.erase(attempts.begin());
}

void FakeRunner::Crash() {
  info.set_incarnation(info.incarnation() + 1);
  attempts.clear();
  waiting = false;
  call = 0;
}

FakeRunner FakeWorker(const std::string& id) {
  FakeRunner runner;
  runner.info = Info(v1::RunnerInfo::WORKER, id);
  return runner;
}

FakeRunner FakeAgent(const std::string& id, const std::string& device_class) {
  FakeRunner runner;
  runner.info = Info(v1::RunnerInfo::AGENT, id);
  runner.info.set_device_class(device_class);
  runner.info.set_engine("torch");
  return runner;
}

v1::DatasetReport ReadyReport(const v1::DatasetSpec& spec) {
  v1::DatasetReport report;
  *report.mutable_spec() = spec;
  report.set_state(v1::DatasetReport::READY);
  v1::DatasetSummary& summary = *report.mutable_summary();
  summary.set_fingerprint(Sha256Hex(spec.name()));
  for (const char* name : {"cat", "dog"}) summary.add_class_names(name);
  summary.set_train_images(80);
  summary.set_selection_images(20);
  summary.set_val_images(10);
  for (int channel = 0; channel < 3; ++channel) {
    summary.add_mean(0.5f);
    summary.add_std(0.25f);
  }
  return report;
}

v1::AttemptResult GoodAnswer(const v1::Job& job, const v1::RunnerInfo& runner,
                             BlobStore& artifacts) {
  v1::AttemptResult result;
  if (job.has_synthesize()) AnswerSynthesis(job, artifacts, *result.mutable_synthesize());
  if (job.has_train()) AnswerTraining(job, artifacts, *result.mutable_train());
  if (job.has_measure()) AnswerMeasurement(job, runner, *result.mutable_measure());
  if (job.has_evaluate()) AnswerEvaluation(job, artifacts, *result.mutable_evaluate());
  if (job.has_export_files()) AnswerExport(job, artifacts, *result.mutable_export_files());
  return result;
}

v1::AttemptResult FailureAnswer(const std::string& message) {
  v1::AttemptResult result;
  result.mutable_failure()->set_code(v1::Failure::CHILD_CRASHED);
  result.mutable_failure()->set_message(message);
  return result;
}

v1::ExperimentSpec SmallSpec() {
  v1::ExperimentSpec spec;
  spec.set_name("small");
  spec.set_generations(2);
  spec.set_offspring(2);
  spec.set_parents(1);
  v1::DatasetSpec& dataset = *spec.mutable_dataset();
  dataset.set_name("shapes");
  dataset.set_input_size(32);
  dataset.mutable_built_in()->set_train_images(100);
  dataset.mutable_built_in()->set_val_images(100);
  spec.mutable_ancestor()->mutable_squeezenet_v1_1();
  spec.mutable_training()->mutable_final()->set_epochs(1);
  return spec;
}

}  // namespace squish
