// The coordinator's one thread. Calls arrive on gRPC's threads as tasks; the loop takes
// everything that has gathered and runs it as one batch, so that many calls share one
// transaction and one fsync, and no gRPC thread ever waits for a disk.
#ifndef SQUISH_COORDINATOR_SERVICE_LOOP_H_
#define SQUISH_COORDINATOR_SERVICE_LOOP_H_

#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/base/clock.h"
#include "coordinator/service/coordinator.h"

namespace squish {

// Thread-safe.
class Loop {
 public:
  // Starts the thread; from here on nobody else touches the coordinator. Both outlive
  // the loop.
  Loop(Coordinator* coordinator, Clock* clock);
  // Runs what was posted, then ends the thread.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void Post(Coordinator::Task task) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run();

  Coordinator& coordinator_;
  Clock& clock_;
  absl::Mutex mutex_;
  std::vector<Coordinator::Task> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_LOOP_H_
