#include "coordinator/jobs/job_board.h"

#include <iterator>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace squish {
namespace {

constexpr v1::JobKey::Kind kKinds[] = {v1::JobKey::SYNTHESIZE, v1::JobKey::TRAIN,
                                       v1::JobKey::MEASURE, v1::JobKey::EVALUATE,
                                       v1::JobKey::EXPORT};
constexpr JobState kStates[] = {JobState::kQueued, JobState::kLeased, JobState::kDone,
                                JobState::kExhausted, JobState::kWithdrawn};

// Leasing order inside an experiment.
struct QueuePlace {
  int generation, index, kind, rung;
  int64_t id;
  friend auto operator<=>(const QueuePlace&, const QueuePlace&) = default;
};

QueuePlace PlaceOf(const BoardJob& job) {
  return {job.key.generation(), job.key.index(), job.key.kind(), job.key.rung(), job.id};
}

// Jobs of one experiment that are leased alike.
using Sort = std::pair<int, int>;
Sort SortOf(const BoardJob& job) { return {job.key.kind(), job.key.rung()}; }

bool IsOpen(JobState state) { return state != JobState::kDone && state != JobState::kWithdrawn; }

}  // namespace

absl::string_view JobStateName(JobState state) {
  switch (state) {
    case JobState::kQueued: return "QUEUED";
    case JobState::kLeased: return "LEASED";
    case JobState::kDone: return "DONE";
    case JobState::kExhausted: return "EXHAUSTED";
    case JobState::kWithdrawn: return "WITHDRAWN";
  }
  return "UNKNOWN";
}

absl::string_view AttemptStateName(AttemptState state) {
  switch (state) {
    case AttemptState::kRunning: return "RUNNING";
    case AttemptState::kDelivered: return "DELIVERED";
    case AttemptState::kFailed: return "FAILED";
    case AttemptState::kLost: return "LOST";
    case AttemptState::kStopped: return "STOPPED";
  }
  return "UNKNOWN";
}

// Every index (queues, counts, leases, runners) is derived from the states of jobs and
// attempts, and kept by SetJobState and SetAttemptState alone.
struct JobBoard::State {
  struct JobEntry {
    BoardJob job;
    std::vector<std::string> attempts;
    std::set<std::string> running;
  };
  struct AttemptEntry {
    BoardAttempt attempt;
    absl::Duration deadline;  // While running.
  };
  struct Experiment {
    v1::RetrySpec retry;
    bool paused = false;
    double weight = 1;
    int64_t leased = 0;
    std::map<Sort, std::set<QueuePlace>> queued;  // None is empty.
    std::set<QueuePlace> exhausted;
    std::map<int, std::vector<int64_t>> jobs;  // By generation.

    double Load() const { return static_cast<double>(leased) / weight; }
  };

  Options options;
  std::unordered_map<int64_t, Experiment> experiments;
  std::unordered_map<int64_t, JobEntry> jobs;
  std::unordered_map<std::string, AttemptEntry> attempts;
  std::map<std::pair<v1::JobKey::Kind, JobState>, int64_t> counts;
  int64_t taken_attempts = 0;
  // Experiments with something to lease: (load, experiment).
  std::set<std::pair<double, int64_t>> turn;
  std::set<std::pair<absl::Duration, std::string>> leases;       // (deadline, attempt)
  std::unordered_map<std::string, std::set<std::string>> runners;  // Running attempts.

  static bool Leasable(const Experiment& experiment) {
    return !experiment.paused && !experiment.queued.empty();
  }

  // Applies `change` to an experiment's fields and puts it where it belongs in `turn`.
  template <typename Change>
  void ChangeExperiment(int64_t id, const Change& change) {
    Experiment& experiment = experiments.at(id);
    turn.erase({experiment.Load(), id});
    change(experiment);
    if (Leasable(experiment)) turn.insert({experiment.Load(), id});
  }

