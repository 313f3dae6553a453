// A forward pass in plain loops: slow, obvious, and sharing no code with the networks
// that are trained.
#ifndef SQUISH_TESTS_UNIT_SYNTHESIS_REFERENCE_FORWARD_H_
#define SQUISH_TESTS_UNIT_SYNTHESIS_REFERENCE_FORWARD_H_

#include <cstdint>
#include <vector>

#include "common/genome/genome.h"
#include "common/weights/network.h"

namespace squish {

// Logits of a random picture (a function of `picture_seed` and the size). `keep` masks:
// the outputs of filters that are not in a layer's list are 0 (an empty list, or an
// empty `keep`: all are kept). The picture must be large enough.
std::vector<double> ReferenceLogits(const Genome& genome, const TensorMap& weights, int input_size,
                                    uint64_t picture_seed,
                                    const std::vector<std::vector<int>>& keep = {});

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_SYNTHESIS_REFERENCE_FORWARD_H_
