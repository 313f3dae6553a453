#include "common/weights/tensors.h"

#include <bit>
#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"

namespace squish {
namespace {

absl::string_view BytesOf(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

bool AllFinite(const std::vector<float>& values) {
  constexpr uint32_t kExponent = 0x7F800000;  // All ones: infinity or NaN.
  bool finite = true;
  for (const float value : values) {
    finite &= (std::bit_cast<uint32_t>(value) & kExponent) != kExponent;
  }
  return finite;
}

absl::Status Refuse(absl::string_view name, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("tensor ", absl::Utf8SafeCEscape(name.substr(0, 128)), " ", why));
}

std::string Show(const std::vector<int64_t>& shape) {
  std::string text;
  for (const int64_t side : shape) absl::StrAppend(&text, text.empty() ? "" : "×", side);
  return text;
}

size_t Product(const std::vector<int64_t>& shape) {
  size_t product = 1;
  for (const int64_t side : shape) product *= static_cast<size_t>(side);
  return product;
}

}  // namespace

absl::StatusOr<TensorMap> TensorsFromView(const SafetensorsView& view) {
  TensorMap tensors;
  for (const auto& [name, source] : view.tensors) {
    if (source.dtype != "F32") return Refuse(name, absl::StrCat("is ", source.dtype, ", not F32"));
    Tensor& tensor = tensors[name];
    tensor.shape = source.shape;
    tensor.values.resize(source.bytes.size() / sizeof(float));
    // The bytes may lie at any address; where there are none, at none.
    if (!source.bytes.empty()) {
      std::memcpy(tensor.values.data(), source.bytes.data(), source.bytes.size());
    }
    if (!AllFinite(tensor.values)) return Refuse(name, "has a value that is not finite");
  }
  return tensors;
}

std::map<std::string, TensorView> ViewOfTensors(const TensorMap& weights) {
  std::map<std::string, TensorView> view;
  for (const auto& [name, tensor] : weights) {
    view[name] = TensorView{"F32", tensor.shape, BytesOf(tensor.values)};
  }
  return view;
}

std::string WeightsDigest(const TensorMap& weights) {
  Sha256 hash;
  for (const auto& [name, tensor] : weights) {
    hash.UpdateString(name);
    hash.UpdateUint64(tensor.shape.size());
    for (const int64_t side : tensor.shape) hash.UpdateUint64(static_cast<uint64_t>(side));
    hash.UpdateString(BytesOf(tensor.values));
  }
  return std::move(hash).HexDigest();
}

std::map<std::string, std::vector<int64_t>> TensorShapes(const Genome& genome) {
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const int i : genome.convs()) {
    const Conv2d& conv = genome.conv(i);
    const std::string& name = genome.layer(i).name;
    shapes[name + ".weight"] = {conv.filters(), genome.InputChannels(i), conv.kernel, conv.kernel};
    shapes[name + ".bias"] = {conv.filters()};
  }
  return shapes;
}

absl::Status CheckTensors(const std::map<std::string, std::vector<int64_t>>& shapes,
                          const TensorMap& tensors) {
  for (const auto& [name, shape] : shapes) {
    const auto found = tensors.find(name);
    if (found == tensors.end()) return Refuse(name, "is missing");
    const Tensor& tensor = found->second;
    if (tensor.shape != shape) {
      return Refuse(name,
                    absl::StrCat("is ", Show(tensor.shape), "; the genome's is ", Show(shape)));
    }
    if (tensor.values.size() != Product(shape)) {
      return Refuse(name, absl::StrCat("has ", tensor.values.size(), " values for ", Show(shape)));
    }
  }
  for (const auto& [name, tensor] : tensors) {
    if (shapes.count(name) == 0) return Refuse(name, "belongs to no layer of the genome");
  }
  return absl::OkStatus();
}

absl::Status CheckWeights(const Genome& genome, const TensorMap& weights) {
  return CheckTensors(TensorShapes(genome), weights);
}

}  // namespace squish
