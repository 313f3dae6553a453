#include "common/dataset/shape_outline.h"

#include <algorithm>
#include <cmath>

namespace squish {
namespace {

double Length(double x, double y) { return std::sqrt(x * x + y * y); }

double Box(Point p, double half_width, double half_height) {
  return std::max(std::abs(p.x) - half_width, std::abs(p.y) - half_height);
}

// Between an outer and an inner circle.
double Ring(Point p) { return std::abs(Length(p.x, p.y) - 0.72) - 0.22; }

// Equilateral: at most 0.5 along each of three directions 120° apart.
double Triangle(Point p) {
  constexpr double kSin60 = 0.86602540378443865;
  return std::max({p.y, -0.5 * p.y + kSin60 * p.x, -0.5 * p.y - kSin60 * p.x}) - 0.5;
}

// Five rays; in the sector of the nearest one the outline is the edge from its tip,
// (1, 0), to the notch, at radius kNotch and 36° from it.
double Star(Point p) {
  constexpr double kNotch = 0.45;
  constexpr double kCos36 = 0.80901699437494742, kSin36 = 0.58778525229247313;
  static constexpr Point kRays[5] = {{0.0, -1.0},
                                     {0.95105651629515357, -0.30901699437494742},
                                     {0.58778525229247313, 0.80901699437494742},
                                     {-0.58778525229247313, 0.80901699437494742},
                                     {-0.95105651629515357, -0.30901699437494742}};
  double along = -2.0, across = 0.0;
  for (const Point& ray : kRays) {
    const double u = p.x * ray.x + p.y * ray.y;
    if (u > along) {
      along = u;
      across = std::abs(p.x * ray.y - p.y * ray.x);
    }
  }
  // The edge's outward normal.
  const double nx = kNotch * kSin36, ny = 1.0 - kNotch * kCos36;
  return (nx * (along - 1.0) + ny * across) / Length(nx, ny);
}

double Cross(Point p) { return std::min(Box(p, 0.27, 0.92), Box(p, 0.92, 0.27)); }

// A disc less a disc.
double Crescent(Point p) {
  return std::max(Length(p.x, p.y) - 0.95, 0.72 - Length(p.x - 0.45, p.y));
}

// A square on its tip with a half disc on each of its upper sides.
double Heart(Point p) {
  constexpr double kHalf = 0.5, kDiagonal = 0.70710678118654752;
  const double x = std::abs(p.x), y = p.y - 0.1;
  const double u = (x + y) * kDiagonal, v = (x - y) * kDiagonal;
  const double square = std::max({std::abs(u) - kHalf, std::abs(v) - kHalf});
  return std::min(square, Length(u, v - kHalf) - kHalf);
}

double Arrow(Point p) {
  constexpr double kTip = 0.95, kBase = 0.05, kHalfWidth = 0.78;
  const double shaft = Box({p.x, p.y - 0.35}, 0.22, 0.6);
  // The head's slanted sides go from (0, −kTip) to (kHalfWidth, −kBase).
  const double nx = kTip - kBase, ny = kHalfWidth;
  const double sides =
      (nx * std::abs(p.x) - ny * (p.y + kTip)) / Length(nx, ny);
  return std::min(shaft, std::max(sides, p.y + kBase));
}

double Hourglass(Point p) {
  constexpr double kWaist = 0.08, kSlope = 0.8;
  const double sides =
      (std::abs(p.x) - kWaist - kSlope * std::abs(p.y)) / Length(1.0, kSlope);
  return std::max(sides, std::abs(p.y) - 0.72);
}

}  // namespace

const std::vector<std::string>& OutlineNames() {
  static const auto& names = *new std::vector<std::string>{
      "disc", "ring", "square", "triangle", "star", "cross", "crescent", "heart", "arrow",
      "hourglass"};
  return names;
}

double DistanceOutside(Outline outline, Point p) {
  switch (outline) {
    case Outline::kDisc:
      return Length(p.x, p.y) - 0.85;
    case Outline::kRing:
      return Ring(p);
    case Outline::kSquare:
      return Box(p, 0.7, 0.7);
    case Outline::kTriangle:
      return Triangle(p);
    case Outline::kStar:
      return Star(p);
    case Outline::kCross:
      return Cross(p);
    case Outline::kCrescent:
      return Crescent(p);
    case Outline::kHeart:
      return Heart(p);
    case Outline::kArrow:
      return Arrow(p);
    case Outline::kHourglass:
      return Hourglass(p);
  }
  return 1.0;
}

}  // namespace squish
