// How long one process waits for another, without the time in which it could not look itself:
// whoever suspends a job (a cluster that makes room, SIGSTOP, a paused container) stops both,
// and the other has then not been silent.
//
//   Patience patience(absl::Seconds(120), clock.Steady());
//   while (!patience.IsOver(clock.Steady())) {
//     // Look, and wait at most Patience::kMostBetweenLooks.
//   }
//
// Pure: time comes in as an argument. Not thread-safe.
#ifndef SQUISH_COMMON_CHILD_PATIENCE_H_
#define SQUISH_COMMON_CHILD_PATIENCE_H_

#include <algorithm>

#include "absl/time/time.h"

namespace squish {

class Patience {
 public:
  // No more than this counts of what lies between two looks.
  static constexpr absl::Duration kMostBetweenLooks = absl::Seconds(1);

  // `limit` may be infinite; `now` is steady time.
  Patience(absl::Duration limit, absl::Duration now) : left_(limit), looked_(now) {}

  // To be asked at every look.
  bool IsOver(absl::Duration now) {
    left_ -= std::min(now - looked_, kMostBetweenLooks);
    looked_ = now;
    return left_ <= absl::ZeroDuration();
  }

  // Of the limit, at the last look.
  absl::Duration left() const { return left_; }

 private:
  absl::Duration left_;
  absl::Duration looked_;
};

}  // namespace squish

#endif  // SQUISH_COMMON_CHILD_PATIENCE_H_
