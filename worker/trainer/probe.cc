#include "worker/trainer/probe.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/export/probe.h"
#include "common/torch/numerics.h"
#include "worker/trainer/check_network.h"
#include "worker/trainer/training_reference.h"

namespace squish {
namespace {

constexpr int kMaximumSide = 1024;  // As MeasurementSpec.input_size.

absl::Status CheckProbe(const v1::EngineFilesOrder& order, const Network& network,
                        const DatasetCache& data) {
  SQUISH_RETURN_IF_ERROR(CheckFingerprint(data, order.dataset_fingerprint()));
  SQUISH_RETURN_IF_ERROR(CheckSplit(data, v1::TRAIN));
  if (order.input_size() < 1 || order.input_size() > kMaximumSide) {
    return absl::InvalidArgumentError(absl::StrCat("pictures of ", order.input_size(),
                                                   " pixels a side are wanted; 1 to ",
                                                   kMaximumSide, " can be"));
  }
  return Annotate(CheckNetwork(network, data), "the network");
}

}  // namespace

absl::StatusOr<Probe> RunProbe(const v1::EngineFilesOrder& order, const Network& network,
                               const DatasetCache& data) {
  SQUISH_RETURN_IF_ERROR(CheckProbe(order, network, data));
  SetTorchThreads(1);
  SQUISH_ASSIGN_OR_RETURN(ReferenceOutputs reference,
                          MakeReference(network, data, kProbePictures, order.input_size()));
  std::vector<float>& outputs = reference.logits.values;
  const bool finite = std::all_of(outputs.begin(), outputs.end(),
                                  [](float output) { return std::isfinite(output); });
  if (!finite) std::fill(outputs.begin(), outputs.end(), 0.0f);
  return Probe{ProbePicturesToSafetensors(reference.pictures),
               ProbeOutputsToSafetensors(reference.logits)};
}

}  // namespace squish
