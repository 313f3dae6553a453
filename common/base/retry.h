// How long to wait before trying again: exponential, bounded, jittered. Pure.
#ifndef SQUISH_COMMON_BASE_RETRY_H_
#define SQUISH_COMMON_BASE_RETRY_H_

#include <algorithm>

#include "absl/time/time.h"

namespace squish {

struct Backoff {
  absl::Duration initial = absl::Milliseconds(200);
  absl::Duration maximum = absl::Seconds(15);
};

// The delay after `failures` (>= 1) failures in a row; `jitter` is uniform in
// [0, 1) and spreads it over the upper half, so that a fleet does not return at once.
inline absl::Duration DelayAfter(const Backoff& backoff, int failures, double jitter) {
  absl::Duration delay = backoff.initial;
  for (int i = 1; i < failures && delay < backoff.maximum; ++i) delay *= 2;
  return std::min(delay, backoff.maximum) * (0.5 + 0.5 * jitter);
}

}  // namespace squish

#endif  // SQUISH_COMMON_BASE_RETRY_H_
