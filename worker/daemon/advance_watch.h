// Whether a child that talks also gets on: one that reports the same progress for ever
// hangs, too.
#ifndef SQUISH_WORKER_DAEMON_ADVANCE_WATCH_H_
#define SQUISH_WORKER_DAEMON_ADVANCE_WATCH_H_

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/clock.h"

namespace squish {

// One for a conversation, made at its beginning. Not thread-safe.
class AdvanceWatch {
 public:
  // `who` ("the trainer") begins the message; it and `clock` outlive the watch.
  AdvanceWatch(absl::string_view who, absl::Duration limit, Clock& clock)
      : who_(who), limit_(limit), clock_(clock), advanced_(clock.Steady()) {}

  // To be told of each progress. DEADLINE_EXCEEDED: it has not risen for longer than the
  // limit.
  absl::Status See(double fraction) {
    if (fraction > furthest_) {
      furthest_ = fraction;
      advanced_ = clock_.Steady();
    } else if (clock_.Steady() - advanced_ > limit_) {
      return absl::DeadlineExceededError(
          absl::StrCat(who_, " talked but did not advance for ", absl::FormatDuration(limit_)));
    }
    return absl::OkStatus();
  }

 private:
  const absl::string_view who_;
  const absl::Duration limit_;
  Clock& clock_;
  double furthest_ = -1;
  absl::Duration advanced_;
};

}  // namespace squish

#endif  // SQUISH_WORKER_DAEMON_ADVANCE_WATCH_H_
