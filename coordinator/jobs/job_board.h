// The job board: which job is open, who works on it, and who may deliver.
//
//                       lease                    first valid result
//        ┌─► 1 QUEUED ─────────► 2 LEASED ───────────────────────────► 3 DONE
//        │      ▲  ▲                │  │
//        │      │  └─ lost runner ──┘  │ retries used up
//        │      └──── failed attempt ──┘
//        │ retry                       ▼
//        └──────────────────────── 4 EXHAUSTED        any of 1, 2, 4 ─► 5 WITHDRAWN
//
// Rules:
//   - a job is open (1, 2, 4) until its first valid result is accepted or it is
//     withdrawn; any attempt of an open job may deliver, also after its lease ran out;
//   - after that a delivery is answered OK and replaces nothing (DUPLICATE; with
//     another digest of synthesis or training: NONDETERMINISTIC); a delivery for a
//     withdrawn job is REFUSED and costs the runner nothing;
//   - an attempt belongs to one runner identity;
//   - accepting a result or withdrawing a job stops its running attempts (STOPPED);
//   - a job has one running attempt, or two where LeaseAgain gave a second runner a copy;
//     it is queued, or out of retries, when the last of them has ended in vain;
//   - leases decide who works; retries are capped, apart for lost runners and
//     failures; the attempt that reaches a cap makes the job EXHAUSTED;
//   - an attempt that has ended cannot fail again: a late or repeated failure changes
//     nothing (DUPLICATE);
//   - ids that the board does not know change nothing; a delivery for one is REFUSED.
//
// Pure in-memory state: time comes in as an argument (steady, never wall time), ids
// as arguments, nothing is written. The owner persists each change in the same
// transaction and rebuilds the board with Restore* after a start; leases then get a
// full new term. Not thread-safe: one thread (the coordinator's loop) owns it.
// Costs: O(log n) for each job or attempt touched, n being the jobs of live experiments;
// Lease is O(kinds and rungs) for each experiment whose jobs are all unfit besides.
#ifndef SQUISH_COORDINATOR_JOBS_JOB_BOARD_H_
#define SQUISH_COORDINATOR_JOBS_JOB_BOARD_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "squish/v1/experiment.pb.h"
#include "squish/v1/job.pb.h"

namespace squish {

enum class JobState { kQueued = 1, kLeased = 2, kDone = 3, kExhausted = 4, kWithdrawn = 5 };
absl::string_view JobStateName(JobState state);  // "QUEUED", …

// What the board knows of a job. `id` is the population's row id.
struct BoardJob {
  int64_t id = 0;
  int64_t experiment = 0;  // Row id.
  v1::JobKey key;
  JobState state = JobState::kQueued;
  int lost = 0;      // Attempts that ended with their runner.
  int failed = 0;    // Attempts that a runner reported as failed.
  int invalid = 0;   // INVALID measurements.
  std::string last_error;
  std::string result_digest;  // Of a DONE job: what a repeated result must equal.
};

enum class AttemptState { kRunning = 1, kDelivered = 2, kFailed = 3, kLost = 4, kStopped = 5 };
absl::string_view AttemptStateName(AttemptState state);

struct BoardAttempt {
  std::string id;
  int64_t job = 0;
  std::string runner;         // RunnerInfo.id
  uint64_t incarnation = 0;   // RunnerInfo.incarnation
  AttemptState state = AttemptState::kRunning;
};

// How an attempt ended, as reported.
struct Report {
  enum class Kind { kResult, kFailure, kInvalidMeasurement };
  Kind kind = Kind::kResult;
  std::string digest;  // kResult: what a repetition must equal; empty: never compared.
  std::string error;   // Otherwise: what went wrong, for people.
};

enum class Verdict {
  kAccepted,          // First valid result: record it, the job is DONE.
  kDuplicate,         // The job was DONE, or the attempt had ended; nothing changes.
  kNondeterministic,  // As kDuplicate, but the digest differs: count it.
  kRefused,           // The job is WITHDRAWN, or the attempt is unknown.
  kRetry,             // Failed; the job is QUEUED again.
  kExhausted,         // Failed or lost as often as allowed; the job is EXHAUSTED.
};

class JobBoard {
 public:
  struct Options {
    absl::Duration lease = absl::Seconds(30);
  };
  explicit JobBoard(Options options);
  ~JobBoard();

