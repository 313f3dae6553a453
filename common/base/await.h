// Waiting for what nothing announces: another process's log, exit or command line.
// Where a lock, a descriptor or a call can be waited for, wait for that.
#ifndef SQUISH_COMMON_BASE_AWAIT_H_
#define SQUISH_COMMON_BASE_AWAIT_H_

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/clock.h"

namespace squish {

// Whether `condition` came true within `limit` of real time. It is asked at once, every
// five milliseconds, and a last time at the end.
template <typename Condition>
bool AwaitCondition(absl::Duration limit, Condition condition) {
  const absl::Duration end = Clock::System().Steady() + limit;
  while (!condition()) {
    if (Clock::System().Steady() >= end) return false;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return true;
}

}  // namespace squish

#endif  // SQUISH_COMMON_BASE_AWAIT_H_
