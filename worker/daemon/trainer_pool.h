// The daemon's trainers, one warm one a slot.
//
//   const TrainerPool::Lease trainer = pool.Acquire(threads);
//   auto event = trainer->Ask(request, threads, attempt);
//
// Thread-safe.
#ifndef SQUISH_WORKER_DAEMON_TRAINER_POOL_H_
#define SQUISH_WORKER_DAEMON_TRAINER_POOL_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "worker/daemon/trainer_slot.h"

namespace squish {

class TrainerPool {
 public:
  TrainerPool(const TrainerOptions& options, int slots);

  // Starts all trainers (of one thread each) and waits until the first is ready, so
  // that a wrong program is known at once. Errors as TrainerSlot::Warm and AwaitReady.
  absl::StatusOr<v1::TrainerEvent::Ready> Start();

  // A trainer for one attempt; one that has so many threads already, if possible. Waits
  // while all are taken.
  using Lease = std::unique_ptr<TrainerSlot, std::function<void(TrainerSlot*)>>;
  Lease Acquire(int threads);

  // One with as many threads as it has, for little work: no trainer is started for it.
  Lease AcquireAny();

  const TrainerCounters& counters() const { return counters_; }

 private:
  // One that `suits`, if there is one. Waits while all are taken.
  Lease Take(const std::function<bool(const TrainerSlot&)>& suits);
  void Release(TrainerSlot* slot);

  TrainerCounters counters_;
  absl::Mutex mutex_;
  std::vector<std::unique_ptr<TrainerSlot>> slots_;  // A slot is its leaser's, or of `free_`.
  std::vector<TrainerSlot*> free_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace squish

#endif  // SQUISH_WORKER_DAEMON_TRAINER_POOL_H_
