#include "coordinator/service/result_check.h"

#include <cmath>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/base/text.h"
#include "common/export/difference.h"
#include "common/export/handout.h"
#include "coordinator/service/board_check.h"
#include "google/protobuf/util/message_differencer.h"

namespace squish {
namespace {

using google::protobuf::util::MessageDifferencer;

constexpr size_t kMaximumErrorBytes = 4096;
constexpr size_t kMaximumNameBytes = 512;
constexpr int kMaximumBlocks = 100'000;
constexpr int kMaximumLayers = 10'000;
constexpr int kMaximumBuilds = 16;
// Beyond any network and training; keeps sums of them far from overflow.
constexpr int64_t kMaximumCount = 1'000'000'000'000'000;

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("the runner's result is not usable: ", what));
}

absl::Status CheckDigest(absl::string_view name, absl::string_view digest) {
  if (IsSha256Hex(digest)) return absl::OkStatus();
  return Bad(absl::StrCat(name, " is no SHA-256"));
}

absl::Status CheckUploaded(absl::string_view what, absl::string_view digest,
                           const BlobStore& artifacts) {
  SQUISH_RETURN_IF_ERROR(CheckDigest(what, digest));
  if (artifacts.Use(digest)) return absl::OkStatus();
  return Bad(absl::StrCat("its ", what, " ", digest, " was not uploaded"));
}

absl::Status CheckArtifact(absl::string_view digest, const BlobStore& artifacts) {
  return CheckUploaded("artifact", digest, artifacts);
}

absl::Status CheckNumber(absl::string_view name, double value, double least) {
  if (std::isfinite(value) && value >= least) return absl::OkStatus();
  return Bad(absl::StrCat(name, " is ", value));
}

absl::Status CheckCount(absl::string_view name, int64_t count, int64_t least) {
  if (count >= least && count <= kMaximumCount) return absl::OkStatus();
  return Bad(absl::StrCat(name, " is ", count));
}

absl::Status CheckText(absl::string_view name, absl::string_view text) {
  if (!text.empty() && text.size() <= kMaximumNameBytes &&
      text.find('\n') == absl::string_view::npos) {
    return absl::OkStatus();
  }
  return Bad(absl::StrCat(name, " is empty, too long or has more than one line"));
}

// `of` says whose. `ordered`: the files that are wanted; null: none.
absl::Status CheckEngineFiles(absl::string_view of, const v1::EngineFilesOrder* ordered,
                              const v1::EngineFiles* files, const BlobStore& artifacts) {
  if (ordered == nullptr && files == nullptr) return absl::OkStatus();
  if (ordered == nullptr) return Bad(absl::StrCat("it has ", of, ", which nobody ordered"));
  if (files == nullptr) return Bad(absl::StrCat("it lacks ", of, ", which were ordered"));
  std::set<int> wanted(ordered->batches().begin(), ordered->batches().end());
  for (const v1::EngineFiles::Onnx& onnx : files->onnx()) {
    if (wanted.erase(onnx.batch()) == 0) {
      return Bad(absl::StrCat(of, " have an ONNX file for a batch of ", onnx.batch(),
                              " that was not ordered, or have it twice"));
    }
    SQUISH_RETURN_IF_ERROR(CheckUploaded("ONNX file", onnx.artifact(), artifacts));
  }
  if (!wanted.empty()) {
    return Bad(absl::StrCat(of, " have no ONNX file for a batch of ", *wanted.begin()));
  }
  SQUISH_RETURN_IF_ERROR(CheckUploaded("probe_pictures", files->probe_pictures(), artifacts));
  return CheckUploaded("probe_outputs", files->probe_outputs(), artifacts);
}

