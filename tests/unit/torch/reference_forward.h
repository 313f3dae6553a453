// The forward pass written out as loops, for small networks.
#ifndef SQUISH_TESTS_UNIT_TORCH_REFERENCE_FORWARD_H_
#define SQUISH_TESTS_UNIT_TORCH_REFERENCE_FORWARD_H_

#include <vector>

#include "common/weights/network.h"

namespace squish {

// The logits of one picture (side × side × channels), computed in double.
std::vector<double> ReferenceForward(const Network& network, const std::vector<float>& picture,
                                     int side);

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_TORCH_REFERENCE_FORWARD_H_