  void Enter(const BoardJob& job) {
    ++counts[{job.key.kind(), job.state}];
    ChangeExperiment(job.experiment, [&job](Experiment& experiment) {
      if (job.state == JobState::kQueued) experiment.queued[SortOf(job)].insert(PlaceOf(job));
      if (job.state == JobState::kExhausted) experiment.exhausted.insert(PlaceOf(job));
      if (job.state == JobState::kLeased) ++experiment.leased;
    });
  }

  void Leave(const BoardJob& job) {
    --counts[{job.key.kind(), job.state}];
    ChangeExperiment(job.experiment, [&job](Experiment& experiment) {
      if (job.state == JobState::kQueued) {
        const auto alike = experiment.queued.find(SortOf(job));
        alike->second.erase(PlaceOf(job));
        if (alike->second.empty()) experiment.queued.erase(alike);
      }
      if (job.state == JobState::kExhausted) experiment.exhausted.erase(PlaceOf(job));
      if (job.state == JobState::kLeased) --experiment.leased;
    });
  }

  void SetJobState(JobEntry& entry, JobState state) {
    if (entry.job.state == state) return;
    Leave(entry.job);
    entry.job.state = state;
    Enter(entry.job);
  }

  void StartAttempt(AttemptEntry& entry, absl::Duration deadline) {
    entry.attempt.state = AttemptState::kRunning;
    entry.deadline = deadline;
    leases.insert({deadline, entry.attempt.id});
    runners[entry.attempt.runner].insert(entry.attempt.id);
    jobs.at(entry.attempt.job).running.insert(entry.attempt.id);
  }

  // A new attempt at the job.
  BoardAttempt Give(JobEntry& entry, const std::string& runner, uint64_t incarnation,
                    const std::string& attempt_id, absl::Duration now) {
    entry.attempts.push_back(attempt_id);
    AttemptEntry& added = attempts[attempt_id];
    added.attempt = {attempt_id, entry.job.id, runner, incarnation, AttemptState::kRunning};
    StartAttempt(added, now + options.lease);
    SetJobState(entry, JobState::kLeased);
    return added.attempt;
  }

  void EndAttempt(AttemptEntry& entry, AttemptState state) {
    if (entry.attempt.state == AttemptState::kRunning) {
      leases.erase({entry.deadline, entry.attempt.id});
      const auto runner = runners.find(entry.attempt.runner);
      runner->second.erase(entry.attempt.id);
      if (runner->second.empty()) runners.erase(runner);
      jobs.at(entry.attempt.job).running.erase(entry.attempt.id);
      if (state == AttemptState::kLost || state == AttemptState::kStopped) ++taken_attempts;
    }
    entry.attempt.state = state;
  }

  void MoveDeadline(AttemptEntry& entry, absl::Duration deadline) {
    leases.erase({entry.deadline, entry.attempt.id});
    entry.deadline = deadline;
    leases.insert({deadline, entry.attempt.id});
  }

  // Forgets the job; returns its attempts.
  std::vector<std::string> Forget(int64_t id) {
    const auto job = jobs.find(id);
    StopAttempts(job->second);
    std::vector<std::string> forgotten = std::move(job->second.attempts);
    for (const std::string& attempt : forgotten) attempts.erase(attempt);
    Leave(job->second.job);
    jobs.erase(job);
    return forgotten;
  }

  // Returns the attempts that were running.
  std::vector<std::string> StopAttempts(const JobEntry& entry) {
    std::vector<std::string> stopped(entry.running.begin(), entry.running.end());
    for (const std::string& id : stopped) EndAttempt(attempts.at(id), AttemptState::kStopped);
    return stopped;
  }

  // The running attempt has ended without a result, and `tries` of at most `limit`
  // have ended that way.
  Verdict QueueAgain(JobEntry& entry, int tries, int limit) {
    const bool exhausted = tries >= limit;
    if (!entry.running.empty()) return Verdict::kRetry;  // Its other copy goes on.
    SetJobState(entry, exhausted ? JobState::kExhausted : JobState::kQueued);
    return exhausted ? Verdict::kExhausted : Verdict::kRetry;
  }

