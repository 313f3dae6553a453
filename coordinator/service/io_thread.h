// A thread for what may wait for a disk: tasks in order, none on gRPC's threads.
#ifndef SQUISH_COORDINATOR_SERVICE_IO_THREAD_H_
#define SQUISH_COORDINATOR_SERVICE_IO_THREAD_H_

#include <deque>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace squish {

// Thread-safe.
class IoThread {
 public:
  IoThread();
  // Runs what was posted, then ends.
  ~IoThread();
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  void Post(std::function<void()> task) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run();

  absl::Mutex mutex_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_IO_THREAD_H_
