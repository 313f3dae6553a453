#include "benchmarks/swarm/distribution.h"

#include <algorithm>
#include <cmath>

namespace squish {

void Distribution::Add(double value) {
  values_.push_back(value);
  sorted_ = false;
}

double Distribution::Percentile(double fraction) const {
  if (values_.empty()) return 0;
  if (!sorted_) std::sort(values_.begin(), values_.end());
  sorted_ = true;
  const double rank = std::ceil(fraction * static_cast<double>(values_.size()));
  const auto place = static_cast<int64_t>(std::clamp(rank, 1.0, static_cast<double>(count())));
  return values_[static_cast<size_t>(place - 1)];
}

}  // namespace squish