  // --- Experiments. Jobs of a paused experiment are not leased.
  // `weight`, above 0, is its share of the runners beside others.
  void AddExperiment(int64_t experiment, const v1::RetrySpec& retry, bool paused,
                     double weight = 1);
  void SetPaused(int64_t experiment, bool paused);
  // Forgets the experiment, its jobs and attempts (it has ended).
  void RemoveExperiment(int64_t experiment);
  // Forgets its jobs of generations before this one, which are all DONE or WITHDRAWN, and
  // their attempts; returns the latter. O(what it forgets).
  std::vector<std::string> ForgetBefore(int64_t experiment, int generation);

  // --- Jobs. A new job is QUEUED. Order of leasing: experiments with the fewest
  // leased jobs for their weight first, then generation, index, kind, rung.
  void Add(int64_t id, int64_t experiment, const v1::JobKey& key);
  // After a start: jobs, then their attempts, as they were stored. RUNNING attempts of
  // open jobs get a full new term from `now`; a LEASED job without one is QUEUED.
  void RestoreJob(BoardJob job);
  void RestoreAttempt(BoardAttempt attempt, absl::Duration now);
  // Returns the attempts that were running (their runners are told to stop).
  std::vector<std::string> Withdraw(int64_t job);
  // EXHAUSTED jobs of the experiment become QUEUED with fresh retries. Returns them.
  std::vector<int64_t> RetryExhausted(int64_t experiment);

  // --- Runners.
  // The next job that `fits`, leased to the runner under `attempt_id` until
  // now + lease; nothing when none fits. `attempt_id` must be new. `fits` may look at a
  // job's experiment, kind and rung only: it is asked once for all that have these.
  std::optional<BoardAttempt> Lease(const std::string& runner, uint64_t incarnation,
                                    const std::string& attempt_id, absl::Duration now,
                                    const std::function<bool(const BoardJob&)>& fits);
  // A second attempt of a LEASED job for another runner, the first going on. Nothing when the
  // job is not LEASED, has two already, or this runner has it.
  std::optional<BoardAttempt> LeaseAgain(int64_t job, const std::string& runner,
                                         uint64_t incarnation, const std::string& attempt_id,
                                         absl::Duration now);
  // Renews every running attempt of the runner. Attempts of an earlier incarnation of
  // it end as lost; they are returned as in Expire.
  struct Lost {
    BoardAttempt attempt;
    Verdict verdict;  // kRetry or kExhausted.
  };
  std::vector<Lost> Renew(const std::string& runner, uint64_t incarnation, absl::Duration now);
  // Running attempts of the runner, by attempt id.
  std::vector<BoardAttempt> Running(const std::string& runner) const;
  // Ends attempts whose lease ran out (`now` at or after its end), the oldest first.
  std::vector<Lost> Expire(absl::Duration now);
  // When the next lease runs out; InfiniteDuration when none is out.
  absl::Duration NextExpiry() const;
  // Every lease gets a full new term (after a gap in our own clock).
  void RenewAll(absl::Duration now);

  // --- Deliveries.
  // `runner` must be the attempt's own, else kRefused.
  Verdict Deliver(const std::string& attempt_id, const std::string& runner, const Report& report);
  // Whether Deliver would say kAccepted for a valid result; changes nothing. Only tests
  // ask: the owner judges a result's content first and then delivers its Report.
  bool WouldAccept(const std::string& attempt_id, const std::string& runner) const;

  // --- Looking. Null when unknown.
  const BoardJob* FindJob(int64_t id) const;
  const BoardAttempt* FindAttempt(const std::string& id) const;
  // Whether there is a job that Lease would give to a runner whom everything fits.
  bool HasLeasable() const;
  // How many running attempts have been lost or stopped so far. Unless this has changed,
  // Running says of a runner that neither delivered nor leased anything what it said before.
  int64_t taken_attempts() const;
  // Number of jobs by kind and state, over live experiments, without those that were
  // forgotten; zeros included.
  std::map<std::pair<v1::JobKey::Kind, JobState>, int64_t> Counts() const;
  // How many jobs of a kind are QUEUED in an experiment, by rung; none of 0. O(rungs).
  std::map<int, int64_t> QueuedByRung(int64_t experiment, v1::JobKey::Kind kind) const;
  // QUEUED jobs of an experiment in leasing order.
  std::vector<const BoardJob*> Queued(int64_t experiment) const;
  std::vector<const BoardJob*> Exhausted(int64_t experiment) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_JOBS_JOB_BOARD_H_
