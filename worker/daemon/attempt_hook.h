// The end of an attempt, as seen by the step of its work that is running now: a trainer
// to be killed or asked for a checkpoint, a wait to be broken off.
//
//   {
//     const CancelHook hook(attempt, [&] { child.Kill(); });
//     ... talk to the child ...
//   }  // From here on the child is safe.
#ifndef SQUISH_WORKER_DAEMON_ATTEMPT_HOOK_H_
#define SQUISH_WORKER_DAEMON_ATTEMPT_HOOK_H_

#include <functional>
#include <utility>

#include "common/runner/runner.h"

namespace squish {

template <void (Attempt::*Register)(std::function<void()>)>
class AttemptHook {
 public:
  // `action` runs once when it comes to that (at once when it has already), and neither runs
  // nor is running after the hook's end. It may not block or call the attempt. One hook of a
  // kind of an attempt at a time.
  AttemptHook(Attempt& attempt, std::function<void()> action) : attempt_(attempt) {
    (attempt_.*Register)(std::move(action));
  }
  ~AttemptHook() { (attempt_.*Register)({}); }
  AttemptHook(const AttemptHook&) = delete;
  AttemptHook& operator=(const AttemptHook&) = delete;

 private:
  Attempt& attempt_;
};

using CancelHook = AttemptHook<&Attempt::OnCancel>;  // Nobody wants it any more.
using StopHook = AttemptHook<&Attempt::OnStop>;      // It is given up: save what there is.

}  // namespace squish

#endif  // SQUISH_WORKER_DAEMON_ATTEMPT_HOOK_H_
