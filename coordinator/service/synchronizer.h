// The Synchronize call: results in, work out, and waiting in between.
//
//   Synchronize ─► results delivered, leases renewed, data sets noted ─► waiting
//   Settle (end of each batch) ─► leases ─► answered when there is something to say:
//       work, results to forget, attempts to stop, new data sets, or the park limit
//
// A call that is waiting is looked at again when its time is up and in every batch after
// which there may be something to say to it: there is work to lease or a straggler to copy,
// an attempt was lost or stopped, the wanted data sets are others, a runner was forgotten or
// is no longer set aside. Of calls that wait in vain a batch costs nothing. Answers are given
// after the commit.
// Not thread-safe; part of the coordinator's loop.
#ifndef SQUISH_COORDINATOR_SERVICE_SYNCHRONIZER_H_
#define SQUISH_COORDINATOR_SERVICE_SYNCHRONIZER_H_

#include <cstdint>
#include <functional>
#include <list>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/rpc.h"
#include "coordinator/service/attempts.h"
#include "coordinator/service/experiments.h"
#include "coordinator/service/disk_guard.h"
#include "coordinator/service/fleet.h"
#include "squish/v1/runner.pb.h"

namespace squish {

class Synchronizer {
 public:
  struct Options {
    absl::Duration lease;       // Runners are forgotten after this much silence.
    absl::Duration park_limit;  // The longest that a call waits.
  };
  // Called with the answer inside the batch; the callee holds it until the commit.
  using Answer = std::function<void(absl::StatusOr<v1::SynchronizeResponse>)>;

  // All outlive it. `guard` may be null.
  Synchronizer(Options options, Clock* clock, Experiments* experiments, Attempts* attempts,
               Fleet* fleet, const DiskGuard* guard)
      : options_(options),
        clock_(*clock),
        experiments_(*experiments),
        attempts_(*attempts),
        fleet_(*fleet),
        guard_(guard) {}

  // `call` names the call for Abandon. Codes as in runner.proto.
  void Synchronize(const Caller& caller, const v1::SynchronizeRequest& request, uint64_t call,
                   Answer answer);
  // The caller has gone: its call ends CANCELLED. Nothing to do is fine.
  void Abandon(uint64_t call);
  // Expires leases, then answers every waiting call that has something to hear.
  void Settle();
  // Ends every waiting call with `status`.
  void EndAll(const absl::Status& status);

  // When Settle has something to do at the latest, if nothing happens before.
  absl::Duration NextDeadline() const;

 private:
  struct Waiting {
    uint64_t call;
    std::string runner;
    std::set<std::string> named;  // Attempts that the request named.
    absl::Duration deadline;
    v1::SynchronizeResponse response;
    Answer answer;
  };

  // Whether calls that wait longer than since this batch may be answered before their time.
  // `changed`: the fleet has, by itself.
  bool HasNews(bool changed);
  // Answers and returns true, or leaves it waiting.
  bool TryAnswer(Waiting& waiting);
  void FillAssignments(const std::vector<BoardAttempt>& running, Waiting& waiting);

  const Options options_;
  Clock& clock_;
  Experiments& experiments_;
  Attempts& attempts_;
  Fleet& fleet_;
  const DiskGuard* const guard_;
  void Forget(std::list<Waiting>::iterator waiting);

  // In order of arrival, and so of deadlines: who waits longest gets work first.
  std::list<Waiting> waiting_;
  std::vector<uint64_t> arrived_;  // Since the last Settle.
  WantedDatasets wanted_;          // As of the last Settle, like the next.
  int64_t taken_attempts_ = 0;
  // Into it; a runner has one call at most.
  std::unordered_map<std::string, std::list<Waiting>::iterator> by_runner_;
  std::unordered_map<uint64_t, std::list<Waiting>::iterator> by_call_;
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_SYNCHRONIZER_H_
