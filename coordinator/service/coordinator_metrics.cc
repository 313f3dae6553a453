#include "coordinator/service/coordinator_metrics.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/service/matching.h"

namespace squish {
namespace {

// From a cached network's synthesis to an hour's training.
std::vector<double> LatencyBounds() {
  return {0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600};
}

std::string KindName(v1::JobKey::Kind kind) { return v1::JobKey::Kind_Name(kind); }

}  // namespace

CoordinatorMetrics::CoordinatorMetrics(Metrics* metrics)
    : jobs_(metrics->Gauges("squish_jobs",
                            "Jobs of live experiments, of the open generation and the one before, "
                            "by kind and state.")),
      runners_(metrics->Gauges("squish_runners", "Connected runners, by kind.")),
      runners_set_aside_(metrics->Gauges(
          "squish_runners_set_aside",
          "Connected runners that get no work because they failed too many jobs in a row.")),
      agents_(metrics->Gauges("squish_agents",
                              "Connected agents that are not set aside, by device class.")),
      measurements_queued_(metrics->Gauges(
          "squish_measurements_queued",
          "Measurements of running experiments that wait for an agent, by the device class that "
          "they want.")),
      experiments_(metrics->Gauges("squish_experiments", "Experiments on disk, by state.")),
      generation_(metrics->Gauges("squish_generation", "The open generation.")),
      best_accuracy_(metrics->Gauges(
          "squish_best_selection_accuracy",
          "Best accuracy on the selection split in closed generations, a fraction.")),
      best_ratio_(metrics->Gauges(
          "squish_best_ratio_to_ancestor",
          "Best images/s in closed generations, as a ratio to the ancestor's.")),
      smallest_megabytes_(metrics->Gauges(
          "squish_smallest_megabytes",
          "Smallest network in closed generations, in 10^6 bytes of fp32 weights.")),
      images_planned_(metrics->Counters("squish_images_planned_total",
                                        "Images of all accepted trainings.")),
      images_wasted_(metrics->Counters(
          "squish_images_wasted_total",
          "Images of training attempts that failed, were lost or stopped, or came too late.")),
      nondeterministic_(metrics->Counters(
          "squish_nondeterministic_results_total",
          "Repeated results with another digest than the accepted one.")),
      lease_expiries_(metrics->Counters("squish_lease_expiries_total",
                                        "Attempts that were lost because their lease ran out.")),
      artifacts_removed_(metrics->Counters(
          "squish_artifacts_removed_total", "Artifacts removed because nothing named them.")),
      artifact_bytes_removed_(
          metrics->Counters("squish_artifact_bytes_removed_total", "The bytes of those.")),
      latency_(metrics->Histograms("squish_result_latency_seconds",
                                   "Time from a lease to its accepted result, by kind of job.",
                                   LatencyBounds())),
      runner_resident_bytes_(metrics->Gauges("squish_runner_resident_bytes",
                                             "Resident memory of a runner's daemon.")),
      runner_step_seconds_(metrics->Gauges(
          "squish_runner_step_seconds",
          "Wall time that a worker's trainers spent inside training steps since its start.")),
      runner_child_restarts_(metrics->Gauges(
          "squish_runner_child_restarts",
          "Trainers or engines that a runner had to replace since its start.")),
      runner_checkpoints_(metrics->Gauges(
          "squish_runner_checkpoints",
          "Checkpoints that a worker's trainers made since its start.")),
      runner_resumed_(metrics->Gauges(
          "squish_runner_resumed_trainings",
          "Trainings of a worker that went on from a checkpoint since its start.")) {
  lease_expiries_.Add({}, 0);  // There from the start.
  CountRemoved(0, 0);
}

void CoordinatorMetrics::CountRemoved(int64_t artifacts, int64_t bytes) {
  artifacts_removed_.Add({}, static_cast<double>(artifacts));
  artifact_bytes_removed_.Add({}, static_cast<double>(bytes));
}

void CoordinatorMetrics::Count(const Changes& changes) {
  for (const Changes::Acceptance& accepted : changes.accepted) {
    if (!accepted.latency.has_value()) continue;
    latency_.Observe({{"kind", KindName(accepted.kind)}},
                     absl::ToDoubleSeconds(*accepted.latency));
  }
  lease_expiries_.Add({}, static_cast<double>(changes.lease_expiries));
}

void CoordinatorMetrics::Show(absl::Duration now, const JobBoard& board, const Fleet& fleet,
                              const LiveExperiments& live, Population& population) {
  shown_ = now;
  for (const auto& [kind_and_state, count] : board.Counts()) {
    jobs_.Set({{"kind", KindName(kind_and_state.first)},
               {"state", std::string(JobStateName(kind_and_state.second))}},
              static_cast<double>(count));
  }
  ShowRunners(fleet);
  ShowDeviceClasses(board, fleet, live);
  for (const auto& [row, experiment] : live) ShowExperiment(experiment);
  const auto counts = population.CountExperiments();
  if (!counts.ok()) return;  // The next batch will meet the trouble, and say so.
  for (const v1::Experiment::State state :
       {v1::Experiment::RUNNING, v1::Experiment::PAUSED, v1::Experiment::NEEDS_ATTENTION,
        v1::Experiment::SUCCEEDED, v1::Experiment::FAILED, v1::Experiment::CANCELLED}) {
    const auto found = counts->find(state);
    experiments_.Set({{"state", v1::Experiment::State_Name(state)}},
                     found == counts->end() ? 0 : static_cast<double>(found->second));
  }
}

void CoordinatorMetrics::ShowExperiment(const LiveExperiment& experiment) {
  const MetricLabels labels = {{"experiment", experiment.id()}};
  const v1::EvolutionSummary& summary = experiment.stored.summary;
  generation_.Set(labels, experiment.generation());
  if (summary.has_best_selection_accuracy()) {
    best_accuracy_.Set(labels, summary.best_selection_accuracy());
  }
  if (summary.has_best_ratio()) best_ratio_.Set(labels, summary.best_ratio());
  if (summary.has_smallest_bytes()) {
    smallest_megabytes_.Set(labels, static_cast<double>(summary.smallest_bytes()) / 1e6);
  }
  images_planned_.RaiseTo(labels,
                          static_cast<double>(experiment.stored.experiment.images_planned()));
  images_wasted_.RaiseTo(labels, static_cast<double>(experiment.stored.experiment.images_wasted()));
  nondeterministic_.RaiseTo(labels, static_cast<double>(experiment.stored.nondeterministic));
}

void CoordinatorMetrics::ShowRunners(const Fleet& fleet) {
  std::map<v1::RunnerInfo::Kind, int> connected = {{v1::RunnerInfo::WORKER, 0},
                                                   {v1::RunnerInfo::AGENT, 0}};
  std::map<v1::RunnerInfo::Kind, int> set_aside = connected;
  std::vector<std::pair<MetricLabels, double>> resident, steps, restarts, checkpoints,
      resumed;
  for (const auto& [id, runner] : fleet.runners()) {
    if (runner.draining) continue;
    ++connected[runner.info.kind()];
    if (runner.aside.has_value()) ++set_aside[runner.info.kind()];
    const MetricLabels labels = {{"runner", id},
                                 {"kind", v1::RunnerInfo::Kind_Name(runner.info.kind())}};
    const v1::RunnerMetrics& metrics = runner.info.metrics();
    resident.emplace_back(labels, static_cast<double>(metrics.resident_bytes()));
    restarts.emplace_back(labels, static_cast<double>(metrics.child_restarts()));
    if (runner.info.kind() == v1::RunnerInfo::WORKER) {
      steps.emplace_back(labels, metrics.step_seconds());
      checkpoints.emplace_back(labels, static_cast<double>(metrics.checkpoints()));
      resumed.emplace_back(labels, static_cast<double>(metrics.resumed()));
    }
  }
  for (const auto& [kind, count] : connected) {
    runners_.Set({{"kind", v1::RunnerInfo::Kind_Name(kind)}}, count);
    runners_set_aside_.Set({{"kind", v1::RunnerInfo::Kind_Name(kind)}}, set_aside[kind]);
  }
  runner_resident_bytes_.Replace(resident);
  runner_step_seconds_.Replace(steps);
  runner_child_restarts_.Replace(restarts);
  runner_checkpoints_.Replace(checkpoints);
  runner_resumed_.Replace(resumed);
}

void CoordinatorMetrics::ShowDeviceClasses(const JobBoard& board, const Fleet& fleet,
                                           const LiveExperiments& live) {
  std::map<std::string, int64_t> agents, queued;
  for (const auto& [id, runner] : fleet.runners()) {
    if (runner.info.kind() != v1::RunnerInfo::AGENT || runner.draining) continue;
    agents[runner.info.device_class()] += runner.aside.has_value() ? 0 : 1;
  }
  for (const auto& [row, experiment] : live) {
    if (experiment.stored.experiment.state() != v1::Experiment::RUNNING) continue;
    for (const auto& [rung, count] : board.QueuedByRung(row, v1::JobKey::MEASURE)) {
      const std::string& wanted = WantedDeviceClass(experiment, rung);
      queued[wanted.empty() ? "any" : wanted] += count;
    }
  }
  for (const auto& [device_class, count] : agents) queued.try_emplace(device_class, 0);
  const auto show = [](const std::map<std::string, int64_t>& counts, GaugeTable& table) {
    std::vector<std::pair<MetricLabels, double>> values;
    for (const auto& [device_class, count] : counts) {
      values.emplace_back(MetricLabels{{"device_class", device_class}},
                          static_cast<double>(count));
    }
    table.Replace(values);
  };
  show(agents, agents_);
  show(queued, measurements_queued_);
}

}  // namespace squish
