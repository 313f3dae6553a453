// Surfaces of the built-in set: two colours in a pattern. Pure; only +, −, ×, ÷, sqrt,
// floor and comparisons, so that every machine computes the same bits.
#ifndef SQUISH_COMMON_DATASET_SHAPE_TEXTURE_H_
#define SQUISH_COMMON_DATASET_SHAPE_TEXTURE_H_

#include <array>
#include <cstdint>

#include "common/base/random.h"
#include "common/dataset/shape_outline.h"

namespace squish {

using Colour = std::array<double, 3>;  // RGB, 0 to 1.

// Draws from a stream one after the other. Not thread-safe.
class Dice {
 public:
  explicit Dice(const RandomStream& stream) : stream_(stream) {}

  double Uniform(double low, double high) {
    return low + (high - low) * stream_.Uniform(position_++);
  }
  int Below(int bound) {
    return static_cast<int>(stream_.Below(position_++, static_cast<uint32_t>(bound)));
  }
  // Uniform on the unit circle.
  Point Direction();
  Colour AnyColour();

 private:
  const RandomStream stream_;
  uint64_t position_ = 0;
};

double ColourDistance(const Colour& a, const Colour& b);

class Texture {
 public:
  // A pattern of its own around `colour`: plain, stripes, checks, dots or cloud; its
  // colours deviate from `colour` by up to `contrast` a channel.
  Texture(const Colour& colour, double contrast, Dice& dice);

  // At a place in the plane of the picture, [−1, 1]².
  Colour At(Point p) const;

 private:
  enum class Pattern { kPlain, kStripes, kChecks, kDots, kCloud };
  static constexpr int kPatterns = 5;
  static constexpr int kLattice = 8;  // Random values a side of a cloud, repeated.

  // How much of the second colour, 0 to 1.
  double Mix(Point p) const;
  double Cloud(double u, double v) const;

  Pattern pattern_;
  Point axis_;        // Of the pattern.
  double frequency_;  // Periods a unit.
  double phase_u_, phase_v_;
  Colour first_, second_;
  std::array<double, kLattice * kLattice> lattice_ = {};
};

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_SHAPE_TEXTURE_H_
