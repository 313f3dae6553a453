#include "common/dataset/resize.h"

#include <algorithm>
#include <cmath>

namespace squish {

SquareResizer::Taps SquareResizer::AreaTaps(int i, int from, int to) {
  // In units of 1/to source pixels everything is an integer: output pixel i covers
  // [i·from, (i+1)·from), source pixel k covers [k·to, (k+1)·to).
  const int64_t begin = int64_t{i} * from, end = begin + from;
  Taps taps{static_cast<int>(begin / to), {}};
  for (int64_t k = taps.first; k * to < end; ++k) {
    const int64_t overlap = std::min(end, (k + 1) * to) - std::max(begin, k * to);
    taps.weights.push_back(static_cast<double>(overlap) / from);
  }
  return taps;
}

SquareResizer::Taps SquareResizer::LinearTaps(int i, int from, int to) {
  const double centre = (i + 0.5) * from / to - 0.5;
  const double clamped = std::clamp(centre, 0.0, from - 1.0);
  const int first = std::min(static_cast<int>(clamped), std::max(0, from - 2));
  const double right = clamped - first;
  if (from == 1) return Taps{0, {1.0}};
  return Taps{first, {1.0 - right, right}};
}

SquareResizer::SquareResizer(int from, int to) : from_(from), to_(to) {
  for (int i = 0; i < to; ++i) {
    taps_.push_back(to < from ? AreaTaps(i, from, to) : LinearTaps(i, from, to));
  }
}

void SquareResizer::Resize(absl::Span<const uint8_t> in, absl::Span<uint8_t> out) const {
  if (from_ == to_) {
    std::copy(in.begin(), in.end(), out.begin());
    return;
  }
  // Rows first: `narrow` has from_ rows of to_ pixels.
  std::vector<double> narrow(size_t{3} * from_ * to_);
  for (int y = 0; y < from_; ++y) {
    for (int x = 0; x < to_; ++x) {
      const Taps& taps = taps_[x];
      for (int c = 0; c < 3; ++c) {
        double sum = 0.0;
        for (size_t k = 0; k < taps.weights.size(); ++k) {
          sum += taps.weights[k] * in[3 * (size_t{1} * y * from_ + taps.first + k) + c];
        }
        narrow[3 * (size_t{1} * y * to_ + x) + c] = sum;
      }
    }
  }
  const size_t row = size_t{3} * to_;
  for (int y = 0; y < to_; ++y) {
    const Taps& taps = taps_[y];
    for (size_t x = 0; x < row; ++x) {
      double sum = 0.0;
      for (size_t k = 0; k < taps.weights.size(); ++k) {
        sum += taps.weights[k] * narrow[(taps.first + k) * row + x];
      }
      out[y * row + x] = static_cast<uint8_t>(std::clamp(std::floor(sum + 0.5), 0.0, 255.0));
    }
  }
}

}  // namespace squish
