#include "coordinator/service/planner.h"

#include <utility>

#include "absl/status/statusor.h"
#include "coordinator/evolution/plan.h"

namespace squish {

void Planner::Advance(LiveExperiment& experiment) {
  if (!experiment.stored.experiment.has_dataset() || HasEnded(experiment.state())) return;
  while (true) {
    const Plan plan = MakePlan(experiment.spec(), experiment.stored.experiment.dataset(),
                               experiment.stored.summary, experiment.open);
    if (!plan.failed.empty()) {
      ledger_.End(experiment, v1::Experiment::FAILED, plan.failed);
      return;
    }
    if (AddWanted(experiment, plan.wanted)) continue;
    if (!plan.closing.has_value()) return;
    ledger_.CloseGeneration(experiment, *plan.closing);
    if (plan.closing->finished) {
      ledger_.End(experiment, v1::Experiment::SUCCEEDED, "");
      return;
    }
    ledger_.OpenGeneration(experiment, experiment.open.generation + 1);
  }
}

void Planner::AdvanceAfter(LiveExperiment& experiment, int index) {
  if (!experiment.stored.experiment.has_dataset() || HasEnded(experiment.state())) return;
  const v1::ExperimentSpec& spec = experiment.spec();
  const v1::EvolutionSummary& summary = experiment.stored.summary;
  const OpenGeneration& open = experiment.open;
  if (!IsApart(spec, summary, open.generation)) {
    Advance(experiment);
    return;
  }
  while (AddWanted(experiment, WantedOf(spec, experiment.stored.experiment.dataset(), summary,
                                        open, index))) {
  }
  const size_t size = open.individuals.size();
  size_t& settled = experiment.settled;
  while (settled < size && IsSettled(spec, open.generation, open.individuals[settled])) ++settled;
  if (settled == size) Advance(experiment);
}

bool Planner::AddWanted(LiveExperiment& experiment, const std::vector<v1::Job>& wanted) {
  for (const v1::Job& job : wanted) {
    if (experiment.jobs.contains(PlaceOf(job.key()))) continue;
    if (std::optional<v1::AttemptResult> answer = FindAnswer(experiment, job)) {
      ledger_.AddAnsweredJob(experiment, job, *std::move(answer));
      return true;
    }
    ledger_.AddJob(experiment, job);
  }
  return false;
}

std::optional<v1::AttemptResult> Planner::FindAnswer(const LiveExperiment& experiment,
                                                     const v1::Job& job) {
  // The ancestor is always measured: that is what pins the setting.
  const v1::MeasurementSetting* const setting = experiment.SettingOf(job.key().rung());
  if (!job.has_measure() || setting == nullptr) return std::nullopt;
  const MeasurementKey key = {job.measure().candidate_architecture(),
                              job.measure().ancestor_architecture(), *setting};
  const auto found = ledger_.population().FindMeasurement(key);
  if (!found.ok()) {
    ledger_.population().Fail(found.status());
    return std::nullopt;
  }
  if (!found->has_value()) return std::nullopt;
  // Of an experiment that wanted none.
  if (job.measure().protocol().profile() && (*found)->profile().empty()) return std::nullopt;
  v1::AttemptResult answer;
  *answer.mutable_measure() = **found;
  return answer;
}

}  // namespace squish
