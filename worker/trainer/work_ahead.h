// A row of steps, each prepared on a thread of its own before it is asked for, at most two
// steps ahead. What is prepared lies in slots that the caller owns and that are used in
// turn, so that nothing is allocated on the way:
//
//   thread   fill(0, 0)  fill(1, 1)  fill(2, 2) ...  waits for a slot
//   caller         Next() → 0 ... Next() → 1, slot 0 may be filled again
//
//   std::array<Batch, WorkAhead::kSlots> slots = …;
//   WorkAhead ahead(steps, [&](int64_t step, int slot) { Fill(step, slots[slot]); });
//   for (int64_t step = 0; step < steps; ++step) Train(slots[ahead.Next()]);
//
// `fill` sees the steps in order, one at a time, whatever the caller's pace: what it makes
// of a function of the step alone is what the caller would have made in its place.
#ifndef SQUISH_WORKER_TRAINER_WORK_AHEAD_H_
#define SQUISH_WORKER_TRAINER_WORK_AHEAD_H_

#include <cstdint>
#include <exception>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace squish {

// For one calling thread.
class WorkAhead {
 public:
  static constexpr int kSlots = 3;  // Two that are ready and the one in use.

  // Calls fill(step, slot) on the thread, for 0 <= step < steps, until the first that
  // throws. What `fill` uses must outlive this.
  WorkAhead(int64_t steps, std::function<void(int64_t step, int slot)> fill);

  // Waits for the step that is being filled, if one is; no other is begun.
  ~WorkAhead();

  WorkAhead(const WorkAhead&) = delete;
  WorkAhead& operator=(const WorkAhead&) = delete;

  // The next step's slot, once it is filled; it is the caller's until the next call. Throws
  // what `fill` threw, when it comes to that step. To be called `steps` times at most.
  int Next();

 private:
  void Run();
  bool MayFill() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MayTake() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int64_t steps_;
  const std::function<void(int64_t step, int slot)> fill_;

  absl::Mutex mutex_;
  int64_t filled_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t taken_ ABSL_GUARDED_BY(mutex_) = 0;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::exception_ptr failure_ ABSL_GUARDED_BY(mutex_);  // Of step filled_.

  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_WORK_AHEAD_H_
