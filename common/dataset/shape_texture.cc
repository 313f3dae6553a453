#include "common/dataset/shape_texture.h"

#include <algorithm>
#include <cmath>

namespace squish {
namespace {

// A wave of period 1 between 0 and 1, with soft flanks.
double Wave(double t) {
  const double triangle = 4.0 * std::abs(t - std::floor(t) - 0.5) - 1.0;  // −1 to 1.
  return 0.5 + 0.5 * std::clamp(3.0 * triangle, -1.0, 1.0);
}

double SmoothStep(double t) { return t * t * (3.0 - 2.0 * t); }

}  // namespace

Point Dice::Direction() {
  while (true) {
    const double x = Uniform(-1.0, 1.0), y = Uniform(-1.0, 1.0);
    const double square = x * x + y * y;
    if (square > 1.0 || square < 0.01) continue;
    const double length = std::sqrt(square);
    return {x / length, y / length};
  }
}

Colour Dice::AnyColour() {
  Colour colour;
  for (double& channel : colour) channel = Uniform(0.0, 1.0);
  return colour;
}

double ColourDistance(const Colour& a, const Colour& b) {
  double sum = 0.0;
  for (size_t c = 0; c < 3; ++c) sum += (a[c] - b[c]) * (a[c] - b[c]);
  return std::sqrt(sum);
}

Texture::Texture(const Colour& colour, double contrast, Dice& dice)
    : pattern_(static_cast<Pattern>(dice.Below(kPatterns))),
      axis_(dice.Direction()),
      frequency_(dice.Uniform(1.5, 4.5)),
      phase_u_(dice.Uniform(0.0, 1.0)),
      phase_v_(dice.Uniform(0.0, 1.0)) {
  for (size_t c = 0; c < 3; ++c) {
    const double deviation = dice.Uniform(-contrast, contrast);
    first_[c] = colour[c] + deviation;
    second_[c] = colour[c] - deviation;
  }
  if (pattern_ == Pattern::kCloud) {
    for (double& value : lattice_) value = dice.Uniform(0.0, 1.0);
  }
}

double Texture::Cloud(double u, double v) const {
  const double floor_u = std::floor(u), floor_v = std::floor(v);
  const double s = SmoothStep(u - floor_u), t = SmoothStep(v - floor_v);
  const auto value = [&](int du, int dv) {
    const int i = (static_cast<int>(floor_u) + du) & (kLattice - 1);
    const int j = (static_cast<int>(floor_v) + dv) & (kLattice - 1);
    return lattice_[j * kLattice + i];
  };
  return (value(0, 0) * (1.0 - s) + value(1, 0) * s) * (1.0 - t) +
         (value(0, 1) * (1.0 - s) + value(1, 1) * s) * t;
}

double Texture::Mix(Point p) const {
  const double u = (axis_.x * p.x + axis_.y * p.y) * frequency_ + phase_u_;
  const double v = (axis_.x * p.y - axis_.y * p.x) * frequency_ + phase_v_;
  switch (pattern_) {
    case Pattern::kPlain:
      return 0.5;
    case Pattern::kStripes:
      return Wave(u);
    case Pattern::kChecks: {
      const double a = 2.0 * Wave(u) - 1.0, b = 2.0 * Wave(v) - 1.0;
      return 0.5 + 0.5 * a * b;
    }
    case Pattern::kDots: {
      const double du = u - std::floor(u) - 0.5, dv = v - std::floor(v) - 0.5;
      return std::clamp(4.0 * (0.34 - std::sqrt(du * du + dv * dv)), 0.0, 1.0);
    }
    case Pattern::kCloud:
      return Cloud(2.0 * u, 2.0 * v);
  }
  return 0.0;
}

Colour Texture::At(Point p) const {
  const double mix = Mix(p);
  Colour colour;
  for (size_t c = 0; c < 3; ++c) colour[c] = first_[c] + (second_[c] - first_[c]) * mix;
  return colour;
}

}  // namespace squish