absl::Status CheckSynthesis(const v1::SynthesizeJob& work, const v1::SynthesizeResult& result,
                            const BlobStore& artifacts) {
  SQUISH_RETURN_IF_ERROR(CheckArtifact(result.artifact(), artifacts));
  SQUISH_RETURN_IF_ERROR(CheckDigest("genome_digest", result.genome_digest()));
  SQUISH_RETURN_IF_ERROR(CheckDigest("architecture_digest", result.architecture_digest()));
  SQUISH_RETURN_IF_ERROR(CheckDigest("weights_digest", result.weights_digest()));
  SQUISH_RETURN_IF_ERROR(CheckCount("parameters", result.parameters(), 1));
  SQUISH_RETURN_IF_ERROR(CheckCount("macs", result.macs(), 1));
  SQUISH_RETURN_IF_ERROR(CheckCount("synapses", result.synapses(), 0));
  if (result.synapses() > result.parameters()) return Bad("it has more synapses than parameters");
  if (result.bytes() != 4 * result.parameters()) return Bad("bytes are not 4 · parameters");
  const v1::EngineFilesOrder* const ordered =
      work.has_engine_files() ? &work.engine_files() : nullptr;
  SQUISH_RETURN_IF_ERROR(
      CheckEngineFiles("engine files", ordered,
                       result.has_engine_files() ? &result.engine_files() : nullptr, artifacts));
  return CheckEngineFiles("engine files of the ancestor",
                          work.engine_files().ancestor().empty() ? nullptr : ordered,
                          result.has_ancestor_files() ? &result.ancestor_files() : nullptr,
                          artifacts);
}

absl::Status CheckStrengths(const v1::TrainJob& work, const v1::TrainResult& result,
                            const BlobStore& artifacts) {
  const bool wanted =
      work.strength_images() > 0 && result.outcome() == v1::TrainResult::TRAINED;
  if (!wanted) {
    if (result.strengths().empty()) return absl::OkStatus();
    return Bad("it has strengths, which nobody wants of it");
  }
  return CheckUploaded("strengths", result.strengths(), artifacts);
}

absl::Status CheckTraining(const v1::TrainJob& work, const v1::TrainResult& result,
                           const BlobStore& artifacts) {
  SQUISH_RETURN_IF_ERROR(CheckCount("images_seen", result.images_seen(), 0));
  SQUISH_RETURN_IF_ERROR(CheckText("numerics_class", result.numerics_class()));
  SQUISH_RETURN_IF_ERROR(CheckNumber("wall_seconds", result.wall_seconds(), 0));
  SQUISH_RETURN_IF_ERROR(CheckNumber("step_seconds", result.step_seconds(), 0));
  SQUISH_RETURN_IF_ERROR(CheckStrengths(work, result, artifacts));
  if (result.outcome() == v1::TrainResult::DIVERGED) return absl::OkStatus();
  if (result.outcome() != v1::TrainResult::TRAINED) return Bad("it has no outcome");
  SQUISH_RETURN_IF_ERROR(CheckArtifact(result.artifact(), artifacts));
  SQUISH_RETURN_IF_ERROR(CheckDigest("weights_digest", result.weights_digest()));
  SQUISH_RETURN_IF_ERROR(CheckNumber("selection_accuracy", result.selection_accuracy(), 0));
  if (result.selection_accuracy() > 1) return Bad("selection_accuracy is above 1");
  SQUISH_RETURN_IF_ERROR(CheckNumber("selection_log_loss", result.selection_log_loss(), 0));
  return CheckNumber("final_training_loss", result.final_training_loss(), 0);
}

absl::Status CheckSetting(const v1::MeasureJob& work, const v1::MeasurementSetting& setting,
                          const v1::MeasurementSetting* pinned) {
  SQUISH_RETURN_IF_ERROR(CheckText("setting.device_class", setting.device_class()));
  SQUISH_RETURN_IF_ERROR(CheckText("setting.engine", setting.engine()));
  SQUISH_RETURN_IF_ERROR(CheckText("setting.precision", setting.precision()));
  if (!work.device_class().empty() && setting.device_class() != work.device_class()) {
    return Bad(absl::StrCat("it was measured on ", setting.device_class(), ", not on ",
                            work.device_class()));
  }
  const v1::MeasurementSpec& protocol = work.protocol();
  if (setting.batch() != protocol.batch() || setting.threads() != protocol.threads() ||
      setting.input_size() != protocol.input_size()) {
    return Bad("batch, threads or input size are not those of the protocol");
  }
  if (pinned != nullptr && !MessageDifferencer::Equals(setting, *pinned)) {
    return Bad(absl::StrCat("it was measured with ", setting.ShortDebugString(),
                            ", the ancestor with ", pinned->ShortDebugString()));
  }
  return absl::OkStatus();
}

