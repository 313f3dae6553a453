#include "coordinator/service/loop.h"

#include <pthread.h>

#include <utility>

namespace squish {

Loop::Loop(Coordinator* coordinator, Clock* clock)
    : coordinator_(*coordinator), clock_(*clock), thread_([this] { Run(); }) {}

Loop::~Loop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void Loop::Post(Coordinator::Task task) {
  absl::MutexLock lock(&mutex_);
  queue_.push_back(std::move(task));
}

void Loop::Run() {
  ::pthread_setname_np(::pthread_self(), "squish-loop");  // For top and perf.
  const auto has_work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || !queue_.empty();
  };
  while (true) {
    std::vector<Coordinator::Task> tasks;
    bool last = false;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.AwaitWithTimeout(absl::Condition(&has_work),
                              coordinator_.NextWake() - clock_.Steady());
      tasks.swap(queue_);
      last = stopping_;
    }
    coordinator_.RunBatch(std::move(tasks));
    if (last) return;
  }
}

}  // namespace squish
