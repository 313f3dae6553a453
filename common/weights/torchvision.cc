#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/genome/ancestors.h"
#include "common/weights/network.h"
#include "common/weights/safetensors.h"
#include "common/weights/tensors.h"

namespace squish {
namespace {

constexpr char kHeadWeight[] = "classifier.1.weight";

// The head has as many filters as there are classes.
absl::StatusOr<Genome> ImpliedGenome(const SafetensorsView& view) {
  const auto head = view.tensors.find(kHeadWeight);
  if (head == view.tensors.end()) {
    return absl::InvalidArgumentError(absl::StrCat("tensor ", kHeadWeight, " is missing"));
  }
  const int64_t classes = head->second.shape.empty() ? 0 : head->second.shape[0];
  if (classes < 2 || classes > 10'000) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor ", kHeadWeight, " has ", classes, " filters, not 2 to 10000 classes"));
  }
  return SqueezeNetV11(static_cast<int>(classes));
}

absl::StatusOr<ImportedNetwork> Import(const SafetensorsView& view) {
  SQUISH_ASSIGN_OR_RETURN(Genome genome, ImpliedGenome(view));
  SQUISH_ASSIGN_OR_RETURN(TensorMap weights, TensorsFromView(view));
  SQUISH_RETURN_IF_ERROR(CheckWeights(genome, weights));
  return ImportedNetwork{std::move(genome), std::move(weights)};
}

}  // namespace

absl::StatusOr<ImportedNetwork> ImportTorchvisionSqueezeNet(absl::string_view file) {
  SQUISH_ASSIGN_OR_RETURN(const SafetensorsView view, ParseSafetensors(file));
  absl::StatusOr<ImportedNetwork> network = Import(view);
  if (!network.ok()) return Annotate(network.status(), "not torchvision's SqueezeNet v1.1");
  return network;
}

}  // namespace squish
