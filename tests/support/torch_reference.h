// Pictures of noise and a network's own outputs for them, as LibTorch gives them. No
// LibTorch in this header.
#ifndef SQUISH_TESTS_SUPPORT_TORCH_REFERENCE_H_
#define SQUISH_TESTS_SUPPORT_TORCH_REFERENCE_H_

#include <cstdint>
#include <vector>

#include "common/export/reference.h"
#include "common/weights/network.h"

namespace squish {

// `count` pictures whose values are within ±2, and a function of the seed.
ReferenceOutputs TorchReference(const Network& network, int size, int count, uint64_t seed);

// The same for pictures that are there: N × channels × size × size.
ReferenceOutputs TorchReference(const Network& network, Tensor pictures);

}  // namespace squish

#endif  // SQUISH_TESTS_SUPPORT_TORCH_REFERENCE_H_
