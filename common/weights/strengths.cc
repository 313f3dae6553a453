#include "common/weights/strengths.h"

#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/weights/safetensors.h"
#include "common/weights/tensors.h"

namespace squish {
namespace {

std::map<std::string, std::vector<int64_t>> StrengthShapes(const Genome& genome) {
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const int i : genome.convs()) {
    const std::string& name = genome.layer(i).name;
    shapes[TaylorName(name)] = shapes[ActivationName(name)] = {genome.conv(i).filters()};
  }
  return shapes;
}

absl::StatusOr<TensorMap> Read(absl::string_view file, const Genome& genome) {
  SQUISH_ASSIGN_OR_RETURN(const SafetensorsView view, ParseSafetensors(file));
  SQUISH_ASSIGN_OR_RETURN(TensorMap strengths, TensorsFromView(view));
  SQUISH_RETURN_IF_ERROR(CheckStrengths(genome, strengths));
  return strengths;
}

}  // namespace

std::string TaylorName(absl::string_view layer) { return absl::StrCat(layer, ".taylor"); }

std::string ActivationName(absl::string_view layer) { return absl::StrCat(layer, ".activation"); }

absl::Status CheckStrengths(const Genome& genome, const TensorMap& strengths) {
  SQUISH_RETURN_IF_ERROR(CheckTensors(StrengthShapes(genome), strengths));
  for (const auto& [name, tensor] : strengths) {
    for (const float value : tensor.values) {
      if (value >= 0 && std::isfinite(value)) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("tensor ", name, " has the value ", value, ", which is no strength"));
    }
  }
  return absl::OkStatus();
}

std::string SerializeStrengths(const TensorMap& strengths) {
  return SerializeSafetensors({}, ViewOfTensors(strengths));
}

absl::StatusOr<TensorMap> ReadStrengths(absl::string_view file, const Genome& genome) {
  absl::StatusOr<TensorMap> strengths = Read(file, genome);
  if (!strengths.ok()) return Annotate(strengths.status(), "not the genome's strengths");
  return strengths;
}

}  // namespace squish
