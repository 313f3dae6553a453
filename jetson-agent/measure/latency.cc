#include "jetson-agent/measure/latency.h"

#include <algorithm>
#include <cmath>

namespace squish {

void LatencySample::Add(const std::vector<double>& latencies) {
  for (const double seconds : latencies) {
    if (seen_++ % stride_ != 0) continue;
    values_.push_back(seconds);
    if (values_.size() < kMaximumValues) continue;
    for (size_t i = 0; 2 * i < values_.size(); ++i) values_[i] = values_[2 * i];
    values_.resize((values_.size() + 1) / 2);
    stride_ *= 2;
  }
}

v1::CallLatency LatencySample::Quantiles() const {
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  const auto milliseconds = [&](double quantile) {
    const double rank = std::ceil(quantile * static_cast<double>(sorted.size()));
    return 1000 * sorted[static_cast<size_t>(std::max(1.0, rank)) - 1];
  };
  v1::CallLatency latency;
  latency.set_p50_milliseconds(milliseconds(0.5));
  latency.set_p90_milliseconds(milliseconds(0.9));
  latency.set_p99_milliseconds(milliseconds(0.99));
  latency.set_calls(static_cast<int64_t>(sorted.size()));
  return latency;
}

}  // namespace squish
