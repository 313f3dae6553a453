// When an open loop's events are due, and whose turn it is: evenly spread, round robin,
// whatever became of the events before. An answer that is late delays nobody's due time,
// so that waiting counts in full. Pure; thread-safe.
//
//   round 0:  member 0, 1, … N-1   round 1:  member 0, 1, … N-1   …
//             │◄ 1/rate ►│
#ifndef SQUISH_BENCHMARKS_SWARM_SCHEDULE_H_
#define SQUISH_BENCHMARKS_SWARM_SCHEDULE_H_

#include <cstdint>

#include "absl/time/time.h"

namespace squish {

class Schedule {
 public:
  // `rate` is of events in a second, of all members together; both are above 0.
  Schedule(absl::Duration start, double rate, int64_t members)
      : start_(start), rate_(rate), members_(members) {}

  absl::Duration DueAt(int64_t event) const {
    return start_ + absl::Seconds(static_cast<double>(event) / rate_);
  }
  int64_t MemberOf(int64_t event) const { return event % members_; }

 private:
  absl::Duration start_;
  double rate_;
  int64_t members_;
};

}  // namespace squish

#endif  // SQUISH_BENCHMARKS_SWARM_SCHEDULE_H_
