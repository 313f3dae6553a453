#include "worker/trainer/work_ahead.h"

#include <utility>

namespace squish {

WorkAhead::WorkAhead(int64_t steps, std::function<void(int64_t step, int slot)> fill)
    : steps_(steps), fill_(std::move(fill)), thread_([this] { Run(); }) {}

WorkAhead::~WorkAhead() {
  {
    const absl::MutexLock lock(&mutex_);
    ending_ = true;
  }
  thread_.join();
}

// The slot of the step that was taken last is in use; all others may be filled.
bool WorkAhead::MayFill() const { return ending_ || filled_ - taken_ < kSlots - 1; }

bool WorkAhead::MayTake() const { return filled_ > taken_ || failure_ != nullptr; }

void WorkAhead::Run() {
  for (int64_t step = 0; step < steps_; ++step) {
    {
      const absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &WorkAhead::MayFill));
      if (ending_) return;
    }
    std::exception_ptr failure;
    try {
      fill_(step, static_cast<int>(step % kSlots));
    } catch (...) {
      failure = std::current_exception();
    }
    const absl::MutexLock lock(&mutex_);
    if (failure != nullptr) {
      failure_ = std::move(failure);
      return;
    }
    ++filled_;
  }
}

int WorkAhead::Next() {
  const absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &WorkAhead::MayTake));
  if (filled_ == taken_) std::rethrow_exception(failure_);
  return static_cast<int>(taken_++ % kSlots);
}

}  // namespace squish
