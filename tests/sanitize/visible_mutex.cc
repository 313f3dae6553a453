// Makes Abseil's locks visible to ThreadSanitizer. Debian's libabsl_synchronization is not
// instrumented and sleeps on futexes of its own, so that everything that a lock keeps in
// order would be reported as a race. The functions below stand before the library's, for our
// code and for gRPC's alike: each tells ThreadSanitizer what is being done, and the library
// does it.
//
//   Lock, Unlock   an acquisition and a release of that mutex. What runs inside, such as
//                  conditions of others who wait, is ignored: it holds the lock.
//   Await, Wait    a release, then an acquisition.
//   Notification   who finds it notified takes no lock: a release and an acquisition of its own.
//
// Part of every program that is built with -fsanitize=thread, itself without it, and of no
// other. Thread-safe.
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <cstdio>
#include <cstdlib>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

extern "C" {

// Of ThreadSanitizer's runtime, which has no header for them.
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);

// What the libraries do to memory through functions that ThreadSanitizer knows (free, memcpy,
// sendmsg) is ignored; what keeps it in order, it does not see. gRPC has queues without locks,
// and a Status counts its references, a time zone is loaded once, inside their libraries.
const char* __tsan_default_suppressions() {
  return "called_from_lib:libgrpc.so.29\n"
         "called_from_lib:libgrpc++.so.1.51\n"
         "called_from_lib:libgpr.so.29\n"
         "called_from_lib:libabsl_status.so\n"
         "called_from_lib:libabsl_cord.so\n"
         "called_from_lib:libabsl_time_zone.so\n";
}

}  // extern "C"

// How Abseil's inline namespace is mangled.
#define SQUISH_ABSL "_ZN4absl7debian3"
#define SQUISH_ABSL_CONST "_ZNK4absl7debian3"

namespace {

// The library's function of that mangled name.
template <typename Function>
Function* Library(const char* name) {
  void* const function = ::dlsym(RTLD_NEXT, name);
  if (function == nullptr) {
    std::fprintf(stderr, "visible_mutex.cc: Abseil's library has no %s\n", name);
    std::abort();
  }
  return reinterpret_cast<Function*>(function);
}

// The library's functions call each other, and so come here again: only the outermost tells.
thread_local int depth = 0;

class Call {
 public:
  Call() { ++depth; }
  ~Call() { --depth; }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  bool IsOutermost() const { return depth == 1; }
};

class Acquisition {
 public:
  explicit Acquisition(void* mutex, unsigned flags = 0) : mutex_(mutex), flags_(flags) {
    if (call_.IsOutermost()) __tsan_mutex_pre_lock(mutex_, flags_);
  }
  ~Acquisition() {
    if (call_.IsOutermost()) __tsan_mutex_post_lock(mutex_, flags_, 0);
  }
  bool Ended(bool success) {  // Of an attempt.
    if (!success) flags_ |= __tsan_mutex_try_lock_failed;
    return success;
  }

 private:
  const Call call_;
  void* const mutex_;
  unsigned flags_;
};

class Release {
 public:
  explicit Release(void* mutex, unsigned flags = 0) : mutex_(mutex), flags_(flags) {
    if (call_.IsOutermost()) __tsan_mutex_pre_unlock(mutex_, flags_);
  }
  ~Release() {
    if (call_.IsOutermost()) __tsan_mutex_post_unlock(mutex_, flags_);
  }

 private:
  const Call call_;
  void* const mutex_;
  const unsigned flags_;
};

// Of who holds the mutex, lets it go, and has it again. For readers as well, who give order to
// nothing that way, and need not.
class Pause {
 public:
  explicit Pause(void* mutex) : mutex_(mutex) {
    if (!call_.IsOutermost()) return;
    __tsan_mutex_pre_unlock(mutex_, 0);
    __tsan_mutex_post_unlock(mutex_, 0);
    __tsan_mutex_pre_lock(mutex_, 0);
  }
  ~Pause() {
    if (call_.IsOutermost()) __tsan_mutex_post_lock(mutex_, 0, 0);
  }

