#include "worker/trainer/stop_signal.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace squish {
namespace {

// Signal handler and main thread each write their own and then read the other's, so that
// one of them sees both.
std::atomic<bool> patience = false;
std::atomic<bool> raised = false;
static_assert(std::atomic<bool>::is_always_lock_free);  // Or a handler could not use it.

// In whichever thread: BLAS may have started some before main.
void HandleStop(int) {
  raised = true;
  if (!patience) EndByStopSignal();
}

}  // namespace

void CatchStopSignal() {
  struct sigaction action = {};
  action.sa_handler = HandleStop;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGTERM, &action, nullptr);
}

bool StopRaised() { return raised; }

void SetPatience(bool patient) {
  patience = patient;
  if (!patient && raised) EndByStopSignal();
}

void EndByStopSignal() { ::_exit(128 + SIGTERM); }

}  // namespace squish
