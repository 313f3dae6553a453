// The runner's side of an Attempt: what the executor sees, plus cancelling it and
// asking how far it is. Thread-safe.
#ifndef SQUISH_COMMON_RUNNER_ATTEMPT_H_
#define SQUISH_COMMON_RUNNER_ATTEMPT_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/runner/artifact_cache.h"
#include "common/runner/artifact_client.h"
#include "common/runner/checkpoint_sender.h"
#include "common/runner/runner.h"
#include "squish/v1/runner.pb.h"

namespace squish {

// `text` as protobuf takes it: at most `maximum_bytes`, and bytes that are no UTF-8
// replaced by '?'. What children say reaches messages through this.
std::string CleanText(absl::string_view text, size_t maximum_bytes);

class RunnerAttempt : public Attempt {
 public:
  // `cache` and `client` outlive it. `on_news` is called, by any thread, when there is
  // something that the coordinator should be told soon.
  RunnerAttempt(v1::Assignment assignment, ArtifactCache* cache, ArtifactClient* client,
                std::function<void()> on_news);
  // Lets go of the artifacts that it held.
  ~RunnerAttempt() override;

  const std::string& id() const override { return assignment_.attempt_id(); }
  const v1::Job& job() const override { return assignment_.job(); }
  bool cancelled() const override { return cancelled_; }
  void OnCancel(std::function<void()> callback) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnStop(std::function<void()> callback) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Progress(double fraction, std::string note) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Checkpoint(std::string file, const v1::Checkpoint& what) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  void ResumedAt(double fraction) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::string> Fetch(absl::string_view digest) override;
  absl::StatusOr<std::string> Store(absl::string_view path) override;

  // Idempotent. Ends transfers and runs the callback.
  void Cancel() ABSL_LOCKS_EXCLUDED(mutex_);
  // Gives it up: runs OnStop's callback, or cancels it where there is none.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);
  bool given_up() const { return stopped_ || cancelled_; }
  // To be called when its work is over: checkpoints that are on their way arrive, if it was
  // stopped, and are broken off otherwise.
  void EndCheckpoints() ABSL_LOCKS_EXCLUDED(mutex_);
  v1::AttemptProgress Snapshot() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits so long, or until cancelled.
  void Pause(absl::Duration duration) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Tries `transfer` until it succeeds, fails for good, or the attempt is cancelled.
  absl::Status Persist(const std::function<absl::Status(grpc::ClientContext&)>& transfer)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Hold(absl::string_view digest) ABSL_LOCKS_EXCLUDED(mutex_);

  const v1::Assignment assignment_;
  ArtifactCache* const cache_;
  ArtifactClient* const client_;
  const std::function<void()> on_news_;
  std::atomic<bool> cancelled_ = false;  // Set under mutex_.
  std::atomic<bool> stopped_ = false;    // Likewise.

  mutable absl::Mutex mutex_;
  std::function<void()> on_cancel_ ABSL_GUARDED_BY(mutex_);
  std::function<void()> on_stop_ ABSL_GUARDED_BY(mutex_);
  std::vector<grpc::ClientContext*> transfers_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> held_ ABSL_GUARDED_BY(mutex_);
  v1::AttemptProgress progress_ ABSL_GUARDED_BY(mutex_);
  // Made with the first checkpoint. Its thread takes mutex_, so that it is ended without it.
  std::unique_ptr<CheckpointSender> sender_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace squish

#endif  // SQUISH_COMMON_RUNNER_ATTEMPT_H_
