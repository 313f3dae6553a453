#include "common/genome/cost.h"

#include <vector>

#include "common/base/status_macros.h"
#include "common/genome/shapes.h"

namespace squish {
namespace {

// Weights of one convolution, without biases.
int64_t CountWeights(const Genome& genome, int conv_index) {
  const Conv2d& conv = genome.conv(conv_index);
  return int64_t{conv.filters()} * genome.InputChannels(conv_index) * conv.kernel * conv.kernel;
}

}  // namespace

// A genome's checks bound parameters (2^30) and sizes, so that nothing overflows.

int64_t CountParameters(const Genome& genome) {
  int64_t parameters = 0;
  for (const int i : genome.convs())
    parameters += CountWeights(genome, i) + genome.conv(i).filters();
  return parameters;
}

absl::StatusOr<Cost> ComputeCost(const Genome& genome, int input_size) {
  SQUISH_ASSIGN_OR_RETURN(const std::vector<Shape> shapes, ComputeShapes(genome, input_size));
  Cost cost;
  cost.parameters = CountParameters(genome);
  cost.bytes = 4 * cost.parameters;
  for (const int i : genome.convs()) {
    cost.macs += CountWeights(genome, i) * shapes[i].height * shapes[i].width;
  }
  return cost;
}

}  // namespace squish
