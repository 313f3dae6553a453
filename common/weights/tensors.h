// Between tensors in a file and tensors in memory. Pure.
#ifndef SQUISH_COMMON_WEIGHTS_TENSORS_H_
#define SQUISH_COMMON_WEIGHTS_TENSORS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/weights/network.h"
#include "common/weights/safetensors.h"

namespace squish {

// Copies. INVALID_ARGUMENT names the first tensor that is not F32 or has a value
// that is not finite.
absl::StatusOr<TensorMap> TensorsFromView(const SafetensorsView& view);

// A view of `weights`, which must outlive it.
std::map<std::string, TensorView> ViewOfTensors(const TensorMap& weights);

// Whether the tensors are exactly those with these names and shapes, a genome's.
// INVALID_ARGUMENT names the first that is missing, extra or of another shape.
absl::Status CheckTensors(const std::map<std::string, std::vector<int64_t>>& shapes,
                          const TensorMap& tensors);

}  // namespace squish

#endif  // SQUISH_COMMON_WEIGHTS_TENSORS_H_
