#include "jetson-agent/measure/warm_up.h"

#include <algorithm>
#include <cmath>

#include "jetson-agent/measure/protocol.h"

namespace squish {

WarmUp::WarmUp(const v1::MeasurementSpec& spec, bool restarts_per_block)
    : restarts_per_block_(restarts_per_block),
      block_seconds_(BlockSeconds(spec, restarts_per_block)),
      warmup_seconds_(spec.warmup_seconds()),
      next_calls_(restarts_per_block ? 10 : 1) {}

bool WarmUp::done() const { return fastest_call_seconds_ > 0 && total_seconds_ >= warmup_seconds_; }

void WarmUp::Add(double seconds) {
  total_seconds_ += seconds;
  const double call_seconds = seconds / static_cast<double>(next_calls_);
  fastest_call_seconds_ = fastest_call_seconds_ == 0
                              ? call_seconds
                              : std::min(fastest_call_seconds_, call_seconds);
  next_calls_ = restarts_per_block_ ? CallsPerBlock() : std::min(2 * next_calls_, CallsPerBlock());
}

int64_t WarmUp::CallsPerBlock() const {
  const double calls = std::ceil(block_seconds_ / fastest_call_seconds_);
  // The comparison is false for NaN and infinity, too.
  if (!(calls < static_cast<double>(kMaximumCalls))) return kMaximumCalls;
  return std::max<int64_t>(1, static_cast<int64_t>(calls));
}

}  // namespace squish
