#include "benchmarks/swarm/answers.h"

#include <cstdlib>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/sha256.h"
#include "common/export/handout.h"
#include "google/protobuf/unknown_field_set.h"

namespace squish {
namespace {

constexpr int kParameters = 724'000;
constexpr int kUnknownField = 15'000;
constexpr int kClasses = 2;
constexpr int kValImages = 10;

// Of one job, for all that makes individuals differ.
std::string DigestFor(absl::string_view what, const v1::Job& job) {
  return Sha256Hex(absl::StrCat(what, " ", job.experiment(), " ", job.key().generation(), ":",
                                job.key().index()));
}

// A number in [0, 1) that follows from a digest.
double Fraction(const std::string& digest) {
  return static_cast<double>(std::strtoul(digest.substr(0, 8).c_str(), nullptr, 16)) / 0x1p32;
}

v1::EngineFiles MakeEngineFiles(const v1::EngineFilesOrder& order, const StandIn& stand_in) {
  v1::EngineFiles files;
  for (const int batch : order.batches()) {
    v1::EngineFiles::Onnx& onnx = *files.add_onnx();
    onnx.set_batch(batch);
    onnx.set_artifact(stand_in.digest);
  }
  files.set_probe_pictures(stand_in.digest);
  files.set_probe_outputs(stand_in.digest);
  return files;
}

void AnswerSynthesis(const v1::Job& job, const StandIn& stand_in, v1::SynthesizeResult& result) {
  result.set_artifact(stand_in.digest);
  result.set_genome_digest(DigestFor("genome", job));
  result.set_architecture_digest(DigestFor("architecture", job));
  result.set_weights_digest(DigestFor("weights", job));
  result.set_parameters(kParameters);
  result.set_macs(100 * result.parameters());
  result.set_bytes(4 * result.parameters());
  result.set_synapses(result.parameters());
  if (job.synthesize().has_engine_files()) {
    *result.mutable_engine_files() = MakeEngineFiles(job.synthesize().engine_files(), stand_in);
  }
}

void AnswerTraining(const v1::Job& job, const StandIn& stand_in, v1::TrainResult& result) {
  const std::string digest = DigestFor("trained", job);
  result.set_outcome(v1::TrainResult::TRAINED);
  result.set_artifact(stand_in.digest);
  result.set_weights_digest(digest);
  result.set_selection_accuracy(Fraction(digest));
  result.set_selection_log_loss(1 - Fraction(digest));
  result.set_images_seen(100);
  result.set_numerics_class("swarm, nothing computed");
  if (job.train().strength_images() > 0) result.set_strengths(stand_in.digest);
}

void AnswerMeasurement(const v1::Job& job, const v1::RunnerInfo& runner,
                       v1::MeasureResult& result) {
  const v1::MeasureJob& work = job.measure();
  result.set_verdict(v1::MeasureResult::VALID);
  result.set_ratio(1 + Fraction(work.candidate_architecture()));
  result.set_images_per_second(100 * result.ratio());
  result.set_ancestor_images_per_second(100);
  result.set_ratio_half_width(0.01);
  // Not said to be synthetic, though it is: such measurements are not cached, and the
  // cache's rows are among what a lifecycle costs. This population is thrown away.
  v1::MeasurementSetting& setting = *result.mutable_setting();
  setting.set_device_class(runner.device_class());
  setting.set_engine(runner.engine());
  setting.set_precision("fp32");
  setting.set_batch(work.protocol().batch());
  setting.set_threads(work.protocol().threads());
  setting.set_input_size(work.protocol().input_size());
  setting.set_protocol_version(1);
}

void AnswerEvaluation(const StandIn& stand_in, v1::EvaluateResult& result) {
  v1::Evaluation& evaluation = *result.mutable_evaluation();
  evaluation.set_images(kValImages);
  for (int i = 0; i < kClasses * kClasses; ++i) evaluation.add_confusion(i == 0 ? kValImages : 0);
  evaluation.set_accuracy(1);
  evaluation.set_balanced_accuracy(1.0 / kClasses);
  result.set_predictions(stand_in.digest);
  result.set_numerics_class("swarm, nothing computed");
}

void AnswerExport(const v1::Job& job, const StandIn& stand_in, v1::ExportResult& result) {
  std::set<std::string> names = {kNetworkFileName, kTorchScriptFileName, OnnxFileName(0)};
  for (const int batch : job.export_files().batches()) names.insert(OnnxFileName(batch));
  for (const std::string& name : names) {
    v1::ExportedFile& file = *result.add_files();
    file.set_name(name);
    file.set_artifact(stand_in.digest);
    file.set_bytes(stand_in.bytes);
    file.set_checked_with("nothing");
  }
}

}  // namespace

v1::ExperimentSpec SwarmSpec(absl::string_view name, int generations, int offspring) {
  v1::ExperimentSpec spec;
  spec.set_name(std::string(name));
  spec.set_generations(generations);
  spec.set_offspring(offspring);
  spec.set_parents(offspring < 4 ? 1 : 4);
  v1::DatasetSpec& dataset = *spec.mutable_dataset();
  dataset.set_name("shapes");
  dataset.set_input_size(32);
  dataset.mutable_built_in()->set_train_images(100);
  dataset.mutable_built_in()->set_val_images(100);
  spec.mutable_ancestor()->mutable_squeezenet_v1_1();
  // The size stays, so that the path is one for any number of generations.
  spec.mutable_environment()->set_resource_factor(1);
  spec.mutable_training()->mutable_final()->set_epochs(1);
  return spec;
}

v1::RunnerInfo SwarmRunner(v1::RunnerInfo::Kind kind, int number) {
  v1::RunnerInfo info;
  info.set_kind(kind);
  const bool is_worker = kind == v1::RunnerInfo::WORKER;
  info.set_id(absl::StrFormat("swarm-%s-%05d", is_worker ? "worker" : "agent", number));
  info.set_incarnation(1);
  info.set_protocol_version(1);
  info.set_version("swarm");
  info.set_host("swarm");
  info.set_slots(1);
  if (!is_worker) {
    info.set_device_class("swarm/none");
    info.set_engine("swarm");
  }
  return info;
}

v1::DatasetReport SwarmDataset(const v1::DatasetSpec& spec) {
  v1::DatasetReport report;
  *report.mutable_spec() = spec;
  report.set_state(v1::DatasetReport::READY);
  v1::DatasetSummary& summary = *report.mutable_summary();
  summary.set_fingerprint(Sha256Hex(spec.name()));
  for (int c = 0; c < kClasses; ++c) summary.add_class_names(absl::StrCat("class-", c));
  summary.set_train_images(80);
  summary.set_selection_images(20);
  summary.set_val_images(kValImages);
  for (int channel = 0; channel < 3; ++channel) {
    summary.add_mean(0.5f);
    summary.add_std(0.25f);
  }
  return report;
}

v1::AttemptResult AnswerJob(const v1::Job& job, const v1::RunnerInfo& runner,
                            const StandIn& stand_in) {
  v1::AttemptResult result;
  result.set_experiment(job.experiment());
  *result.mutable_key() = job.key();
  if (job.has_synthesize()) AnswerSynthesis(job, stand_in, *result.mutable_synthesize());
  if (job.has_train()) AnswerTraining(job, stand_in, *result.mutable_train());
  if (job.has_measure()) AnswerMeasurement(job, runner, *result.mutable_measure());
  if (job.has_evaluate()) AnswerEvaluation(stand_in, *result.mutable_evaluate());
  if (job.has_export_files()) AnswerExport(job, stand_in, *result.mutable_export_files());
  return result;
}

void PadResult(int bytes, v1::AttemptResult& result) {
  // Its tag takes three bytes, its length one or two.
  const auto left = bytes - static_cast<int>(result.ByteSizeLong()) - 3;
  if (left < 2) return;
  const int header = left < 129 ? 1 : 2;
  result.GetReflection()->MutableUnknownFields(&result)->AddLengthDelimited(
      kUnknownField, std::string(static_cast<size_t>(left - header), 'x'));
}

}  // namespace squish
