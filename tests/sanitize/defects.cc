// Does what a sanitizer must end the process for, or what it must not:
//
//   squish-defects overrun | overflow | race | locked
//
// so that a build whose sanitizers see nothing does not pass for one without defects.
#include <climits>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"

namespace {

// Arguments from outside, lest the compiler finds out by itself.
int Overrun(int count) {
  const std::unique_ptr<int[]> numbers(new int[static_cast<size_t>(count)]());
  return numbers[static_cast<size_t>(count)];
}

int Overflow(int count) { return INT_MAX - 1 + count; }

// Two threads, one number. One waits for the other by a lock, which does not help what is
// written without it.
struct Shared {
  absl::Mutex mutex;
  int guarded ABSL_GUARDED_BY(mutex) = 0;
  int unguarded = 0;
  absl::Notification notified;
  int handed_over = 0;
};

int Race() {
  Shared shared;
  const auto work = [&shared] {
    ++shared.unguarded;
    absl::MutexLock lock(&shared.mutex);
    ++shared.guarded;
  };
  std::thread one(work), other(work);
  one.join();
  other.join();
  return shared.unguarded;
}

// All ways of ours to hand over: a lock, a condition that is awaited, a notification.
int Locked() {
  Shared shared;
  std::thread other([&shared] {
    shared.handed_over = 1;
    {
      absl::MutexLock lock(&shared.mutex);
      shared.unguarded = 1;
      shared.guarded = 1;
    }
    shared.notified.Notify();
  });
  {
    const auto is_set = [&shared]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(shared.mutex) {
      return shared.guarded == 1;
    };
    absl::MutexLock lock(&shared.mutex);
    shared.mutex.Await(absl::Condition(&is_set));
    ++shared.unguarded;
  }
  shared.notified.WaitForNotification();
  ++shared.handed_over;
  other.join();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc == 2 ? argv[1] : "";
  if (what == "overrun") return Overrun(argc) == INT_MAX;
  if (what == "overflow") return Overflow(argc) == 0;
  if (what == "race") return Race() == INT_MAX;
  if (what == "locked") return Locked();
  std::fprintf(stderr, "usage: squish-defects overrun | overflow | race | locked\n");
  return 2;
}
