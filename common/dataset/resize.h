// Resizing square pictures: each output pixel is the mean of the source area that it
// covers when shrinking, and bilinear between pixel centres (edges repeated) when
// enlarging. The rules are OpenCV's INTER_AREA and INTER_LINEAR; the arithmetic is
// our own, in double and one fixed order, so that every machine gets the same bytes.
#ifndef SQUISH_COMMON_DATASET_RESIZE_H_
#define SQUISH_COMMON_DATASET_RESIZE_H_

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace squish {

// The rule's name; part of the fingerprint of every set that may be resized.
constexpr absl::string_view kResizeRule = "resize: area down, linear up/1";

// Immutable; thread-safe.
class SquareResizer {
 public:
  SquareResizer(int from, int to);  // Sides in pixels, at least 1.

  // `in`: 3·from² bytes, `out`: 3·to² bytes, both HWC.
  void Resize(absl::Span<const uint8_t> in, absl::Span<uint8_t> out) const;

 private:
  // Output pixel i is Σ_k weights[k] · source pixel (first + k), along one side.
  struct Taps {
    int first;
    std::vector<double> weights;  // Sum to 1.
  };
  static Taps AreaTaps(int i, int from, int to);
  static Taps LinearTaps(int i, int from, int to);

  const int from_;
  const int to_;
  std::vector<Taps> taps_;  // One for each output pixel; the same for both sides.
};

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_RESIZE_H_
