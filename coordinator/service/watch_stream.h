// One Watch call: a queue between the loop and a gRPC stream. A slow reader costs a
// bounded amount of memory: of an individual, a champion and the experiment only the
// latest state waits.
#ifndef SQUISH_COORDINATOR_SERVICE_WATCH_STREAM_H_
#define SQUISH_COORDINATOR_SERVICE_WATCH_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/rpc.h"
#include "coordinator/service/loop.h"
#include "coordinator/service/watch_hub.h"
#include "squish/v1/experiment_service.pb.h"

namespace squish {

// Thread-safe. Owned by the watch hub and by gRPC together.
class WatchStream : public WatchSink, public grpc::ServerWriteReactor<v1::WatchEvent> {
 public:
  // Begins the call; gRPC is handed the result.
  static grpc::ServerWriteReactor<v1::WatchEvent>* Start(Loop& loop, const Caller& caller,
                                                         const v1::WatchRequest& request);

  void Push(const v1::Experiment& experiment) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Push(const v1::Individual& individual) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Push(const v1::Champion& champion) override ABSL_LOCKS_EXCLUDED(mutex_);
  void End(const absl::Status& status) override ABSL_LOCKS_EXCLUDED(mutex_);
  bool gone() const override ABSL_LOCKS_EXCLUDED(mutex_);

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone() override;

 private:
  WatchStream() = default;

  // Writes the next event, or finishes after the last. Individuals, then champions, go
  // before the experiment, so that its last state comes last; only at the start it comes
  // first.
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool TakeNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Finish(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::shared_ptr<WatchStream> self_;  // Until OnDone.
  mutable absl::Mutex mutex_;
  std::optional<v1::Experiment> experiment_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<int, int>, v1::Individual> individuals_ ABSL_GUARDED_BY(mutex_);
  std::map<int, v1::Champion> champions_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
  v1::WatchEvent event_ ABSL_GUARDED_BY(mutex_);  // Being written.
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_WATCH_STREAM_H_
