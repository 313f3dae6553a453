// The end of an attempt, as seen by the step of its work that is running now: a trainer
// to be killed, a wait to be broken off.
//
//   {
//     const CancelHook hook(attempt, [&] { child.Kill(); });
//     ... talk to the child ...
//   }  // From here on the child is safe.
#ifndef SQUISH_WORKER_DAEMON_CANCEL_HOOK_H_
#define SQUISH_WORKER_DAEMON_CANCEL_HOOK_H_

#include <functional>
#include <utility>

#include "common/runner/runner.h"

namespace squish {

class CancelHook {
 public:
  // `action` runs once when the attempt is cancelled (at once when it is already), and
  // neither runs nor is running after the hook's end. It may not block or call the
  // attempt. One hook of an attempt at a time.
  CancelHook(Attempt& attempt, std::function<void()> action) : attempt_(attempt) {
    attempt_.OnCancel(std::move(action));
  }
  ~CancelHook() { attempt_.OnCancel({}); }
  CancelHook(const CancelHook&) = delete;
  CancelHook& operator=(const CancelHook&) = delete;

 private:
  Attempt& attempt_;
};

}  // namespace squish

#endif  // SQUISH_WORKER_DAEMON_CANCEL_HOOK_H_
