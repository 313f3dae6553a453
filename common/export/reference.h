// What other programs' outputs are compared with: pictures and the network's own outputs
// for them, at the network's input size and at 100×100, where a pool that rounds down gives
// another size than one that rounds up. Pure; thread-safe.
//
// As a file (.safetensors): for each size S `input.S`, N × channels × S × S, normalised as
// the network wants it, and `logits.S`, N × classes.
#ifndef SQUISH_COMMON_EXPORT_REFERENCE_H_
#define SQUISH_COMMON_EXPORT_REFERENCE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/weights/network.h"

namespace squish {

// Side in pixels.
constexpr int kSecondReferenceSize = 100;

struct ReferenceOutputs {
  int size = 0;     // Side in pixels.
  Tensor pictures;  // N × channels × size × size.
  Tensor logits;    // N × classes.
};

// The sides at which a network is compared: its own and 100, once if they are the same.
std::vector<int> ReferenceSizes(int input_size);

// `outputs` has an entry for each of the network's ReferenceSizes.
std::string ReferenceToSafetensors(const std::vector<ReferenceOutputs>& outputs);

// In the order of ReferenceSizes. INVALID_ARGUMENT names what is missing, of another shape
// than `network` demands, or not finite.
absl::StatusOr<std::vector<ReferenceOutputs>> ReferenceFromSafetensors(absl::string_view file,
                                                                       const Network& network);

}  // namespace squish

#endif  // SQUISH_COMMON_EXPORT_REFERENCE_H_
