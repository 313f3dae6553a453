// When a job that is being worked on is given to a second runner as well. Pure.
#ifndef SQUISH_COORDINATOR_JOBS_STRAGGLING_H_
#define SQUISH_COORDINATOR_JOBS_STRAGGLING_H_

#include <vector>

#include "absl/time/time.h"

namespace squish {

// Whether a job that has been worked on for `elapsed` is a straggler beside its peers, jobs of
// the same kind, generation and rung, so about as much work: it takes more than three times
// the median of those that are done, `done` (from lease to result, any order), and more than
// half a minute, and at least two and half of all `peers` (itself included) are done.
bool IsStraggling(absl::Duration elapsed, std::vector<absl::Duration> done, int peers);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_JOBS_STRAGGLING_H_
