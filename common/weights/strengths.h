// Filter strengths that were computed on pictures, and the file that they are kept in
// beside their network's: docs/network-file.md, "Strengths". No LibTorch. Pure;
// thread-safe.
//
//   SQUISH_ASSIGN_OR_RETURN(const TensorMap strengths, ReadStrengths(file, genome));
//   const std::vector<float>& taylor = strengths.at(TaylorName("classifier.1")).values;
#ifndef SQUISH_COMMON_WEIGHTS_STRENGTHS_H_
#define SQUISH_COMMON_WEIGHTS_STRENGTHS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/genome/genome.h"
#include "common/weights/network.h"

namespace squish {

// The tensors of a convolution: of one value a filter, in the genome's order of filters.
std::string TaylorName(absl::string_view layer);
std::string ActivationName(absl::string_view layer);

// Whether the tensors are exactly both of every convolution, one value a filter, finite
// and not below 0. INVALID_ARGUMENT names the first that is missing, extra, of another
// size or has another value.
absl::Status CheckStrengths(const Genome& genome, const TensorMap& strengths);

// The canonical file: equal strengths give equal bytes.
std::string SerializeStrengths(const TensorMap& strengths);

// The strengths of that genome's filters. The file may come from a stranger.
// INVALID_ARGUMENT: not safetensors, a tensor that is not F32 or not finite, and as
// CheckStrengths. Metadata is ignored.
absl::StatusOr<TensorMap> ReadStrengths(absl::string_view file, const Genome& genome);

}  // namespace squish

#endif  // SQUISH_COMMON_WEIGHTS_STRENGTHS_H_