absl::Status CheckProfile(const v1::MeasureJob& work, const v1::MeasureResult& result) {
  if (work.protocol().profile() != !result.profile().empty()) {
    return Bad(work.protocol().profile() ? "it lacks the profile of layers that was wanted"
                                         : "it has a profile of layers that nobody wanted");
  }
  if (result.profile_size() > kMaximumLayers) return Bad("its profile has too many layers");
  double sum = 0;
  std::set<std::string> names;
  for (const v1::LayerTime& time : result.profile()) {
    SQUISH_RETURN_IF_ERROR(CheckText("profile.layer", time.layer()));
    SQUISH_RETURN_IF_ERROR(CheckNumber("profile.milliseconds", time.milliseconds(), 0));
    if (!names.insert(time.layer()).second) {
      return Bad(absl::StrCat("its profile has the layer '", time.layer(), "' twice"));
    }
    sum += time.milliseconds();
  }
  if (!result.profile().empty() && !(sum > 0)) return Bad("its profile has no time in it");
  return absl::OkStatus();
}

// What is shown, and decides nothing.
absl::Status CheckDescription(const v1::MeasureResult& result) {
  const v1::OutputCheck& outputs = result.output_check();
  SQUISH_RETURN_IF_ERROR(CheckNumber("output_check.difference", outputs.difference(), 0));
  SQUISH_RETURN_IF_ERROR(CheckNumber("output_check.tolerance", outputs.tolerance(), 0));
  if (!outputs.note().empty()) {
    SQUISH_RETURN_IF_ERROR(CheckText("output_check.note", outputs.note()));
  }
  if (outputs.outcome() == v1::OutputCheck::DIFFERS) {
    return Bad("it is valid, and its engine's outputs differ from the network's");
  }
  if (result.has_latency()) {
    const v1::CallLatency& latency = result.latency();
    constexpr double kLeast = 1e-12;
    SQUISH_RETURN_IF_ERROR(CheckNumber("latency.p50", latency.p50_milliseconds(), kLeast));
    SQUISH_RETURN_IF_ERROR(
        CheckNumber("latency.p90", latency.p90_milliseconds(), latency.p50_milliseconds()));
    SQUISH_RETURN_IF_ERROR(
        CheckNumber("latency.p99", latency.p99_milliseconds(), latency.p90_milliseconds()));
    SQUISH_RETURN_IF_ERROR(CheckCount("latency.calls", latency.calls(), 1));
  }
  if (result.builds_size() > kMaximumBuilds) return Bad("it has too many builds");
  for (const v1::EngineBuild& build : result.builds()) {
    SQUISH_RETURN_IF_ERROR(CheckNumber("builds.ratio", build.ratio(), 1e-12));
    if (!build.engine_sha256().empty()) {
      SQUISH_RETURN_IF_ERROR(CheckDigest("builds.engine_sha256", build.engine_sha256()));
    }
  }
  SQUISH_RETURN_IF_ERROR(CheckNumber("between_build_spread", result.between_build_spread(), 0));
  return CheckNumber("restart_seconds", result.restart_seconds(), 0);
}

