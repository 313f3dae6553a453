// The job board, the live experiments and the population, kept in step: every change of
// the first two is written to the third inside the open transaction.
//
//   Planner, Attempts, Experiments ──► Ledger ──► JobBoard      (who works)
//                                        ├──────► LiveExperiment (in memory)
//                                        ├──────► Population    (on disk)
//                                        └──────► Changes       (who is told)
//
// When the transaction cannot be committed, memory is ahead of the disk: the owner
// throws this away with everything that hangs on it and loads anew. Not thread-safe: the
// coordinator's loop uses it, between Population::Begin and Commit.
#ifndef SQUISH_COORDINATOR_SERVICE_LEDGER_H_
#define SQUISH_COORDINATOR_SERVICE_LEDGER_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "coordinator/jobs/job_board.h"
#include "coordinator/population/population.h"
#include "coordinator/service/changes.h"
#include "coordinator/service/live_experiment.h"
#include "squish/v1/job.pb.h"
#include "squish/v1/runner.pb.h"

namespace squish {

class Ledger {
 public:
  // Both outlive it.
  Ledger(Population* population, Clock* clock, absl::Duration lease)
      : population_(*population), clock_(*clock), board_(JobBoard::Options{lease}) {}

  JobBoard& board() { return board_; }
  const JobBoard& board() const { return board_; }
  Population& population() { return population_; }
  Clock& clock() { return clock_; }
  Changes& changes() { return changes_; }

  // --- Experiments.
  // Writes the experiment's row as it is now.
  void Save(const LiveExperiment& experiment);
  // The experiment ends: open jobs are withdrawn, their attempts stopped, the board
  // forgets it. `state` is SUCCEEDED, FAILED or CANCELLED.
  void End(LiveExperiment& experiment, v1::Experiment::State state, absl::string_view reason);
  // Makes NEEDS_ATTENTION of RUNNING when a job is out of retries, and the other way
  // round when none is any more. To be called after the board changed.
  void CheckAttention(LiveExperiment& experiment);
  // Jobs out of retries get a new set.
  void RetryExhausted(const LiveExperiment& experiment);

  // --- Generations.
  // Describes individual (or champion) `index` of the open generation anew and writes it
  // if changed.
  void Refresh(LiveExperiment& experiment, int index);
  // Starts generation `generation`, with nothing known of it.
  void OpenGeneration(LiveExperiment& experiment, int generation);
  // Writes what closing decided and withdraws what is still open.
  void CloseGeneration(LiveExperiment& experiment, const Closing& closing);

  // --- Jobs of the open generation.
  void AddJob(LiveExperiment& experiment, v1::Job work);
  // A job that is done before anyone was asked: `result` answers it.
  void AddAnsweredJob(LiveExperiment& experiment, v1::Job work, v1::AttemptResult result);
  void Withdraw(LiveExperiment& experiment, int64_t job);
  // A result becomes a fact: recorded, counted, and the individual refreshed.
  void AcceptFact(LiveExperiment& experiment, const v1::AttemptResult& result);

  // --- Attempts, after the board has changed them.
  void RecordLease(LiveExperiment& experiment, const BoardAttempt& attempt);
  // Writes the attempt's end and what was wasted: `images_wasted`, or when absent what
  // its progress says.
  void RecordEnd(LiveExperiment& experiment, const std::string& attempt,
                 std::optional<int64_t> images_wasted = std::nullopt);
  // Another checkpoint is the training's latest; or it needs none any more, which is to be said
  // before the population hears that it is over.
  void RecordCheckpoint(int64_t job, const v1::Checkpoint& checkpoint);
  void ForgetCheckpoint(int64_t job);

  // Other running attempts of a job that is done, or those of a withdrawn one.
  void RecordStopped(LiveExperiment& experiment, int64_t job);

 private:
  // The job's checkpoint is about to go; false: it has none.
  bool NoteObsolete(int64_t job);
  void RefreshIndividual(LiveExperiment& experiment, int index);
  void RefreshChampion(LiveExperiment& experiment, int index);

  Population& population_;
  Clock& clock_;
  JobBoard board_;
  Changes changes_;
};

// The facts about an individual with one more; used when accepting and when replaying.
void ApplyResult(const v1::AttemptResult& result, IndividualFacts& facts);

// Whether the job is out of retries because of measurements that were INVALID: that is
// about the board, and the experiment waits for one instead of asking its owner.
bool ExhaustedByMeasurements(const BoardJob& job, const v1::RetrySpec& retry);

// "TRAIN of individual 3:2", "EXPORT of champion 0 (3:2)".
std::string JobName(const LiveExperiment& experiment, const v1::JobKey& key);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_LEDGER_H_
