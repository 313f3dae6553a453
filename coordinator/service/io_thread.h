// Threads for what may wait for a disk: tasks in order, none on gRPC's threads.
#ifndef SQUISH_COORDINATOR_SERVICE_IO_THREAD_H_
#define SQUISH_COORDINATOR_SERVICE_IO_THREAD_H_

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

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

// A few of them, for who hash and sync at the same time: a disk syncs many files in little
// more time than one. Who keeps to the thread that it was given has its tasks in order.
// Thread-safe.
class IoThreads {
 public:
  explicit IoThreads(size_t count) : threads_(count) {}

  // One of them, in turn.
  IoThread& Next() { return threads_[next_++ % threads_.size()]; }

 private:
  std::vector<IoThread> threads_;
  std::atomic<size_t> next_ = 0;
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_IO_THREAD_H_
