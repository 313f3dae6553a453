#include "common/base/exact_math.h"

#include <cmath>
#include <limits>

namespace squish {
namespace {

// ln 2 in two parts: the first has trailing zero bits, so that k · kLn2High is
// exact for the k that occur.
constexpr double kLn2High = 6.93147180369123816490e-01;
constexpr double kLn2Low = 1.90821492927058770002e-10;

}  // namespace

double ExactExp(double x) {
  if (std::isnan(x)) return x;
  if (x > 709.8) return std::numeric_limits<double>::infinity();
  if (x < -745.2) return 0.0;
  // x = k ln 2 + r with |r| <= ln 2 / 2.
  const double k = std::floor(x / (kLn2High + kLn2Low) + 0.5);
  const double r = (x - k * kLn2High) - k * kLn2Low;
  // Taylor's series, smallest terms first; r^18 / 18! is below 1e-24.
  double sum = 0.0;
  for (int n = 17; n >= 1; --n) sum = r * (1.0 + sum) / n;
  // ldexp only changes the exponent (and rounds once among the subnormals).
  return std::ldexp(1.0 + sum, static_cast<int>(k));
}

double ExactLog(double x) {
  if (std::isnan(x) || x < 0.0) return std::numeric_limits<double>::quiet_NaN();
  if (x == 0.0) return -std::numeric_limits<double>::infinity();
  if (std::isinf(x)) return x;
  int exponent = 0;
  double m = std::frexp(x, &exponent);  // [0.5, 1)
  if (m < 0.70710678118654752440) {     // Centre on 1: [sqrt(1/2), sqrt(2)).
    m *= 2.0;
    --exponent;
  }
  // ln m = 2 atanh(s), s = (m - 1) / (m + 1), |s| < 0.172.
  const double s = (m - 1.0) / (m + 1.0);
  const double s2 = s * s;
  double sum = 0.0;
  for (int n = 23; n >= 3; n -= 2) sum = s2 * (1.0 / n + sum);
  return exponent * kLn2High + (2.0 * s * (1.0 + sum) + exponent * kLn2Low);
}

}  // namespace squish