absl::Status CheckMeasurement(const v1::MeasureJob& work, const v1::MeasureResult& result,
                              const v1::MeasurementSetting* pinned) {
  SQUISH_RETURN_IF_ERROR(CheckSetting(work, result.setting(), pinned));
  SQUISH_RETURN_IF_ERROR(CheckNumber("wall_seconds", result.wall_seconds(), 0));
  const absl::Status board = CheckBoard(result.board());
  if (!board.ok()) return Bad(absl::StrCat("of its board, ", board.message()));
  if (result.verdict() == v1::MeasureResult::UNSUPPORTED) return absl::OkStatus();
  if (result.verdict() != v1::MeasureResult::VALID) return Bad("it has no verdict");
  constexpr double kAboveZero = 1e-12;
  SQUISH_RETURN_IF_ERROR(CheckNumber("images_per_second", result.images_per_second(), kAboveZero));
  SQUISH_RETURN_IF_ERROR(CheckNumber("ancestor_images_per_second",
                                     result.ancestor_images_per_second(), kAboveZero));
  SQUISH_RETURN_IF_ERROR(CheckNumber("ratio", result.ratio(), kAboveZero));
  SQUISH_RETURN_IF_ERROR(CheckNumber("ratio_half_width", result.ratio_half_width(), 0));
  if (result.block_images_per_second_size() > kMaximumBlocks ||
      result.ancestor_block_images_per_second_size() > kMaximumBlocks) {
    return Bad("there are too many blocks");
  }
  SQUISH_RETURN_IF_ERROR(CheckDescription(result));
  return CheckProfile(work, result);
}

bool IsFraction(double value) { return value >= 0 && value <= 1; }

absl::Status CheckEvaluation(const v1::EvaluateResult& result, const v1::DatasetSummary& dataset,
                             const BlobStore& artifacts) {
  const v1::Evaluation& evaluation = result.evaluation();
  if (evaluation.images() != dataset.val_images()) {
    return Bad(absl::StrCat("it is of ", evaluation.images(), " images, and val/ has ",
                            dataset.val_images()));
  }
  SQUISH_RETURN_IF_ERROR(CheckNumber("log_loss", evaluation.log_loss(), 0));
  if (!IsFraction(evaluation.accuracy()) || !IsFraction(evaluation.balanced_accuracy())) {
    return Bad("an accuracy is no fraction");
  }
  const int64_t classes = dataset.class_names_size();
  if (evaluation.confusion_size() != classes * classes) {
    return Bad(absl::StrCat("its confusion has ", evaluation.confusion_size(), " counts, not ",
                            classes, " times ", classes));
  }
  int64_t counted = 0, correct = 0;
  for (int i = 0; i < evaluation.confusion_size(); ++i) {
    SQUISH_RETURN_IF_ERROR(CheckCount("a count of its confusion", evaluation.confusion(i), 0));
    counted += evaluation.confusion(i);
    if (i % (classes + 1) == 0) correct += evaluation.confusion(i);
  }
  const double accuracy = static_cast<double>(correct) / evaluation.images();
  if (counted != evaluation.images() || std::abs(accuracy - evaluation.accuracy()) > 1e-9) {
    return Bad("its confusion does not add up to its images and accuracy");
  }
  SQUISH_RETURN_IF_ERROR(CheckText("numerics_class", result.numerics_class()));
  SQUISH_RETURN_IF_ERROR(CheckNumber("wall_seconds", result.wall_seconds(), 0));
  return CheckArtifact(result.predictions(), artifacts);
}

absl::Status CheckFile(const v1::ExportedFile& file, const BlobStore& artifacts) {
  SQUISH_RETURN_IF_ERROR(CheckArtifact(file.artifact(), artifacts));
  const absl::StatusOr<int64_t> size = artifacts.SizeOf(file.artifact());
  if (!size.ok() || *size != file.bytes()) {
    return Bad(absl::StrCat(file.name(), " has another size than it says"));
  }
  for (const double difference : {file.difference(), file.difference_at_100()}) {
    if (!(difference >= 0 && difference <= kMaximumDifference)) {
      return Bad(absl::StrCat("the outputs of ", file.name(), " differ from the network's by ",
                              difference, ", more than ", kMaximumDifference));
    }
  }
  return CheckText("checked_with", file.checked_with());
}

