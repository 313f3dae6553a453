#include "coordinator/service/ledger.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/evolution/final_plan.h"
#include "google/protobuf/util/message_differencer.h"
#include "google/protobuf/util/time_util.h"

namespace squish {
namespace {

using google::protobuf::util::MessageDifferencer;
using google::protobuf::util::TimeUtil;

// Images that one TRAIN job of the experiment is planned to see.
double PlannedImages(const LiveExperiment& experiment, const v1::JobKey& key) {
  const v1::TrainingSpec& training = experiment.spec().training();
  const v1::EvolutionSummary& summary = experiment.stored.summary;
  const int train_images = experiment.stored.experiment.dataset().train_images();
  const double epochs =
      IsOfChampions(summary, key.generation())
          ? FinalRecipe(experiment.spec(), train_images, summary.champions_size()).epochs()
      : key.rung() > 0        ? training.halving(key.rung() - 1).epochs()
      : key.generation() == 0 ? training.ancestor().epochs()
                              : training.offspring().epochs();
  return epochs * train_images;
}

// Adds a numerics class in its place; the list is sorted as it is when read back.
void AddNumericsClass(v1::Experiment& experiment, const std::string& numerics) {
  auto* classes = experiment.mutable_numerics_classes();
  const auto place = std::lower_bound(classes->begin(), classes->end(), numerics);
  if (place != classes->end() && *place == numerics) return;
  const auto index = place - classes->begin();
  *classes->Add() = numerics;
  std::rotate(classes->begin() + index, classes->end() - 1, classes->end());
}

std::string DescribeExhausted(const LiveExperiment& experiment, const BoardJob& job) {
  return absl::StrCat(JobName(experiment, job.key), " is out of retries (", job.failed,
                      " failed, ", job.lost, " lost): ", job.last_error,
                      "; 'squishctl retry' tries it again");
}

}  // namespace

std::string JobName(const LiveExperiment& experiment, const v1::JobKey& key) {
  const std::string& kind = v1::JobKey::Kind_Name(key.kind());
  if (!IsOfChampions(experiment.stored.summary, key.generation())) {
    return absl::StrCat(kind, " of individual ", key.generation(), ":", key.index());
  }
  const v1::IndividualName& name =
      experiment.stored.summary.champions(key.index()).individual().name();
  return absl::StrCat(kind, " of champion ", key.index(), " (", name.generation(), ":",
                      name.index(), ")");
}

void ApplyResult(const v1::AttemptResult& result, IndividualFacts& facts) {
  if (result.has_synthesize()) facts.synthesize = result.synthesize();
  if (result.has_train() && result.key().rung() > 0) {
    facts.rungs[result.key().rung()] = result.train();
  } else if (result.has_train()) {
    facts.train = result.train();
  }
  if (result.has_measure() && result.key().rung() > 0) {
    facts.beside[result.key().rung()] = result.measure();
  } else if (result.has_measure()) {
    facts.measure = result.measure();
  }
  if (result.has_evaluate()) facts.evaluate = result.evaluate();
  if (result.has_export_files()) facts.export_files = result.export_files();
}

bool ExhaustedByMeasurements(const BoardJob& job, const v1::RetrySpec& retry) {
  return job.state == JobState::kExhausted && job.invalid >= retry.invalid_measurements();
}

// --- Experiments -------------------------------------------------------------

void Ledger::Save(const LiveExperiment& experiment) {
  population_.UpdateExperiment(experiment.stored);
}

void Ledger::End(LiveExperiment& experiment, v1::Experiment::State state,
                 absl::string_view reason) {
  for (const auto& [place, job] : experiment.jobs) Withdraw(experiment, job);
  v1::Experiment& stored = experiment.stored.experiment;
  stored.set_state(state);
  stored.set_reason(std::string(reason));
  *stored.mutable_finished() = TimeUtil::MillisecondsToTimestamp(absl::ToUnixMillis(clock_.Now()));
  stored.set_population_digest(Describe(experiment).population_digest());
  board_.RemoveExperiment(experiment.row());
  Save(experiment);
  changes_.ended.push_back(experiment.id());
}

void Ledger::CheckAttention(LiveExperiment& experiment) {
  std::string reason;
  for (const BoardJob* job : board_.Exhausted(experiment.row())) {
    if (ExhaustedByMeasurements(*job, experiment.spec().retry())) continue;
    reason = DescribeExhausted(experiment, *job);
    break;
  }
  const bool asks = experiment.state() == v1::Experiment::NEEDS_ATTENTION;
  if (!asks && (reason.empty() || experiment.state() != v1::Experiment::RUNNING)) return;
  if (asks && reason == experiment.stored.experiment.reason()) return;
  experiment.stored.experiment.set_state(reason.empty() ? v1::Experiment::RUNNING
                                                        : v1::Experiment::NEEDS_ATTENTION);
  experiment.stored.experiment.set_reason(reason);
  board_.SetPaused(experiment.row(), !reason.empty());
  Save(experiment);
}

void Ledger::RetryExhausted(const LiveExperiment& experiment) {
  for (const int64_t job : board_.RetryExhausted(experiment.row())) {
    population_.UpdateJob(*board_.FindJob(job));
  }
}

// --- Generations -------------------------------------------------------------

void Ledger::Refresh(LiveExperiment& experiment, int index) {
  if (experiment.finishing()) {
    RefreshChampion(experiment, index);
  } else {
    RefreshIndividual(experiment, index);
  }
}

void Ledger::RefreshChampion(LiveExperiment& experiment, int index) {
  v1::Champion champion = DescribeChampion(experiment.spec(), experiment.stored.summary, index,
                                           experiment.open.individuals[index]);
  if (MessageDifferencer::Equals(champion, experiment.champions[index])) return;
  population_.PutChampion(experiment.row(), champion);
  changes_.champions.push_back({experiment.id(), champion});
  experiment.champions[index] = std::move(champion);
}

void Ledger::RefreshIndividual(LiveExperiment& experiment, int index) {
  v1::IndividualName name;
  name.set_generation(experiment.open.generation);
  name.set_index(index);
  v1::Individual individual = DescribeIndividual(experiment.spec(), experiment.stored.summary, name,
                                                 experiment.open.individuals[index]);
  if (MessageDifferencer::Equals(individual, experiment.individuals[index])) return;
  population_.PutIndividual(experiment.row(), individual);
  changes_.individuals.push_back({experiment.id(), individual});
  experiment.individuals[index] = std::move(individual);
}

void Ledger::OpenGeneration(LiveExperiment& experiment, int generation) {
  experiment.Open(generation);
  experiment.jobs.clear();
  // As after a restart: who delivers for a job that was over a whole generation ago is refused.
  for (const std::string& attempt : board_.ForgetBefore(experiment.row(), generation - 1)) {
    experiment.attempts.erase(attempt);
  }
  const int size = static_cast<int>(experiment.open.individuals.size());
  for (int index = 0; index < size; ++index) Refresh(experiment, index);
}

void Ledger::CloseGeneration(LiveExperiment& experiment, const Closing& closing) {
  for (const auto& [place, job] : experiment.jobs) Withdraw(experiment, job);
  for (const v1::Individual& individual : closing.individuals) {
    population_.PutIndividual(experiment.row(), individual);
    changes_.individuals.push_back({experiment.id(), individual});
    experiment.closed.push_back(DigestPart(individual));
  }
  experiment.individuals.clear();
  experiment.stored.summary = closing.summary;
  population_.UpdateSummary(experiment.stored);
  Save(experiment);
}

// --- Jobs ----------------------------------------------------------------------

void Ledger::AddJob(LiveExperiment& experiment, v1::Job work) {
  BoardJob job;
  job.id = population_.NewJobId();
  job.experiment = experiment.row();
  job.key = work.key();
  work.set_experiment(experiment.id());
  population_.AddJob(job, work);
  board_.Add(job.id, job.experiment, job.key);
  experiment.jobs[PlaceOf(job.key)] = job.id;
}

void Ledger::AddAnsweredJob(LiveExperiment& experiment, v1::Job work, v1::AttemptResult result) {
  BoardJob job;
  job.id = population_.NewJobId();
  job.experiment = experiment.row();
  job.key = work.key();
  job.state = JobState::kDone;
  work.set_experiment(experiment.id());
  population_.AddJob(job, work);
  board_.RestoreJob(job);
  experiment.jobs[PlaceOf(job.key)] = job.id;
  result.set_experiment(experiment.id());
  *result.mutable_key() = job.key;
  AcceptFact(experiment, result);
}

void Ledger::Withdraw(LiveExperiment& experiment, int64_t id) {
  const BoardJob* job = board_.FindJob(id);
  if (job->state == JobState::kDone || job->state == JobState::kWithdrawn) return;
  board_.Withdraw(id);
  ForgetCheckpoint(id);
  population_.UpdateJob(*job);
  RecordStopped(experiment, id);
}

void Ledger::AcceptFact(LiveExperiment& experiment, const v1::AttemptResult& result) {
  population_.AddResultFact(experiment.row(), result);
  const int index = result.key().index();
  ApplyResult(result, experiment.open.individuals[index]);
  v1::Experiment& stored = experiment.stored.experiment;
  if (result.has_train()) {
    stored.set_images_planned(stored.images_planned() + result.train().images_seen());
    AddNumericsClass(stored, result.train().numerics_class());
  }
  if (result.has_measure()) {
    experiment.settings.emplace(result.key().rung(), result.measure().setting());
  }
  Save(experiment);
  Refresh(experiment, index);
}

// --- Attempts --------------------------------------------------------------------

void Ledger::RecordLease(LiveExperiment& experiment, const BoardAttempt& attempt) {
  population_.AddAttempt(attempt, clock_.Now());
  population_.UpdateJob(*board_.FindJob(attempt.job));
  experiment.running[attempt.job].insert(attempt.id);
  AttemptNote& note = experiment.attempts[attempt.id];
  note.job = attempt.job;
  note.leased = clock_.Steady();
}

void Ledger::RecordEnd(LiveExperiment& experiment, const std::string& id,
                       std::optional<int64_t> images_wasted) {
  AttemptNote& note = experiment.attempts[id];
  const BoardAttempt& attempt = *board_.FindAttempt(id);
  const BoardJob& job = *board_.FindJob(attempt.job);
  if (!images_wasted.has_value() && job.key.kind() == v1::JobKey::TRAIN) {
    images_wasted = std::llround(std::max(0.0, note.fraction - note.saved) *
                                 PlannedImages(experiment, job.key));
  }
  const int64_t wasted = images_wasted.value_or(0);
  v1::Experiment& stored = experiment.stored.experiment;
  stored.set_images_wasted(stored.images_wasted() + wasted - note.images_wasted);
  note.images_wasted = wasted;
  population_.UpdateAttempt({attempt, wasted}, clock_.Now());
  const auto running = experiment.running.find(attempt.job);
  if (running == experiment.running.end()) return;
  running->second.erase(id);
  if (running->second.empty()) experiment.running.erase(running);
}

bool Ledger::NoteObsolete(int64_t job) {
  const auto earlier = population_.FindCheckpoint(job);
  if (!earlier.ok()) population_.Fail(earlier.status());
  if (!earlier.ok() || !earlier->has_value()) return false;
  changes_.obsolete_checkpoints.push_back((*earlier)->artifact());
  return true;
}

void Ledger::RecordCheckpoint(int64_t job, const v1::Checkpoint& checkpoint) {
  NoteObsolete(job);
  population_.PutCheckpoint(job, checkpoint);
}

void Ledger::ForgetCheckpoint(int64_t job) {
  if (NoteObsolete(job)) population_.RemoveCheckpoint(job);
}

void Ledger::RecordStopped(LiveExperiment& experiment, int64_t job) {
  const auto running = experiment.running.find(job);
  if (running == experiment.running.end()) return;
  const std::set<std::string> stopped = running->second;  // A copy: RecordEnd changes it.
  for (const std::string& attempt : stopped) RecordEnd(experiment, attempt);
}

}  // namespace squish