  Lost Lose(AttemptEntry& attempt, absl::string_view why) {
    EndAttempt(attempt, AttemptState::kLost);
    JobEntry& entry = jobs.at(attempt.attempt.job);
    ++entry.job.lost;
    entry.job.last_error = std::string(why);
    const int limit = experiments.at(entry.job.experiment).retry.lost_runners();
    return {attempt.attempt, QueueAgain(entry, entry.job.lost, limit)};
  }

  Verdict AcceptResult(JobEntry& entry, AttemptEntry& attempt, const std::string& digest) {
    EndAttempt(attempt, AttemptState::kDelivered);
    StopAttempts(entry);
    entry.job.result_digest = digest;
    SetJobState(entry, JobState::kDone);
    return Verdict::kAccepted;
  }

  Verdict AcceptFailure(JobEntry& entry, AttemptEntry& attempt, const Report& report) {
    EndAttempt(attempt, AttemptState::kFailed);
    entry.job.last_error = report.error;
    const v1::RetrySpec& retry = experiments.at(entry.job.experiment).retry;
    if (report.kind == Report::Kind::kInvalidMeasurement) {
      return QueueAgain(entry, ++entry.job.invalid, retry.invalid_measurements());
    }
    return QueueAgain(entry, ++entry.job.failed, retry.failures());
  }
};

JobBoard::JobBoard(Options options) : state_(std::make_unique<State>()) {
  state_->options = options;
  for (const v1::JobKey::Kind kind : kKinds) {
    for (const JobState state : kStates) state_->counts[{kind, state}] = 0;
  }
}

JobBoard::~JobBoard() = default;

void JobBoard::AddExperiment(int64_t experiment, const v1::RetrySpec& retry, bool paused,
                             double weight) {
  state_->experiments.try_emplace(experiment);
  state_->ChangeExperiment(experiment, [&](State::Experiment& added) {
    added.retry = retry;
    added.paused = paused;
    added.weight = weight;
  });
}

void JobBoard::SetPaused(int64_t experiment, bool paused) {
  if (!state_->experiments.contains(experiment)) return;
  state_->ChangeExperiment(experiment,
                           [paused](State::Experiment& changed) { changed.paused = paused; });
}

void JobBoard::RemoveExperiment(int64_t experiment) {
  const auto found = state_->experiments.find(experiment);
  if (found == state_->experiments.end()) return;
  for (const auto& [generation, jobs] : found->second.jobs) {
    for (const int64_t job : jobs) state_->Forget(job);
  }
  state_->experiments.erase(found);
}

std::vector<std::string> JobBoard::ForgetBefore(int64_t experiment, int generation) {
  std::vector<std::string> forgotten;
  const auto found = state_->experiments.find(experiment);
  if (found == state_->experiments.end()) return forgotten;
  auto& jobs = found->second.jobs;
  while (!jobs.empty() && jobs.begin()->first < generation) {
    for (const int64_t job : jobs.begin()->second) {
      for (std::string& attempt : state_->Forget(job)) forgotten.push_back(std::move(attempt));
    }
    jobs.erase(jobs.begin());
  }
  return forgotten;
}

void JobBoard::Add(int64_t id, int64_t experiment, const v1::JobKey& key) {
  BoardJob job;
  job.id = id;
  job.experiment = experiment;
  job.key = key;
  RestoreJob(std::move(job));
}

void JobBoard::RestoreJob(BoardJob job) {
  const auto experiment = state_->experiments.find(job.experiment);
  if (experiment == state_->experiments.end() || state_->jobs.contains(job.id)) return;
  // Its running attempt, when restored, makes it LEASED.
  if (job.state == JobState::kLeased) job.state = JobState::kQueued;
  experiment->second.jobs[job.key.generation()].push_back(job.id);
  State::JobEntry& entry = state_->jobs[job.id];
  entry.job = std::move(job);
  state_->Enter(entry.job);
}

