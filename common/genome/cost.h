// What a network costs. Pure.
#ifndef SQUISH_COMMON_GENOME_COST_H_
#define SQUISH_COMMON_GENOME_COST_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "common/genome/genome.h"

namespace squish {

struct Cost {
  int64_t parameters = 0;  // Weights and biases.
  int64_t macs = 0;        // Multiply-accumulates of one picture, biases not counted.
  int64_t bytes = 0;       // Of fp32 weights: 4 · parameters.
};

int64_t CountParameters(const Genome& genome);

// INVALID_ARGUMENT as ComputeShapes.
absl::StatusOr<Cost> ComputeCost(const Genome& genome, int input_size);

}  // namespace squish

#endif  // SQUISH_COMMON_GENOME_COST_H_
