#include "jetson-agent/engine/pictures.h"

#include <random>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/weights/safetensors.h"
#include "common/weights/tensors.h"

namespace squish {
namespace {

constexpr int64_t kMaximumCount = 4096;

// The fp32 tensor of that name, all of its values finite.
absl::StatusOr<Tensor> ReadTensor(absl::string_view file, const char* name) {
  SQUISH_ASSIGN_OR_RETURN(const SafetensorsView view, ParseSafetensors(file));
  SQUISH_ASSIGN_OR_RETURN(TensorMap tensors, TensorsFromView(view));
  const auto found = tensors.find(name);
  if (found == tensors.end()) {
    return absl::InvalidArgumentError(absl::StrCat("it has no tensor `", name, "`"));
  }
  return std::move(found->second);
}

absl::StatusOr<Pictures> ParsePictures(absl::string_view file, int channels, int side) {
  SQUISH_ASSIGN_OR_RETURN(Tensor tensor, ReadTensor(file, "pictures"));
  if (tensor.shape.size() != 4 || tensor.shape[0] < 1 || tensor.shape[0] > kMaximumCount ||
      tensor.shape[1] != channels || tensor.shape[2] != side || tensor.shape[3] != side) {
    return absl::InvalidArgumentError(absl::StrCat("its pictures are not 1 to ", kMaximumCount,
                                                   " of ", channels, " × ", side, " × ", side));
  }
  return Pictures{static_cast<int>(tensor.shape[0]), channels, side, std::move(tensor.values)};
}

absl::StatusOr<std::vector<std::vector<double>>> ParseOutputs(absl::string_view file) {
  SQUISH_ASSIGN_OR_RETURN(const Tensor tensor, ReadTensor(file, "outputs"));
  if (tensor.shape.size() != 2 || tensor.shape[0] < 1 || tensor.shape[0] > kMaximumCount) {
    return absl::InvalidArgumentError(
        absl::StrCat("its outputs are not 1 to ", kMaximumCount, " rows of numbers"));
  }
  std::vector<std::vector<double>> rows;
  for (int64_t i = 0; i < tensor.shape[0]; ++i) {
    const auto row = tensor.values.begin() + i * tensor.shape[1];
    rows.emplace_back(row, row + tensor.shape[1]);
  }
  return rows;
}

}  // namespace

absl::StatusOr<std::vector<std::vector<double>>> ReadProbeOutputs(absl::string_view path) {
  SQUISH_ASSIGN_OR_RETURN(const std::string file, ReadFile(path));
  absl::StatusOr<std::vector<std::vector<double>>> outputs = ParseOutputs(file);
  if (!outputs.ok()) return Annotate(outputs.status(), path);
  return outputs;
}

absl::StatusOr<Pictures> ReadProbe(absl::string_view path, int channels, int side) {
  SQUISH_ASSIGN_OR_RETURN(const std::string file, ReadFile(path));
  absl::StatusOr<Pictures> pictures = ParsePictures(file, channels, side);
  if (!pictures.ok()) return Annotate(pictures.status(), path);
  return pictures;
}

Pictures RandomPictures(int count, int channels, int side) {
  std::mt19937 random;  // Default seed.
  Pictures pictures{count, channels, side, {}};
  pictures.values.resize(size_t{1} * count * channels * side * side);
  for (float& value : pictures.values) {
    value = static_cast<float>(random()) * 0x1p-30f - 2;  // [-2, 2]
  }
  return pictures;
}

std::vector<float> BatchOf(const Pictures& pictures, int first, int batch) {
  const size_t size = size_t{1} * pictures.channels * pictures.side * pictures.side;
  std::vector<float> values;
  values.reserve(batch * size);
  for (int i = 0; i < batch; ++i) {
    const auto start = pictures.values.begin() +
                       static_cast<ptrdiff_t>((first + i) % pictures.count * size);
    values.insert(values.end(), start, start + static_cast<ptrdiff_t>(size));
  }
  return values;
}

}  // namespace squish
