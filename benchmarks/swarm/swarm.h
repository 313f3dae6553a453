// Many runners of one process, each with a connection of its own: what `common/runner`
// says to a coordinator, without what it does beside. A real runner keeps every result on
// its own disk before it sends it and runs each attempt on a thread; a thousand of those
// on one machine would measure themselves. Channels and messages are the real ones.
//
//   kFree    a lifecycle after the other, as fast as answers come:
//            answer with a lease ─► call with progress ─► call with the result
//                   ▲                                        │
//                   └──── acknowledged, and the next lease ──┘
//   kPaced   the same calls, each when it is due (schedule.h); a member without work
//            waits inside a call, as every runner does
//
// One lifecycle is counted when its acknowledgement has come, which the coordinator sends
// after the commit. Thread-safe.
#ifndef SQUISH_BENCHMARKS_SWARM_SWARM_H_
#define SQUISH_BENCHMARKS_SWARM_SWARM_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "benchmarks/swarm/answers.h"
#include "benchmarks/swarm/distribution.h"
#include "squish/v1/runner.grpc.pb.h"

namespace squish {

class Swarm {
 public:
  struct Options {
    std::string coordinator;  // HOST:PORT
    int workers = 0;
    int agents = 0;
    StandIn stand_in;
    int result_bytes = 1024;  // Shorter results are padded.
  };

  // What was counted between two calls of Take.
  struct Counts {
    int64_t lifecycles = 0;     // Leased, told of, delivered, acknowledged.
    Distribution lifecycle_ms;  // From the answer with the lease to the acknowledgement.
    Distribution found_ms;      // kPaced: of calls whose answer brought work, since due.
    Distribution other_ms;      // kPaced: of the others: progress, and results of the last.
    int64_t without_work = 0;   // kPaced: due when the member had none.
  };

  explicit Swarm(Options options);
  ~Swarm();  // Ends every call and waits for that.
  Swarm(const Swarm&) = delete;
  Swarm& operator=(const Swarm&) = delete;

  // Connects every member, some at a time, and lets it call, as kFree. Returns when the last
  // one calls. UNAVAILABLE: somebody cannot connect; codes of the first failed call.
  absl::Status Start();

  // From here on members do one call when told to by RunPaced, and no other with a lease.
  void Pace();
  // So many lifecycles in a second, for so long. Waits until the last due call is made,
  // not until it is answered.
  void RunPaced(double lifecycles_per_second, absl::Duration duration);

  // What was counted since the last Take.
  Counts Take() ABSL_LOCKS_EXCLUDED(counts_mutex_);

  // The first call that failed, or an attempt that the coordinator took back: the swarm
  // is not to be believed then.
  absl::Status Trouble() ABSL_LOCKS_EXCLUDED(counts_mutex_);

 private:
  struct Held {
    std::string attempt;
    v1::Job job;
    absl::Duration leased;
    bool told = false;  // Progress has been.
  };

  struct Member {
    v1::RunnerInfo info;
    std::unique_ptr<v1::RunnerService::Stub> stub;

    absl::Mutex mutex;
    bool calling ABSL_GUARDED_BY(mutex) = false;
    std::unique_ptr<grpc::ClientContext> context ABSL_GUARDED_BY(mutex);
    v1::SynchronizeRequest request;    // Of the call that is under way.
    v1::SynchronizeResponse response;  // Likewise.
    std::vector<v1::DatasetReport> datasets ABSL_GUARDED_BY(mutex);
    std::optional<Held> held ABSL_GUARDED_BY(mutex);
    std::optional<Held> delivering ABSL_GUARDED_BY(mutex);
    std::optional<absl::Duration> due ABSL_GUARDED_BY(mutex);       // A call to be made.
    std::optional<absl::Duration> call_due ABSL_GUARDED_BY(mutex);  // Of that under way.
  };

  // Makes the request of the next step. False: there is nothing to say now.
  bool Prepare(Member& member) ABSL_EXCLUSIVE_LOCKS_REQUIRED(member.mutex);
  void Call(Member& member) ABSL_LOCKS_EXCLUDED(member.mutex);
  void CallIfReady(Member& member) ABSL_LOCKS_EXCLUDED(member.mutex);
  void TakeAnswer(Member& member, const grpc::Status& status) ABSL_LOCKS_EXCLUDED(member.mutex);
  void Adopt(Member& member, absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(member.mutex);
  void TakeBack(const std::string& attempt);
  void Fail(const absl::Status& status) ABSL_LOCKS_EXCLUDED(counts_mutex_);

  const Options options_;
  std::vector<std::unique_ptr<Member>> members_;

  absl::Mutex counts_mutex_;
  Counts counts_ ABSL_GUARDED_BY(counts_mutex_);
  absl::Status trouble_ ABSL_GUARDED_BY(counts_mutex_);
  int64_t under_way_ ABSL_GUARDED_BY(counts_mutex_) = 0;
  bool ending_ ABSL_GUARDED_BY(counts_mutex_) = false;
  bool paced_ ABSL_GUARDED_BY(counts_mutex_) = false;
};

}  // namespace squish

#endif  // SQUISH_BENCHMARKS_SWARM_SWARM_H_