void JobBoard::RestoreAttempt(BoardAttempt attempt, absl::Duration now) {
  const auto job = state_->jobs.find(attempt.job);
  if (job == state_->jobs.end() || state_->attempts.contains(attempt.id)) return;
  State::JobEntry& entry = job->second;
  entry.attempts.push_back(attempt.id);
  State::AttemptEntry& restored = state_->attempts[attempt.id];
  restored.attempt = std::move(attempt);
  if (restored.attempt.state != AttemptState::kRunning) return;
  if (entry.job.state == JobState::kQueued || entry.job.state == JobState::kLeased) {
    state_->StartAttempt(restored, now + state_->options.lease);
    state_->SetJobState(entry, JobState::kLeased);
  } else {
    restored.attempt.state = AttemptState::kStopped;
  }
}

std::vector<std::string> JobBoard::Withdraw(int64_t job) {
  const auto found = state_->jobs.find(job);
  if (found == state_->jobs.end() || !IsOpen(found->second.job.state)) return {};
  std::vector<std::string> stopped = state_->StopAttempts(found->second);
  state_->SetJobState(found->second, JobState::kWithdrawn);
  return stopped;
}

std::vector<int64_t> JobBoard::RetryExhausted(int64_t experiment) {
  std::vector<int64_t> retried;
  for (const BoardJob* job : Exhausted(experiment)) retried.push_back(job->id);
  for (const int64_t id : retried) {
    State::JobEntry& entry = state_->jobs.at(id);
    entry.job.lost = entry.job.failed = entry.job.invalid = 0;
    state_->SetJobState(entry, JobState::kQueued);
  }
  return retried;
}

std::optional<BoardAttempt> JobBoard::Lease(const std::string& runner, uint64_t incarnation,
                                            const std::string& attempt_id, absl::Duration now,
                                            const std::function<bool(const BoardJob&)>& fits) {
  if (state_->attempts.contains(attempt_id)) return std::nullopt;
  for (const auto& [load, experiment] : state_->turn) {
    const QueuePlace* next = nullptr;
    for (const auto& [sort, places] : state_->experiments.at(experiment).queued) {
      const QueuePlace& first = *places.begin();
      if (next != nullptr && *next < first) continue;
      if (fits(state_->jobs.at(first.id).job)) next = &first;
    }
    if (next == nullptr) continue;
    // Changes what is iterated over.
    return state_->Give(state_->jobs.at(next->id), runner, incarnation, attempt_id, now);
  }
  return std::nullopt;
}

std::optional<BoardAttempt> JobBoard::LeaseAgain(int64_t job, const std::string& runner,
                                                 uint64_t incarnation,
                                                 const std::string& attempt_id,
                                                 absl::Duration now) {
  const auto found = state_->jobs.find(job);
  if (found == state_->jobs.end() || state_->attempts.contains(attempt_id)) return std::nullopt;
  State::JobEntry& entry = found->second;
  if (entry.job.state != JobState::kLeased || entry.running.size() != 1) return std::nullopt;
  if (FindAttempt(*entry.running.begin())->runner == runner) return std::nullopt;
  if (state_->experiments.at(entry.job.experiment).paused) return std::nullopt;
  return state_->Give(entry, runner, incarnation, attempt_id, now);
}

std::vector<JobBoard::Lost> JobBoard::Renew(const std::string& runner, uint64_t incarnation,
                                            absl::Duration now) {
  std::vector<Lost> lost;
  for (const BoardAttempt& attempt : Running(runner)) {
    State::AttemptEntry& entry = state_->attempts.at(attempt.id);
    if (attempt.incarnation == incarnation) {
      state_->MoveDeadline(entry, now + state_->options.lease);
    } else {
      lost.push_back(state_->Lose(entry, "the runner was started again"));
    }
  }
  return lost;
}

std::vector<BoardAttempt> JobBoard::Running(const std::string& runner) const {
  std::vector<BoardAttempt> running;
  const auto found = state_->runners.find(runner);
  if (found == state_->runners.end()) return running;
  for (const std::string& id : found->second) running.push_back(state_->attempts.at(id).attempt);
  return running;
}

std::vector<JobBoard::Lost> JobBoard::Expire(absl::Duration now) {
  std::vector<Lost> lost;
  while (!state_->leases.empty() && state_->leases.begin()->first <= now) {
    State::AttemptEntry& entry = state_->attempts.at(state_->leases.begin()->second);
    lost.push_back(state_->Lose(entry, "the runner was not heard of any more"));
  }
  return lost;
}

