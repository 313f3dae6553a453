// Takes an attempt's checkpoints to the coordinator, on a thread of its own, so that the
// attempt's work goes on meanwhile:
//
//   Send ─► waits (a newer one takes its place) ─► uploaded ─► named
//              ▲                                      │
//              └── the coordinator is away ───────────┘
//
// A checkpoint is a convenience: one that cannot be uploaded is logged and left. Thread-safe.
#ifndef SQUISH_COMMON_RUNNER_CHECKPOINT_SENDER_H_
#define SQUISH_COMMON_RUNNER_CHECKPOINT_SENDER_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/runner/artifact_client.h"
#include "squish/v1/job.pb.h"

namespace squish {

class CheckpointSender {
 public:
  // `named` is called, by the sender's thread, with each that the coordinator has, its
  // artifact filled in. `client` outlives the sender.
  CheckpointSender(ArtifactClient* client, std::function<void(const v1::Checkpoint&)> named);
  ~CheckpointSender();  // End.
  CheckpointSender(const CheckpointSender&) = delete;
  CheckpointSender& operator=(const CheckpointSender&) = delete;

  void Send(std::string file, const v1::Checkpoint& what) ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits until nothing is on its way any more, or End.
  void Flush() ABSL_LOCKS_EXCLUDED(mutex_);

  // Breaks off what is on its way; nothing is sent any more. Idempotent.
  void End() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Waiting {
    std::string file;
    v1::Checkpoint what;
  };
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void Upload(const Waiting& next) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether it is worth trying again: waits, unless a newer one comes or the end.
  bool MayRetry(absl::Duration delay) ABSL_LOCKS_EXCLUDED(mutex_);
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return ending_ || waiting_.has_value();
  }
  bool IsIdle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return ending_ || (!waiting_.has_value() && !busy_);
  }

  ArtifactClient* const client_;
  const std::function<void(const v1::Checkpoint&)> named_;

  absl::Mutex mutex_;
  std::optional<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* transfer_ ABSL_GUARDED_BY(mutex_) = nullptr;

  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace squish

#endif  // SQUISH_COMMON_RUNNER_CHECKPOINT_SENDER_H_
