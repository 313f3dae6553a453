#include "coordinator/service/io_thread.h"

#include <pthread.h>

#include <utility>

namespace squish {

IoThread::IoThread() : thread_([this] { Run(); }) {}

IoThread::~IoThread() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void IoThread::Post(std::function<void()> task) {
  absl::MutexLock lock(&mutex_);
  queue_.push_back(std::move(task));
}

void IoThread::Run() {
  ::pthread_setname_np(::pthread_self(), "squish-io");  // For top and perf.
  const auto has_work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || !queue_.empty();
  };
  while (true) {
    std::function<void()> task;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&has_work));
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

}  // namespace squish