absl::Duration JobBoard::NextExpiry() const {
  return state_->leases.empty() ? absl::InfiniteDuration() : state_->leases.begin()->first;
}

void JobBoard::RenewAll(absl::Duration now) {
  const auto leases = state_->leases;  // A copy: the original changes on the way.
  for (const auto& [deadline, id] : leases) {
    state_->MoveDeadline(state_->attempts.at(id), now + state_->options.lease);
  }
}

Verdict JobBoard::Deliver(const std::string& attempt_id, const std::string& runner,
                          const Report& report) {
  const auto attempt = state_->attempts.find(attempt_id);
  if (attempt == state_->attempts.end() || attempt->second.attempt.runner != runner) {
    return Verdict::kRefused;
  }
  State::JobEntry& entry = state_->jobs.at(attempt->second.attempt.job);
  const bool is_result = report.kind == Report::Kind::kResult;
  if (entry.job.state == JobState::kWithdrawn) return Verdict::kRefused;
  if (entry.job.state == JobState::kDone) {
    const bool compared = is_result && !report.digest.empty() && !entry.job.result_digest.empty();
    return compared && report.digest != entry.job.result_digest ? Verdict::kNondeterministic
                                                                : Verdict::kDuplicate;
  }
  if (is_result) return state_->AcceptResult(entry, attempt->second, report.digest);
  if (attempt->second.attempt.state != AttemptState::kRunning) return Verdict::kDuplicate;
  return state_->AcceptFailure(entry, attempt->second, report);
}

bool JobBoard::WouldAccept(const std::string& attempt_id, const std::string& runner) const {
  const BoardAttempt* attempt = FindAttempt(attempt_id);
  return attempt != nullptr && attempt->runner == runner && IsOpen(FindJob(attempt->job)->state);
}

const BoardJob* JobBoard::FindJob(int64_t id) const {
  const auto found = state_->jobs.find(id);
  return found == state_->jobs.end() ? nullptr : &found->second.job;
}

const BoardAttempt* JobBoard::FindAttempt(const std::string& id) const {
  const auto found = state_->attempts.find(id);
  return found == state_->attempts.end() ? nullptr : &found->second.attempt;
}

bool JobBoard::HasLeasable() const { return !state_->turn.empty(); }

int64_t JobBoard::taken_attempts() const { return state_->taken_attempts; }

std::map<std::pair<v1::JobKey::Kind, JobState>, int64_t> JobBoard::Counts() const {
  return state_->counts;
}

std::map<int, int64_t> JobBoard::QueuedByRung(int64_t experiment, v1::JobKey::Kind kind) const {
  std::map<int, int64_t> counts;
  const auto found = state_->experiments.find(experiment);
  if (found == state_->experiments.end()) return counts;
  const auto& queued = found->second.queued;
  for (auto it = queued.lower_bound({kind, 0}); it != queued.end() && it->first.first == kind;
       ++it) {
    counts[it->first.second] = static_cast<int64_t>(it->second.size());
  }
  return counts;
}

std::vector<const BoardJob*> JobBoard::Queued(int64_t experiment) const {
  std::vector<const BoardJob*> jobs;
  const auto found = state_->experiments.find(experiment);
  if (found == state_->experiments.end()) return jobs;
  std::set<QueuePlace> queued;
  for (const auto& [sort, places] : found->second.queued) {
    queued.insert(places.begin(), places.end());
  }
  for (const QueuePlace& place : queued) jobs.push_back(FindJob(place.id));
  return jobs;
}

std::vector<const BoardJob*> JobBoard::Exhausted(int64_t experiment) const {
  std::vector<const BoardJob*> jobs;
  const auto found = state_->experiments.find(experiment);
  if (found == state_->experiments.end()) return jobs;
  for (const QueuePlace& place : found->second.exhausted) jobs.push_back(FindJob(place.id));
  return jobs;
}

}  // namespace squish
