#include "coordinator/jobs/straggling.h"

#include <algorithm>

namespace squish {
namespace {

constexpr int kTimesTheMedian = 3;
constexpr int kFewest = 2;
// A second copy of what is short anyway would only cost.
constexpr absl::Duration kShort = absl::Seconds(30);

}  // namespace

bool IsStraggling(absl::Duration elapsed, std::vector<absl::Duration> done, int peers) {
  const int count = static_cast<int>(done.size());
  if (elapsed <= kShort || count < kFewest || 2 * count < peers) return false;
  const auto middle = done.begin() + count / 2;
  std::nth_element(done.begin(), middle, done.end());
  return elapsed > kTimesTheMedian * *middle;
}

}  // namespace squish