absl::Status CheckExport(const v1::ExportJob& work, const v1::ExportResult& result,
                         const BlobStore& artifacts) {
  SQUISH_RETURN_IF_ERROR(CheckNumber("wall_seconds", result.wall_seconds(), 0));
  // Exactly these: names become those of files on somebody's disk.
  std::set<std::string> wanted = {kNetworkFileName, kTorchScriptFileName, OnnxFileName(0)};
  for (const int batch : work.batches()) wanted.insert(OnnxFileName(batch));
  for (const v1::ExportedFile& file : result.files()) {
    if (wanted.erase(file.name()) == 0) {
      return Bad("a file was not asked for, or is there twice");
    }
    if (file.name() == kNetworkFileName && file.artifact() != work.network()) {
      return Bad(absl::StrCat(file.name(), " is another network"));
    }
    SQUISH_RETURN_IF_ERROR(CheckFile(file, artifacts));
  }
  if (wanted.empty()) return absl::OkStatus();
  return Bad(absl::StrCat(*wanted.begin(), " is missing"));
}

absl::Status CheckContent(const v1::Job& work, const v1::AttemptResult& result,
                          const v1::DatasetSummary& dataset,
                          const v1::MeasurementSetting* pinned, const BlobStore& artifacts) {
  if (result.experiment() != work.experiment() ||
      !MessageDifferencer::Equals(result.key(), work.key())) {
    return Bad("it names another job than its attempt");
  }
  if (work.has_synthesize() && result.has_synthesize()) {
    return CheckSynthesis(work.synthesize(), result.synthesize(), artifacts);
  }
  if (work.has_train() && result.has_train()) {
    return CheckTraining(work.train(), result.train(), artifacts);
  }
  if (work.has_measure() && result.has_measure()) {
    return CheckMeasurement(work.measure(), result.measure(), pinned);
  }
  if (work.has_evaluate() && result.has_evaluate()) {
    return CheckEvaluation(result.evaluate(), dataset, artifacts);
  }
  if (work.has_export_files() && result.has_export_files()) {
    return CheckExport(work.export_files(), result.export_files(), artifacts);
  }
  return Bad("it answers another kind of job");
}

// Of all that its children are made from.
std::string DigestOfTraining(const v1::TrainResult& result) {
  if (result.outcome() == v1::TrainResult::DIVERGED) return "DIVERGED";
  if (result.strengths().empty()) return result.weights_digest();
  Sha256 hash;
  hash.UpdateString(result.weights_digest());
  hash.UpdateString(result.strengths());
  return std::move(hash).HexDigest();
}

std::string DigestOf(const v1::Job& work, const v1::AttemptResult& result) {
  if (result.has_synthesize()) return result.synthesize().artifact();
  if (result.has_evaluate()) {
    return work.evaluate().device() == v1::TrainingSpec::CPU ? result.evaluate().predictions() : "";
  }
  if (result.has_export_files()) {
    Sha256 hash;
    for (const v1::ExportedFile& file : result.export_files().files()) {
      hash.UpdateString(file.name());
      hash.UpdateString(file.artifact());
    }
    return std::move(hash).HexDigest();
  }
  if (!result.has_train() || work.train().device() != v1::TrainingSpec::CPU) return "";
  return DigestOfTraining(result.train());
}

Report Failed(Report::Kind kind, absl::string_view error) {
  return {kind, "", std::string(Utf8Prefix(error, kMaximumErrorBytes))};
}

}  // namespace

Report JudgeResult(const v1::Job& work, const v1::AttemptResult& result,
                   const v1::DatasetSummary& dataset, const v1::MeasurementSetting* setting,
                   const BlobStore& artifacts) {
  if (result.has_failure()) {
    return Failed(Report::Kind::kFailure,
                  absl::StrCat(v1::Failure::Code_Name(result.failure().code()), ": ",
                               result.failure().message()));
  }
  if (work.has_measure() && result.has_measure() &&
      result.measure().verdict() == v1::MeasureResult::INVALID) {
    return Failed(Report::Kind::kInvalidMeasurement,
                  absl::StrCat("invalid measurement: ",
                               absl::StrJoin(result.measure().reasons(), "; ")));
  }
  const absl::Status status = CheckContent(work, result, dataset, setting, artifacts);
  if (!status.ok()) return Failed(Report::Kind::kFailure, std::string(status.message()));
  return {Report::Kind::kResult, DigestOf(work, result), ""};
}

}  // namespace squish
