// Quantiles of how long single calls take. Pure.
#ifndef SQUISH_JETSON_AGENT_MEASURE_LATENCY_H_
#define SQUISH_JETSON_AGENT_MEASURE_LATENCY_H_

#include <cstddef>
#include <vector>

#include "squish/v1/job.pb.h"

namespace squish {

// Keeps at most so many values: when it is full, every second one goes, and of those to come
// one in two (four, …) is kept, so that all blocks count alike. Thread-compatible.
class LatencySample {
 public:
  static constexpr size_t kMaximumValues = 1 << 16;

  // Seconds, above 0 and finite.
  void Add(const std::vector<double>& latencies);

  bool empty() const { return values_.empty(); }

  // By nearest rank. Not empty.
  v1::CallLatency Quantiles() const;

 private:
  std::vector<double> values_;
  size_t stride_ = 1;  // One in so many is kept.
  size_t seen_ = 0;
};

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_MEASURE_LATENCY_H_
