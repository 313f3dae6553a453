#include "worker/daemon/check_export.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/export/difference.h"
#include "common/export/handout.h"
#include "common/export/probe.h"
#include "worker/daemon/child_events.h"

namespace squish {
namespace {

constexpr absl::string_view kTrainer = "the trainer";
constexpr absl::string_view kExporter = "the exporter";
constexpr size_t kMaximumNameBytes = 512;

bool Bounded(double difference) { return difference >= 0 && difference <= kMaximumDifference; }

absl::Status CheckBytes(absl::string_view who, const v1::ExportedFile& file,
                        const std::string& path) {
  const absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) {
    return Babbled(who, absl::StrCat("there is no ", file.name(), ": ", bytes.status().message()));
  }
  if (Sha256Hex(*bytes) != file.artifact()) {
    return Babbled(who, absl::StrCat(file.name(), " has another digest"));
  }
  if (static_cast<int64_t>(bytes->size()) != file.bytes()) {
    return Babbled(who,
                   absl::StrCat(file.name(), " has ", bytes->size(), " bytes, not ", file.bytes()));
  }
  return absl::OkStatus();
}

absl::Status CheckComparison(absl::string_view who, const v1::ExportedFile& file) {
  if (!Bounded(file.difference()) || !Bounded(file.difference_at_100())) {
    return Babbled(who, absl::StrCat(file.name(), " differs by ", file.difference(), " and ",
                                     file.difference_at_100()));
  }
  const std::string& checked_with = file.checked_with();
  if (checked_with.empty() || checked_with.size() > kMaximumNameBytes ||
      checked_with.find('\n') != std::string::npos) {
    return Babbled(who, absl::StrCat(file.name(), " was checked with nothing that has a name"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckTorchScript(const v1::TrainerRequest& request, const v1::ExportedFile& file) {
  if (file.name() != kTorchScriptFileName) {
    return Babbled(kTrainer, absl::StrCat("a file that is not ", kTorchScriptFileName));
  }
  SQUISH_RETURN_IF_ERROR(CheckBytes(kTrainer, file, request.output_path()));
  SQUISH_RETURN_IF_ERROR(CheckComparison(kTrainer, file));
  const absl::StatusOr<std::string> reference = ReadFile(request.reference_path());
  if (!reference.ok()) {
    return Babbled(kTrainer, absl::StrCat("there is no reference: ", reference.status().message()));
  }
  return absl::OkStatus();
}

absl::Status CheckProbe(const v1::TrainerRequest& request, const Genome& genome,
                        const v1::EngineFiles& files) {
  const absl::StatusOr<std::string> pictures = ReadFile(request.pictures_path());
  const absl::StatusOr<std::string> outputs = ReadFile(request.output_path());
  if (!pictures.ok() || !outputs.ok()) return Babbled(kTrainer, "there is no probe");
  if (Sha256Hex(*pictures) != files.probe_pictures() ||
      Sha256Hex(*outputs) != files.probe_outputs()) {
    return Babbled(kTrainer, "the probe has another digest");
  }
  const absl::Status read =
      ProbeFromSafetensors(*pictures, *outputs, request.probe().input_size(), genome).status();
  return read.ok() ? read : Babbled(kTrainer, read.message());
}

absl::Status CheckOnnxFiles(const v1::ExporterRequest& request,
                            const v1::ExporterEvent::Done& done) {
  const bool for_engines = request.has_engine_files();
  std::set<std::string> wanted;
  if (!for_engines) wanted.insert(OnnxFileName(0));
  for (const int batch :
       for_engines ? request.engine_files().batches() : request.batches()) {
    wanted.insert(OnnxFileName(batch));
  }
  for (const v1::ExportedFile& file : done.files()) {
    // Only then is it a name that a path may be made of.
    if (wanted.erase(file.name()) == 0) return Babbled(kExporter, "a file that nobody asked for");
    SQUISH_RETURN_IF_ERROR(
        CheckBytes(kExporter, file, JoinPath(request.output_folder(), file.name())));
    if (!for_engines) SQUISH_RETURN_IF_ERROR(CheckComparison(kExporter, file));
  }
  if (!wanted.empty()) {
    return Babbled(kExporter, absl::StrCat("it made no ", absl::StrJoin(wanted, ", ")));
  }
  return absl::OkStatus();
}

}  // namespace squish
