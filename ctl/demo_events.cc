#include "ctl/demo_events.h"

#include <signal.h>

#include <array>
#include <atomic>
#include <utility>

namespace squish {
namespace {

constexpr std::array<int, 3> kSignals = {SIGINT, SIGTERM, SIGHUP};

std::atomic<int> received_signal = 0;
static_assert(std::atomic<int>::is_always_lock_free, "written by a signal handler");
std::array<struct sigaction, kSignals.size()> earlier_actions;

void NoteSignal(int signal) {
  int none = 0;
  received_signal.compare_exchange_strong(none, signal);
}

}  // namespace

StopSignals::StopSignals() {
  received_signal = 0;
  struct sigaction action = {};
  action.sa_handler = NoteSignal;
  action.sa_flags = SA_RESTART;
  for (size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals[i], &action, &earlier_actions[i]);
  }
}

StopSignals::~StopSignals() {
  for (size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals[i], &earlier_actions[i], nullptr);
  }
}

int StopSignals::Received() const { return received_signal; }

ExperimentEvents::ExperimentEvents(CoordinatorClient* client, const std::string& experiment)
    : thread_([this, client, experiment] {
        absl::Status status =
            client->Watch(context_, experiment, [this](const v1::WatchEvent& event) {
              absl::MutexLock lock(&mutex_);
              events_.push_back(event);
            });
        absl::MutexLock lock(&mutex_);
        ended_ = std::move(status);
      }) {}

ExperimentEvents::~ExperimentEvents() {
  context_.TryCancel();
  thread_.join();
}

std::optional<v1::WatchEvent> ExperimentEvents::Next(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto something = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !events_.empty() || ended_.has_value();
  };
  mutex_.AwaitWithTimeout(absl::Condition(&something), timeout);
  if (events_.empty()) return std::nullopt;
  v1::WatchEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

std::optional<absl::Status> ExperimentEvents::Ended() {
  absl::MutexLock lock(&mutex_);
  return events_.empty() ? ended_ : std::nullopt;
}

}  // namespace squish
