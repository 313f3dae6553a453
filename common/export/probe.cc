#include "common/export/probe.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/weights/safetensors.h"
#include "common/weights/tensors.h"

namespace squish {
namespace {

constexpr char kPictures[] = "pictures";
constexpr char kOutputs[] = "outputs";

std::string OneTensor(const char* name, const Tensor& tensor) {
  return SerializeSafetensors({}, ViewOfTensors({{name, tensor}}));
}

absl::StatusOr<Tensor> TakeTensor(absl::string_view file, const char* name,
                                  const std::vector<int64_t>& shape) {
  SQUISH_ASSIGN_OR_RETURN(const SafetensorsView view, ParseSafetensors(file));
  SQUISH_ASSIGN_OR_RETURN(TensorMap tensors, TensorsFromView(view));
  const auto found = tensors.find(name);
  if (found == tensors.end()) {
    return absl::InvalidArgumentError(absl::StrCat("there is no tensor '", name, "'"));
  }
  if (found->second.shape != shape) {
    return absl::InvalidArgumentError(absl::StrCat("'", name, "' is ",
                                                   absl::StrJoin(found->second.shape, "×"),
                                                   ", not ", absl::StrJoin(shape, "×")));
  }
  return std::move(found->second);
}

}  // namespace

std::string ProbePicturesToSafetensors(const Tensor& pictures) {
  return OneTensor(kPictures, pictures);
}

std::string ProbeOutputsToSafetensors(const Tensor& outputs) {
  return OneTensor(kOutputs, outputs);
}

absl::StatusOr<ReferenceOutputs> ProbeFromSafetensors(absl::string_view pictures_file,
                                                      absl::string_view outputs_file, int size,
                                                      const Genome& genome) {
  ReferenceOutputs probe;
  probe.size = size;
  absl::StatusOr<Tensor> pictures = TakeTensor(
      pictures_file, kPictures, {kProbePictures, genome.OutputChannels(0), size, size});
  if (!pictures.ok()) return Annotate(pictures.status(), "the probe's pictures");
  absl::StatusOr<Tensor> outputs =
      TakeTensor(outputs_file, kOutputs, {kProbePictures, genome.classes()});
  if (!outputs.ok()) return Annotate(outputs.status(), "the probe's outputs");
  probe.pictures = *std::move(pictures);
  probe.logits = *std::move(outputs);
  return probe;
}

}  // namespace squish
