// What a running demo reacts to, brought together for one thread: changes of the
// experiment, and the wish to stop.
#ifndef SQUISH_CTL_DEMO_EVENTS_H_
#define SQUISH_CTL_DEMO_EVENTS_H_

#include <grpcpp/grpcpp.h>

#include <deque>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "ctl/coordinator_client.h"
#include "squish/v1/experiment_service.pb.h"

namespace squish {

// SIGINT, SIGTERM and SIGHUP are noted instead of ending the process while it lives.
// One at a time.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  // The first that came, or 0.
  int Received() const;
};

// Watches an experiment on a thread of its own. Next is for one thread.
class ExperimentEvents {
 public:
  // `client` outlives it.
  ExperimentEvents(CoordinatorClient* client, const std::string& experiment);
  ~ExperimentEvents();

  // The next change; nothing when none came in time or the stream is over.
  std::optional<v1::WatchEvent> Next(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);

  // How the stream ended, once it has and every event was taken.
  std::optional<absl::Status> Ended() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  grpc::ClientContext context_;
  absl::Mutex mutex_;
  std::deque<v1::WatchEvent> events_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> ended_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace squish

#endif  // SQUISH_CTL_DEMO_EVENTS_H_