 private:
  const Call call_;
  void* const mutex_;
};

constexpr unsigned kReader = __tsan_mutex_read_lock;
constexpr unsigned kAttempt = __tsan_mutex_try_lock;

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

Mutex::~Mutex() {
  static const auto library = Library<void(Mutex*)>(SQUISH_ABSL "5MutexD1Ev");
  const Call call;
  library(this);
  if (!call.IsOutermost()) return;
  // Only that it is gone: gRPC hands mutexes over in ways that are not seen. That the memory
  // around it goes while somebody uses it is still found.
  AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  __tsan_mutex_destroy(this, 0);
  AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
}

void Mutex::Lock() {
  static const auto library = Library<void(Mutex*)>(SQUISH_ABSL "5Mutex4LockEv");
  const Acquisition acquisition(this);
  library(this);
}

bool Mutex::TryLock() {
  static const auto library = Library<bool(Mutex*)>(SQUISH_ABSL "5Mutex7TryLockEv");
  Acquisition acquisition(this, kAttempt);
  return acquisition.Ended(library(this));
}

void Mutex::Unlock() {
  static const auto library = Library<void(Mutex*)>(SQUISH_ABSL "5Mutex6UnlockEv");
  const Release release(this);
  library(this);
}

void Mutex::ReaderLock() {
  static const auto library = Library<void(Mutex*)>(SQUISH_ABSL "5Mutex10ReaderLockEv");
  const Acquisition acquisition(this, kReader);
  library(this);
}

bool Mutex::ReaderTryLock() {
  static const auto library = Library<bool(Mutex*)>(SQUISH_ABSL "5Mutex13ReaderTryLockEv");
  Acquisition acquisition(this, kReader | kAttempt);
  return acquisition.Ended(library(this));
}

void Mutex::ReaderUnlock() {
  static const auto library = Library<void(Mutex*)>(SQUISH_ABSL "5Mutex12ReaderUnlockEv");
  const Release release(this, kReader);
  library(this);
}

void Mutex::LockWhen(const Condition& condition) {
  static const auto library =
      Library<void(Mutex*, const Condition&)>(SQUISH_ABSL "5Mutex8LockWhenERKNS0_9ConditionE");
  const Acquisition acquisition(this);
  library(this, condition);
}

// With the lock, whether the condition holds or not.
bool Mutex::LockWhenWithTimeout(const Condition& condition, Duration timeout) {
  static const auto library = Library<bool(Mutex*, const Condition&, Duration)>(
      SQUISH_ABSL "5Mutex19LockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  const Acquisition acquisition(this);
  return library(this, condition, timeout);
}

bool Mutex::LockWhenWithDeadline(const Condition& condition, Time deadline) {
  static const auto library = Library<bool(Mutex*, const Condition&, Time)>(
      SQUISH_ABSL "5Mutex20LockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  const Acquisition acquisition(this);
  return library(this, condition, deadline);
}

void Mutex::Await(const Condition& condition) {
  static const auto library =
      Library<void(Mutex*, const Condition&)>(SQUISH_ABSL "5Mutex5AwaitERKNS0_9ConditionE");
  const Pause pause(this);
  library(this, condition);
}

bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  static const auto library = Library<bool(Mutex*, const Condition&, Duration)>(
      SQUISH_ABSL "5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE");
  const Pause pause(this);
  return library(this, condition, timeout);
}

bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  static const auto library = Library<bool(Mutex*, const Condition&, Time)>(
      SQUISH_ABSL "5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE");
  const Pause pause(this);
  return library(this, condition, deadline);
}

void CondVar::Wait(Mutex* mutex) {
  static const auto library =
      Library<void(CondVar*, Mutex*)>(SQUISH_ABSL "7CondVar4WaitEPNS0_5MutexE");
  const Pause pause(mutex);
  library(this, mutex);
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  static const auto library = Library<bool(CondVar*, Mutex*, Duration)>(
      SQUISH_ABSL "7CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
  const Pause pause(mutex);
  return library(this, mutex, timeout);
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  static const auto library = Library<bool(CondVar*, Mutex*, Time)>(
      SQUISH_ABSL "7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
  const Pause pause(mutex);
  return library(this, mutex, deadline);
}

void Notification::Notify() {
  static const auto library = Library<void(Notification*)>(SQUISH_ABSL "12Notification6NotifyEv");
  __tsan_release(this);
  // What HasBeenNotified reads, which is inlined: it lies behind the mutex.
  __tsan_release(reinterpret_cast<char*>(this) + sizeof(Mutex));
  library(this);
}

void Notification::WaitForNotification() const {
  static const auto library = Library<void(const Notification*)>(
      SQUISH_ABSL_CONST "12Notification19WaitForNotificationEv");
  library(this);
  __tsan_acquire(const_cast<Notification*>(this));
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  static const auto library = Library<bool(const Notification*, Duration)>(
      SQUISH_ABSL_CONST "12Notification30WaitForNotificationWithTimeoutENS0_8DurationE");
  const bool notified = library(this, timeout);
  if (notified) __tsan_acquire(const_cast<Notification*>(this));
  return notified;
}

bool Notification::WaitForNotificationWithDeadline(Time deadline) const {
  static const auto library = Library<bool(const Notification*, Time)>(
      SQUISH_ABSL_CONST "12Notification31WaitForNotificationWithDeadlineENS0_4TimeE");
  const bool notified = library(this, deadline);
  if (notified) __tsan_acquire(const_cast<Notification*>(this));
  return notified;
}

ABSL_NAMESPACE_END
}  // namespace absl
