// Attempts: leases given to runners, what they deliver, and what is lost.
//
//   Lease ─► Renew … ─► Deliver ─► accepted: a fact, the planner goes on
//                 └───► Expire      └─► failed: queued again or out of retries
//
// Not thread-safe; part of the coordinator's loop, inside a transaction.
#ifndef SQUISH_COORDINATOR_SERVICE_ATTEMPTS_H_
#define SQUISH_COORDINATOR_SERVICE_ATTEMPTS_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "coordinator/jobs/job_board.h"
#include "coordinator/service/fleet.h"
#include "coordinator/service/ledger.h"
#include "coordinator/service/live_experiment.h"
#include "coordinator/service/planner.h"
#include "squish/v1/runner.pb.h"

namespace squish {

using LiveExperiments = std::map<int64_t, LiveExperiment>;  // By row.

class Attempts {
 public:
  // All outlive it.
  Attempts(Ledger* ledger, Planner* planner, LiveExperiments* live, Fleet* fleet)
      : ledger_(*ledger), planner_(*planner), live_(*live), fleet_(*fleet) {}

  // Leases the next job that fits to the runner. False: there is none.
  using Fits = std::function<bool(const LiveExperiment&, const BoardJob&)>;
  bool Lease(const v1::RunnerInfo& runner, const Fits& fits);

  // A second copy of a job that takes far longer than its peers (straggling.h), for a runner
  // that has nothing else to do. False: there is none.
  bool LeaseAgain(const v1::RunnerInfo& runner, const Fits& fits);
  // Finds those jobs; looks again after a second.
  void LookForStragglers();
  bool HasStragglers() const { return !stragglers_.empty(); }

  bool HasLeasable() const { return ledger_.board().HasLeasable(); }
  int64_t taken() const { return ledger_.board().taken_attempts(); }

  // What the runner should be doing.
  std::vector<BoardAttempt> Running(const std::string& runner) const {
    return ledger_.board().Running(runner);
  }
  // The job as its runner is given it: with the latest checkpoint.
  v1::Job WorkOf(const BoardAttempt& attempt);

  // Renews the leases of this incarnation; attempts of an earlier one are lost.
  void Renew(const v1::RunnerInfo& runner);
  // How far the runner says its attempts are, and from where others could go on.
  void NoteProgress(const std::string& runner, const v1::AttemptProgress& progress);
  // Attempts whose lease ran out are lost.
  void Expire();
  absl::Duration NextExpiry() const { return ledger_.board().NextExpiry(); }

  // A finished attempt. Whatever is answered, the runner may forget the result once
  // the transaction is committed.
  void Deliver(const std::string& runner, const v1::AttemptResult& result);

 private:
  LiveExperiment& ExperimentOf(const BoardJob& job) { return live_.at(job.experiment); }
  v1::Job WorkOf(int64_t job);
  bool IsStraggler(const LiveExperiment& experiment, int64_t job) const;
  void RecordGiven(const BoardAttempt& attempt, const char* how);
  void NoteCheckpoint(AttemptNote& note, const BoardAttempt& attempt,
                      const v1::Checkpoint& checkpoint);
  void RecordLost(const std::vector<JobBoard::Lost>& lost);
  void NoteAncestorSpeed(const std::string& runner, const BoardJob& job,
                         const v1::AttemptResult& result);
  void Accept(LiveExperiment& experiment, const BoardJob& job, const v1::AttemptResult& result);
  void RecordFailure(LiveExperiment& experiment, const BoardJob& job, const std::string& attempt);
  void RecordLate(LiveExperiment& experiment, const v1::AttemptResult& result,
                  bool nondeterministic);

  Ledger& ledger_;
  Planner& planner_;
  LiveExperiments& live_;
  Fleet& fleet_;
  std::vector<int64_t> stragglers_;
  absl::Duration looked_ = -absl::InfiniteDuration();
  std::string next_attempt_;  // The id of the next one; empty: to be drawn.
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_ATTEMPTS_H_
