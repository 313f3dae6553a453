#include "coordinator/service/fleet_report.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/genome/cost.h"
#include "coordinator/evolution/estimate.h"

namespace squish {
namespace {

// Enough trainings to tell a fleet's speed, few enough to be read at once.
constexpr int kTrainingsLookedAt = 200;
// Of the head while the data set is not known. It is a small part of the network.
constexpr int kClassesAssumed = 10;

v1::WorkInHand DescribeWork(const BoardAttempt& attempt, const JobBoard& board,
                            const LiveExperiments& live) {
  const BoardJob& job = *board.FindJob(attempt.job);
  const LiveExperiment& experiment = live.at(job.experiment);
  v1::WorkInHand work;
  work.set_experiment(experiment.id());
  *work.mutable_key() = job.key;
  const auto note = experiment.attempts.find(attempt.id);
  if (note != experiment.attempts.end()) {
    work.set_fraction(note->second.fraction);
    work.set_note(note->second.note);
  }
  return work;
}

// Of one experiment's trainings, whose MACs are counted at the size that is measured.
struct Speed {
  double work = 0;  // TrainingWork.
  double seconds = 0;
  int trainings = 0;
};

void AddTrainings(const v1::ExperimentSpec& spec, const std::vector<v1::Individual>& individuals,
                  Speed& speed) {
  const double side = static_cast<double>(spec.dataset().input_size()) /
                      spec.measurement().input_size();
  for (const v1::Individual& individual : individuals) {
    if (individual.trained_artifact().empty() || individual.images_seen() == 0) continue;
    const bool first = individual.name().generation() == 0;
    const v1::Recipe& recipe = first ? spec.training().ancestor() : spec.training().offspring();
    const double teacher = recipe.has_distillation() ? individuals.front().macs() : 0;
    speed.work += side * side * TrainingWork(individual.images_seen(), individual.macs(), teacher);
    speed.seconds += individual.training_seconds();
    ++speed.trainings;
  }
}

// TrainingWork a second and slot of the newest trainings; nothing when there are none.
absl::StatusOr<std::optional<double>> RecentSpeed(Population& population) {
  SQUISH_ASSIGN_OR_RETURN(const std::vector<StoredExperiment> newest,
                          population.ListExperiments());
  Speed speed;
  for (const StoredExperiment& stored : newest) {
    SQUISH_ASSIGN_OR_RETURN(const std::vector<v1::Individual> individuals,
                            population.Individuals(stored.row));
    AddTrainings(stored.experiment.spec(), individuals, speed);
    if (speed.trainings >= kTrainingsLookedAt) break;
  }
  if (!(speed.work > 0) || !(speed.seconds > 0)) return std::nullopt;
  return speed.work / speed.seconds;
}

// Whether a worker could train for it, unless it has said that it cannot have the data.
bool MayTrain(const ConnectedRunner& runner, const v1::ExperimentSpec& spec) {
  if (runner.draining || runner.info.kind() != v1::RunnerInfo::WORKER) return false;
  if (spec.training().device() == v1::TrainingSpec::CUDA && !runner.info.cuda()) return false;
  const v1::DatasetReport* report = runner.FindDataset(spec.dataset());
  return report == nullptr || report->state() != v1::DatasetReport::UNAVAILABLE;
}

// The data set as a connected worker has it; null when none does.
const v1::DatasetSummary* FindSummary(const v1::DatasetSpec& spec, const Fleet& fleet) {
  for (const auto& [id, runner] : fleet.runners()) {
    const v1::DatasetReport* report = runner.FindDataset(spec);
    if (report != nullptr && report->state() == v1::DatasetReport::READY) return &report->summary();
  }
  return nullptr;
}

}  // namespace

v1::ListRunnersResponse DescribeRunners(const Fleet& fleet, const JobBoard& board,
                                        const LiveExperiments& live, absl::Duration now) {
  v1::ListRunnersResponse response;
  for (const v1::RunnerInfo::Kind kind : {v1::RunnerInfo::WORKER, v1::RunnerInfo::AGENT}) {
    for (const auto& [id, runner] : fleet.runners()) {
      if (runner.info.kind() != kind) continue;
      v1::RunnerStatus& status = *response.add_runners();
      *status.mutable_info() = runner.info;
      status.set_draining(runner.draining);
      if (runner.aside.has_value()) {
        v1::SetAside& aside = *status.mutable_set_aside();
        if (!runner.aside->drifted) aside.set_failures(runner.streak.failures);
        aside.set_seconds(absl::ToDoubleSeconds(runner.aside->until - now));
        aside.set_why(runner.aside->why);
      }
      for (const BoardAttempt& attempt : board.Running(id)) {
        *status.add_work() = DescribeWork(attempt, board, live);
      }
      for (const auto& [key, report] : runner.datasets) *status.add_datasets() = report;
    }
  }
  return response;
}

absl::StatusOr<v1::EstimateResponse> EstimateOnFleet(const v1::ExperimentSpec& spec,
                                                     int train_images, const Fleet& fleet,
                                                     Experiments& experiments,
                                                     Population& population) {
  EstimateBasis basis;
  int agents = 0;
  for (const auto& [id, runner] : fleet.runners()) {
    if (MayTrain(runner, spec)) basis.slots += runner.info.slots();
    if (runner.info.kind() == v1::RunnerInfo::AGENT && !runner.draining) ++agents;
  }
  const v1::DatasetSummary* const summary = FindSummary(spec.dataset(), fleet);
  if (summary != nullptr) {
    basis.train_images = summary->train_images();
  } else {
    const int64_t known = KnownTrainImages(spec.dataset());
    basis.train_images = known > 0 ? known : train_images;
  }
  SQUISH_ASSIGN_OR_RETURN(basis.macs_per_second, RecentSpeed(population));
  SQUISH_ASSIGN_OR_RETURN(const Genome genome, experiments.FirstGenome(spec, kClassesAssumed));
  SQUISH_ASSIGN_OR_RETURN(basis.first, ComputeCost(genome, spec.dataset().input_size()));

  v1::EstimateResponse estimate = EstimateCost(spec, basis);
  if (basis.train_images <= 0) {
    estimate.add_notes(absl::StrCat(
        "images and hours are unknown: no connected worker has the data set '",
        spec.dataset().name(), "'; name its folder with --data DIR"));
  }
  if (basis.slots == 0) {
    estimate.add_notes("hours are unknown and nothing would run: no worker that can train it is connected");
  } else if (!basis.macs_per_second.has_value()) {
    estimate.add_notes("hours are unknown: nothing has been trained on this coordinator yet");
  } else {
    estimate.add_notes(absl::StrCat("hours are for ", basis.slots,
                                    basis.slots == 1 ? " slot" : " slots",
                                    " of the connected workers, at the speed of the last trainings"));
  }
  if (spec.measurement().fitness() == v1::MeasurementSpec::MEASURED && agents == 0) {
    estimate.add_notes("no agent is connected: measurements would wait for one");
  }
  return estimate;
}

}  // namespace squish
