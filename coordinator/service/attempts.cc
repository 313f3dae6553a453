#include "coordinator/service/attempts.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/ids.h"
#include "common/spec/defaults.h"
#include "coordinator/jobs/straggling.h"
#include "coordinator/service/checkpoint_check.h"
#include "coordinator/service/result_check.h"
#include "spdlog/spdlog.h"

namespace squish {
namespace {

constexpr int kRandomIdBytes = 12;

// Unpredictable, and later ones after earlier ones: rows of attempts are in the order of
// their ids, and what is written together should lie together, or each attempt of a large
// population would change a page of its own.
std::string NewAttemptId(absl::Time now) {
  return absl::StrCat(absl::Hex(static_cast<uint32_t>(absl::ToUnixSeconds(now)), absl::kZeroPad8),
                      RandomHex(kRandomIdBytes));
}

}  // namespace

v1::Job Attempts::WorkOf(int64_t job) {
  absl::StatusOr<v1::Job> work = ledger_.population().Work(job);
  if (work.ok()) {
    // A job that an earlier program ordered may lack what recipes have learned since.
    if (work->has_train()) FillDefaults(*work->mutable_train()->mutable_recipe());
    return *std::move(work);
  }
  ledger_.population().Fail(work.status());
  return {};
}

v1::Job Attempts::WorkOf(const BoardAttempt& attempt) {
  v1::Job work = WorkOf(attempt.job);
  if (!work.has_train()) return work;
  auto checkpoint = ledger_.population().FindCheckpoint(attempt.job);
  if (!checkpoint.ok()) {
    ledger_.population().Fail(checkpoint.status());
  } else if (checkpoint->has_value()) {
    *work.mutable_train()->mutable_checkpoint() = **std::move(checkpoint);
  }
  return work;
}

bool Attempts::Lease(const v1::RunnerInfo& runner, const Fits& fits) {
  // Runners that wait are asked for again and again: an id is drawn for those that get one.
  if (next_attempt_.empty()) next_attempt_ = NewAttemptId(ledger_.clock().Now());
  const std::optional<BoardAttempt> attempt = ledger_.board().Lease(
      runner.id(), runner.incarnation(), next_attempt_, ledger_.clock().Steady(),
      [&](const BoardJob& job) { return fits(ExperimentOf(job), job); });
  if (!attempt.has_value()) return false;
  next_attempt_.clear();
  RecordGiven(*attempt, "leased");
  return true;
}

bool Attempts::LeaseAgain(const v1::RunnerInfo& runner, const Fits& fits) {
  for (const int64_t id : stragglers_) {
    const BoardJob* const job = ledger_.board().FindJob(id);
    if (job == nullptr || !fits(ExperimentOf(*job), *job)) continue;
    const std::optional<BoardAttempt> attempt =
        ledger_.board().LeaseAgain(id, runner.id(), runner.incarnation(),
                                   NewAttemptId(ledger_.clock().Now()),
                                   ledger_.clock().Steady());
    if (!attempt.has_value()) continue;
    RecordGiven(*attempt, "takes long and is leased as well");
    return true;
  }
  return false;
}

void Attempts::LookForStragglers() {
  const absl::Duration now = ledger_.clock().Steady();
  if (now - looked_ < absl::Seconds(1)) return;
  looked_ = now;
  stragglers_.clear();
  for (const auto& [row, experiment] : live_) {
    for (const auto& [job, attempts] : experiment.running) {
      if (attempts.size() == 1 && IsStraggler(experiment, job)) stragglers_.push_back(job);
    }
  }
}

bool Attempts::IsStraggler(const LiveExperiment& experiment, int64_t job) const {
  const v1::JobKey& key = ledger_.board().FindJob(job)->key;
  const auto done = experiment.durations.find({key.kind(), key.rung()});
  if (done == experiment.durations.end()) return false;
  const std::string& attempt = *experiment.running.at(job).begin();
  const std::optional<absl::Duration> leased = experiment.attempts.at(attempt).leased;
  if (!leased.has_value()) return false;
  const absl::Duration elapsed = ledger_.clock().Steady() - *leased;
  if (!IsStraggling(elapsed, done->second, 0)) return false;  // Nearly always.
  const auto peers = std::count_if(
      experiment.jobs.begin(), experiment.jobs.end(), [&key](const auto& entry) {
        return std::get<2>(entry.first) == key.kind() && std::get<3>(entry.first) == key.rung();
      });
  return IsStraggling(elapsed, done->second, static_cast<int>(peers));
}

void Attempts::RecordGiven(const BoardAttempt& attempt, const char* how) {
  const BoardJob& job = *ledger_.board().FindJob(attempt.job);
  LiveExperiment& experiment = ExperimentOf(job);
  ledger_.RecordLease(experiment, attempt);
  spdlog::debug("{}: {} {} to {}", experiment.id(), JobName(experiment, job.key), how,
                attempt.runner);
}

void Attempts::Renew(const v1::RunnerInfo& runner) {
  const std::vector<JobBoard::Lost> lost =
      ledger_.board().Renew(runner.id(), runner.incarnation(), ledger_.clock().Steady());
  if (!lost.empty()) {
    fleet_.NoteFailed(runner.id(), "it was started again while it had work",
                      ledger_.clock().Steady());
  }
  RecordLost(lost);
}

void Attempts::NoteProgress(const std::string& runner, const v1::AttemptProgress& progress) {
  const BoardAttempt* attempt = ledger_.board().FindAttempt(progress.attempt_id());
  if (attempt == nullptr || attempt->runner != runner || !std::isfinite(progress.fraction())) return;
  LiveExperiment& experiment = ExperimentOf(*ledger_.board().FindJob(attempt->job));
  AttemptNote& note = experiment.attempts[attempt->id];
  note.fraction = std::clamp(progress.fraction(), 0.0, 1.0);
  note.note = progress.note();
  if (std::isfinite(progress.resumed_at())) {
    note.saved = std::clamp(progress.resumed_at(), note.saved, 1.0);
  }
  if (progress.has_checkpoint() && progress.checkpoint().artifact() != note.checkpoint) {
    NoteCheckpoint(note, *attempt, progress.checkpoint());
  }
}

// Of an attempt that has ended another one may have gone further meanwhile.
void Attempts::NoteCheckpoint(AttemptNote& note, const BoardAttempt& attempt,
                              const v1::Checkpoint& checkpoint) {
  const BoardJob& job = *ledger_.board().FindJob(attempt.job);
  if (attempt.state != AttemptState::kRunning || job.key.kind() != v1::JobKey::TRAIN) return;
  if (!IsUsable(checkpoint, ledger_.population().artifacts())) return;
  ledger_.RecordCheckpoint(job.id, checkpoint);
  note.checkpoint = checkpoint.artifact();
  note.saved = std::max(note.saved, checkpoint.fraction());
}

void Attempts::Expire() {
  const std::vector<JobBoard::Lost> lost = ledger_.board().Expire(ledger_.clock().Steady());
  ledger_.changes().lease_expiries += static_cast<int64_t>(lost.size());
  RecordLost(lost);
}

void Attempts::RecordLost(const std::vector<JobBoard::Lost>& lost) {
  for (const JobBoard::Lost& one : lost) {
    const BoardJob& job = *ledger_.board().FindJob(one.attempt.job);
    spdlog::warn("{}: {} lost by {}: {}", ExperimentOf(job).id(), JobName(ExperimentOf(job), job.key),
                 one.attempt.runner, job.last_error);
    RecordFailure(ExperimentOf(job), job, one.attempt.id);
  }
}

void Attempts::Deliver(const std::string& runner, const v1::AttemptResult& result) {
  const BoardAttempt* attempt = ledger_.board().FindAttempt(result.attempt_id());
  if (attempt == nullptr || attempt->runner != runner) return;  // Refused.
  const AttemptState before = attempt->state;
  const BoardJob& job = *ledger_.board().FindJob(attempt->job);
  LiveExperiment& experiment = ExperimentOf(job);
  const Report report = JudgeResult(
      WorkOf(job.id), result, experiment.stored.experiment.dataset(),
      experiment.SettingOf(job.key.rung()),
      ledger_.population().artifacts());
  const Verdict verdict = ledger_.board().Deliver(attempt->id, runner, report);
  switch (verdict) {
    case Verdict::kAccepted:
      fleet_.NoteDone(runner);
      NoteAncestorSpeed(runner, job, result);
      Accept(experiment, job, result);
      break;
    case Verdict::kRetry:
    case Verdict::kExhausted:
      spdlog::warn("{}: {} failed on {}: {}", experiment.id(), JobName(experiment, job.key), runner,
                   absl::Utf8SafeCEscape(report.error));  // One line, whoever wrote it.
      // An INVALID measurement is about the board at that moment.
      if (report.kind == Report::Kind::kFailure) {
        fleet_.NoteFailed(runner, report.error, ledger_.clock().Steady());
      }
      RecordFailure(experiment, job, attempt->id);
      break;
    case Verdict::kDuplicate:
    case Verdict::kNondeterministic:
      // The attempt that was accepted may say so again; that is no second training.
      if (before != AttemptState::kDelivered && report.kind == Report::Kind::kResult) {
        RecordLate(experiment, result, verdict == Verdict::kNondeterministic);
      }
      break;
    case Verdict::kRefused:
      break;
  }
}

void Attempts::NoteAncestorSpeed(const std::string& runner, const BoardJob& job,
                                 const v1::AttemptResult& result) {
  const v1::MeasureResult& measured = result.measure();
  if (measured.verdict() != v1::MeasureResult::VALID || measured.setting().synthetic()) return;
  fleet_.NoteAncestorSpeed(runner,
                           absl::StrCat(WorkOf(job.id).measure().ancestor_architecture(), " ",
                                        measured.setting().SerializeAsString()),
                           measured.ancestor_images_per_second(), ledger_.clock().Steady());
}

void Attempts::Accept(LiveExperiment& experiment, const BoardJob& job,
                      const v1::AttemptResult& result) {
  if (result.has_train()) ledger_.ForgetCheckpoint(job.id);
  ledger_.population().UpdateJob(job);
  ledger_.RecordEnd(experiment, result.attempt_id(), 0);
  ledger_.RecordStopped(experiment, job.id);
  Changes::Acceptance& acceptance = ledger_.changes().accepted.emplace_back();
  acceptance.kind = job.key.kind();
  const std::optional<absl::Duration> leased = experiment.attempts[result.attempt_id()].leased;
  if (leased.has_value()) {
    acceptance.latency = ledger_.clock().Steady() - *leased;
    experiment.durations[{job.key.kind(), job.key.rung()}].push_back(*acceptance.latency);
  }
  // A synthetic answer costs nothing and may follow from a file that is in no key.
  if (result.measure().verdict() == v1::MeasureResult::VALID &&
      !result.measure().setting().synthetic()) {
    const v1::MeasureJob work = WorkOf(job.id).measure();
    ledger_.population().CacheMeasurement(
        {work.candidate_architecture(), work.ancestor_architecture(), result.measure().setting()},
        result.measure());
  }
  ledger_.AcceptFact(experiment, result);
  ledger_.CheckAttention(experiment);
  planner_.AdvanceAfter(experiment, result.key().index());
}

void Attempts::RecordFailure(LiveExperiment& experiment, const BoardJob& job,
                             const std::string& attempt) {
  ledger_.population().UpdateJob(job);
  ledger_.RecordEnd(experiment, attempt);
  ledger_.Save(experiment);
  ledger_.CheckAttention(experiment);
}

void Attempts::RecordLate(LiveExperiment& experiment, const v1::AttemptResult& result,
                          bool nondeterministic) {
  AttemptNote& note = experiment.attempts[result.attempt_id()];
  const int64_t wasted =
      std::llround((1 - note.saved) * static_cast<double>(result.train().images_seen()));
  if (result.has_train() && note.images_wasted == wasted) return;  // Said again.
  if (result.has_train()) ledger_.RecordEnd(experiment, result.attempt_id(), wasted);
  if (nondeterministic) {
    ++experiment.stored.nondeterministic;
    const BoardJob& job = *ledger_.board().FindJob(note.job);
    spdlog::warn("{}: a second result of {} has another digest than the accepted one",
                 experiment.id(), JobName(experiment, job.key));
  }
  ledger_.Save(experiment);
}

}  // namespace squish
