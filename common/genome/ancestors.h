// The networks that evolutions start from. Pure.
#ifndef SQUISH_COMMON_GENOME_ANCESTORS_H_
#define SQUISH_COMMON_GENOME_ANCESTORS_H_

#include "absl/status/statusor.h"
#include "common/genome/genome.h"

namespace squish {

// SqueezeNet v1.1 (github.com/forresti/SqueezeNet, as in torchvision) with a head
// of `classes` filters (2 to 10,000): conv1 64×3×3/2 without padding, fire modules 2–9, ceil-mode
// pools after conv1, fire3 and fire5, dropout 0.5, head 1×1, ReLU, global average.
// Names are torchvision's: features.0, features.3.squeeze, …, classifier.1.
// `width` in (0, 1] scales every layer but the head, rounded, at least one filter.
// INVALID_ARGUMENT when out of range.
absl::StatusOr<Genome> SqueezeNetV11(int classes, double width = 1.0);

}  // namespace squish

#endif  // SQUISH_COMMON_GENOME_ANCESTORS_H_
