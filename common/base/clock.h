// Time as an injected dependency. Rules never ask the operating system; they are
// handed a time, and daemons are handed a Clock.
#ifndef SQUISH_COMMON_BASE_CLOCK_H_
#define SQUISH_COMMON_BASE_CLOCK_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace squish {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // Wall time, for people and for records. May jump.
  virtual absl::Time Now() = 0;

  // Time since an arbitrary fixed moment; never goes back. Leases use this.
  virtual absl::Duration Steady() = 0;

  // The operating system's clocks. Never destroyed.
  static Clock& System();
};

// A clock that moves only when told to. Thread-safe.
class FakeClock : public Clock {
 public:
  explicit FakeClock(absl::Time start = absl::FromUnixSeconds(1'000'000'000)) : start_(start) {}

  absl::Time Now() override {
    absl::MutexLock lock(&mutex_);
    return start_ + elapsed_;
  }
  absl::Duration Steady() override {
    absl::MutexLock lock(&mutex_);
    return elapsed_;
  }
  void Advance(absl::Duration by) {
    absl::MutexLock lock(&mutex_);
    elapsed_ += by;
  }

 private:
  const absl::Time start_;
  absl::Mutex mutex_;
  absl::Duration elapsed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace squish

#endif  // SQUISH_COMMON_BASE_CLOCK_H_
