// The outlines of the built-in set's ten classes. Pure; only +, −, ×, ÷, sqrt and
// comparisons, so that every machine computes the same bits.
#ifndef SQUISH_COMMON_DATASET_SHAPE_OUTLINE_H_
#define SQUISH_COMMON_DATASET_SHAPE_OUTLINE_H_

#include <string>
#include <vector>

namespace squish {

struct Point {
  double x, y;
};

// In label order.
enum class Outline {
  kDisc,
  kRing,
  kSquare,
  kTriangle,
  kStar,
  kCross,
  kCrescent,
  kHeart,
  kArrow,
  kHourglass,
};
constexpr int kOutlines = 10;
const std::vector<std::string>& OutlineNames();

// How far `p` is outside the outline (negative: inside), about in units of the plane.
// Outlines lie upright around the origin, inside the circle of radius 1, and have
// areas within a factor of two of each other.
double DistanceOutside(Outline outline, Point p);

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_SHAPE_OUTLINE_H_
