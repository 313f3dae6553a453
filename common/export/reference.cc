#include "common/export/reference.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/weights/safetensors.h"
#include "common/weights/tensors.h"

namespace squish {
namespace {

// Far beyond what a trainer writes.
constexpr int64_t kMaximumPictures = 1024;

std::string PicturesName(int size) { return absl::StrCat("input.", size); }
std::string LogitsName(int size) { return absl::StrCat("logits.", size); }

absl::StatusOr<Tensor> Take(TensorMap& tensors, const std::string& name,
                            const std::vector<int64_t>& shape_behind_count) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) {
    return absl::InvalidArgumentError(absl::StrCat("the reference has no ", name));
  }
  Tensor tensor = std::move(found->second);
  if (tensor.shape.size() != shape_behind_count.size() + 1 ||
      !std::equal(shape_behind_count.begin(), shape_behind_count.end(), tensor.shape.begin() + 1) ||
      tensor.shape[0] < 1 || tensor.shape[0] > kMaximumPictures) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the reference's ", name, " is ", absl::StrJoin(tensor.shape, "×"), ", not N×",
        absl::StrJoin(shape_behind_count, "×"), " with N from 1 to ", kMaximumPictures));
  }
  return tensor;
}

absl::StatusOr<ReferenceOutputs> TakeSize(TensorMap& tensors, int size, const Genome& genome) {
  ReferenceOutputs outputs;
  outputs.size = size;
  SQUISH_ASSIGN_OR_RETURN(
      outputs.pictures, Take(tensors, PicturesName(size), {genome.OutputChannels(0), size, size}));
  SQUISH_ASSIGN_OR_RETURN(outputs.logits, Take(tensors, LogitsName(size), {genome.classes()}));
  if (outputs.pictures.shape[0] != outputs.logits.shape[0]) {
    return absl::InvalidArgumentError(
        absl::StrCat("the reference has ", outputs.pictures.shape[0], " pictures of ", size,
                     " pixels and outputs for ", outputs.logits.shape[0]));
  }
  return outputs;
}

}  // namespace

std::vector<int> ReferenceSizes(int input_size) {
  if (input_size == kSecondReferenceSize) return {input_size};
  return {input_size, kSecondReferenceSize};
}

std::string ReferenceToSafetensors(const std::vector<ReferenceOutputs>& outputs) {
  TensorMap tensors;
  for (const ReferenceOutputs& at_size : outputs) {
    tensors[PicturesName(at_size.size)] = at_size.pictures;
    tensors[LogitsName(at_size.size)] = at_size.logits;
  }
  return SerializeSafetensors({}, ViewOfTensors(tensors));
}

absl::StatusOr<std::vector<ReferenceOutputs>> ReferenceFromSafetensors(absl::string_view file,
                                                                       const Network& network) {
  SQUISH_ASSIGN_OR_RETURN(const SafetensorsView view, ParseSafetensors(file));
  SQUISH_ASSIGN_OR_RETURN(TensorMap tensors, TensorsFromView(view));
  std::vector<ReferenceOutputs> reference;
  for (const int size : ReferenceSizes(network.preprocessing.input_size())) {
    SQUISH_ASSIGN_OR_RETURN(ReferenceOutputs outputs, TakeSize(tensors, size, network.genome));
    reference.push_back(std::move(outputs));
  }
  return reference;
}

}  // namespace squish
