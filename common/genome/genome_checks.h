// What makes a list of layers a genome. Pure; inside common/genome only.
#ifndef SQUISH_COMMON_GENOME_GENOME_CHECKS_H_
#define SQUISH_COMMON_GENOME_GENOME_CHECKS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "common/genome/genome.h"

namespace squish {

// The output channels of every layer, when everything that Genome::Create demands
// holds. INVALID_ARGUMENT names the layer and what is wrong with it.
absl::StatusOr<std::vector<int>> CheckLayers(const std::vector<Layer>& layers);

}  // namespace squish

#endif  // SQUISH_COMMON_GENOME_GENOME_CHECKS_H_
