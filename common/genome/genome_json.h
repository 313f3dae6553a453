// The genome's canonical JSON. Pure; inside common/genome only.
//
//   {"version":1,"layers":[{"name":"input","op":"input","inputs":[],"channels":3},
//    {"name":"features.0","op":"conv2d","inputs":[0],"kernel":3,"stride":2,
//     "padding":0,"lineage":[0,1,2]},…]}      (in one line, without spaces)
#ifndef SQUISH_COMMON_GENOME_GENOME_JSON_H_
#define SQUISH_COMMON_GENOME_GENOME_JSON_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/genome/genome.h"

namespace squish {

// Longer text is refused. SqueezeNet v1.1 with ten classes has 15,034 bytes.
inline constexpr size_t kMaximumGenomeJsonBytes = size_t{4} << 20;

enum class LineageForm {
  kIndices,  // "lineage":[0,2,3], the genome
  kCount,    // "lineage":3, its architecture
};

// `layers` must have passed CheckLayers.
std::string LayersToJson(const std::vector<Layer>& layers, LineageForm form);

// Layers as they stand in the text, not yet checked as a genome, nor the text as
// canonical. INVALID_ARGUMENT says what is wrong and in which layer.
absl::StatusOr<std::vector<Layer>> LayersFromJson(absl::string_view text);

}  // namespace squish

#endif  // SQUISH_COMMON_GENOME_GENOME_JSON_H_
