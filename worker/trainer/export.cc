#include "worker/trainer/export.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/export/difference.h"
#include "common/export/handout.h"
#include "common/export/reference.h"
#include "common/torch/numerics.h"
#include "worker/trainer/check_network.h"
#include "worker/trainer/torchscript.h"
#include "worker/trainer/training_reference.h"

namespace squish {
namespace {

constexpr int kPictures = 8;

absl::Status CheckExport(const v1::ExportJob& job, const Network& network,
                         const DatasetCache& data) {
  SQUISH_RETURN_IF_ERROR(CheckFingerprint(data, job.dataset_fingerprint()));
  SQUISH_RETURN_IF_ERROR(CheckSplit(data, v1::TRAIN));
  return Annotate(CheckNetwork(network, data), "the network");
}

void Report(const ProgressReporter& report, double fraction, std::string note) {
  v1::TrainerEvent::Progress progress;
  progress.set_fraction(fraction);
  progress.set_note(std::move(note));
  report(progress);
}

}  // namespace

absl::StatusOr<Exported> RunExport(const v1::ExportJob& job, const Network& network,
                                   const DatasetCache& data, const ProgressReporter& report) {
  SQUISH_RETURN_IF_ERROR(CheckExport(job, network, data));
  SetTorchThreads(1);
  Report(report, 0, "exporting to TorchScript");
  Exported exported;
  SQUISH_ASSIGN_OR_RETURN(exported.torchscript, ToTorchScript(network));
  exported.file.set_name(kTorchScriptFileName);
  exported.file.set_checked_with(LibTorchName());
  const int pictures = std::min(kPictures, data.Count(v1::TRAIN));
  std::vector<ReferenceOutputs> reference;
  for (const int size : ReferenceSizes(network.preprocessing.input_size())) {
    const double fraction = 0.3 + 0.3 * static_cast<double>(reference.size());
    Report(report, fraction, absl::StrCat("comparing TorchScript's outputs at ", size, "×", size));
    SQUISH_ASSIGN_OR_RETURN(ReferenceOutputs expected,
                            MakeReference(network, data, pictures, size));
    SQUISH_ASSIGN_OR_RETURN(const std::vector<float> outputs,
                            RunTorchScript(exported.torchscript, expected.pictures));
    const double difference = LargestDifference(outputs, expected.logits.values);
    if (size == network.preprocessing.input_size()) exported.file.set_difference(difference);
    if (size == kSecondReferenceSize) exported.file.set_difference_at_100(difference);
    reference.push_back(std::move(expected));
  }
  SQUISH_RETURN_IF_ERROR(CheckDifferences(exported.file, network.preprocessing.input_size()));
  exported.file.set_artifact(Sha256Hex(exported.torchscript));
  exported.file.set_bytes(static_cast<int64_t>(exported.torchscript.size()));
  exported.reference = ReferenceToSafetensors(reference);
  return exported;
}

}  // namespace squish
