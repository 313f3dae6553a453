#include "coordinator/service/matching.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "coordinator/service/ledger.h"

namespace squish {
namespace {

bool HoldsDataset(const ConnectedRunner& runner, const LiveExperiment& experiment) {
  const v1::DatasetReport* report = runner.FindDataset(experiment.spec().dataset());
  return report != nullptr && report->state() == v1::DatasetReport::READY &&
         report->summary().fingerprint() == experiment.stored.experiment.dataset().fingerprint();
}

// CanDo, were it not for what it has failed before.
bool IsOfUse(const ConnectedRunner& runner, const LiveExperiment& experiment,
             const v1::JobKey& key) {
  const bool is_worker = runner.info.kind() == v1::RunnerInfo::WORKER;
  switch (key.kind()) {
    case v1::JobKey::SYNTHESIZE:
      return is_worker && (HoldsDataset(runner, experiment) ||
                           !OrdersEngineFiles(experiment.spec(), experiment.stored.summary,
                                              key.generation()));
    case v1::JobKey::EXPORT:
      return is_worker && HoldsDataset(runner, experiment);
    case v1::JobKey::TRAIN:
    case v1::JobKey::EVALUATE:
      return is_worker && HoldsDataset(runner, experiment) &&
             (runner.info.cuda() ||
              experiment.spec().training().device() != v1::TrainingSpec::CUDA);
    case v1::JobKey::MEASURE: {
      const std::string& wanted = WantedDeviceClass(experiment, key.rung());
      const v1::MeasurementSetting* const setting = experiment.SettingOf(key.rung());
      return !is_worker && (wanted.empty() || runner.info.device_class() == wanted) &&
             (setting == nullptr || runner.info.engine() == setting->engine());
    }
    default:
      return false;
  }
}

bool AnyCanDo(const Fleet& fleet, const LiveExperiment& experiment, const v1::JobKey& key) {
  return std::any_of(fleet.runners().begin(), fleet.runners().end(), [&](const auto& entry) {
    return CanDo(entry.second, experiment, key);
  });
}

std::vector<const ConnectedRunner*> Connected(const Fleet& fleet, v1::RunnerInfo::Kind kind) {
  std::vector<const ConnectedRunner*> connected;
  for (const auto& [id, runner] : fleet.runners()) {
    if (runner.info.kind() == kind && !runner.draining) connected.push_back(&runner);
  }
  return connected;
}

// What a worker says of the experiment's data set, for the reason.
std::string DatasetAnswer(const ConnectedRunner& worker, const LiveExperiment& experiment) {
  const v1::DatasetReport* report = worker.FindDataset(experiment.spec().dataset());
  if (report == nullptr) return absl::StrCat(worker.info.id(), " has not answered yet");
  switch (report->state()) {
    case v1::DatasetReport::PREPARING:
      return absl::StrFormat("%s is preparing it, %.0f %%", worker.info.id(),
                             100 * report->fraction());
    case v1::DatasetReport::READY:
      return absl::StrCat(worker.info.id(), " has fingerprint ", report->summary().fingerprint(),
                          report->difference().empty() ? "" : ": ", report->difference());
    default:
      return absl::StrCat(worker.info.id(), " says: ", report->message());
  }
}

std::string MissingDatasetReason(const std::vector<const ConnectedRunner*>& workers,
                                 const LiveExperiment& experiment) {
  constexpr size_t kNamed = 5;  // Enough to see what is wrong; one sentence stays one.
  std::vector<std::string> answers;
  for (const ConnectedRunner* worker : workers) {
    if (answers.size() == kNamed) break;
    if (!HoldsDataset(*worker, experiment)) answers.push_back(DatasetAnswer(*worker, experiment));
  }
  const std::string& fingerprint = experiment.stored.experiment.dataset().fingerprint();
  return absl::StrCat("no connected worker has the data set '", experiment.spec().dataset().name(),
                      fingerprint.empty() ? "'" : "' with fingerprint ", fingerprint, " (",
                      absl::StrJoin(answers, "; "), ")");
}

std::string NoWorkerReason(const Fleet& fleet, const LiveExperiment& experiment) {
  std::vector<const ConnectedRunner*> workers = Connected(fleet, v1::RunnerInfo::WORKER);
  if (workers.empty()) return "no worker is connected";
  if (experiment.spec().training().device() == v1::TrainingSpec::CUDA) {
    workers.erase(std::remove_if(workers.begin(), workers.end(),
                                 [](const auto* worker) { return !worker->info.cuda(); }),
                  workers.end());
    if (workers.empty()) return "no connected worker can train on CUDA, which the spec asks for";
  }
  return MissingDatasetReason(workers, experiment);
}

std::string NoAgentReason(const Fleet& fleet, const LiveExperiment& experiment, int rung) {
  std::set<std::string> classes;
  for (const ConnectedRunner* agent : Connected(fleet, v1::RunnerInfo::AGENT)) {
    classes.insert(absl::StrCat(agent->info.device_class(), " with ", agent->info.engine()));
  }
  const std::string& wanted = WantedDeviceClass(experiment, rung);
  const v1::MeasurementSetting* const setting = experiment.SettingOf(rung);
  return absl::StrCat(
      "no agent", wanted.empty() ? "" : absl::StrCat(" of device class '", wanted, "'"),
      setting != nullptr ? absl::StrCat(" with engine ", setting->engine()) : "",
      " is connected",
      classes.empty() ? "" : absl::StrCat(" (there is ", absl::StrJoin(classes, ", "), ")"));
}

// When those who could do the job are set aside; else empty.
std::string AsideReason(const Fleet& fleet, const LiveExperiment& experiment,
                        const v1::JobKey& key) {
  for (const auto& [id, runner] : fleet.runners()) {
    if (runner.draining || !runner.aside.has_value()) continue;
    if (!IsOfUse(runner, experiment, key)) continue;
    return absl::StrCat("runner ", id, " is set aside for a while: it ", runner.aside->why);
  }
  return "";
}

// The reason of a measurement that was invalid as often as is allowed; else empty.
std::string InvalidReason(const LiveExperiment& experiment, const JobBoard& board) {
  for (const BoardJob* job : board.Exhausted(experiment.row())) {
    if (!ExhaustedByMeasurements(*job, experiment.spec().retry())) continue;
    return absl::StrCat(JobName(experiment, job->key), " was invalid ", job->invalid, " times; the last: ",
                        job->last_error,
                        "; start an agent anew, or use 'squishctl retry', to try again");
  }
  return "";
}

}  // namespace

const std::string& WantedDeviceClass(const LiveExperiment& experiment, int rung) {
  const v1::MeasurementSetting* setting = experiment.SettingOf(rung);
  const v1::MeasurementSpec& spec = experiment.spec().measurement();
  if (setting == nullptr && rung > 0) {
    const std::string& own = spec.beside(rung - 1).device_class();
    if (!own.empty()) return own;
    setting = experiment.SettingOf(0);  // It waits for that.
  }
  return setting != nullptr ? setting->device_class() : spec.device_class();
}

bool CanDo(const ConnectedRunner& runner, const LiveExperiment& experiment,
           const v1::JobKey& key) {
  return !runner.draining && !runner.aside.has_value() && IsOfUse(runner, experiment, key);
}

void DescribeWaiting(const LiveExperiment& experiment, const JobBoard& board, const Fleet& fleet,
                     const std::string& withheld, v1::Experiment& described) {
  if (described.state() != v1::Experiment::RUNNING) return;
  const auto wait = [&described](v1::Experiment::State state, const std::string& reason) {
    described.set_state(state);
    described.set_reason(reason);
  };
  if (!withheld.empty() && !board.Queued(experiment.row()).empty()) {
    wait(v1::Experiment::WAITING_FOR_WORKER, withheld);
    return;
  }
  if (!described.has_dataset()) {
    wait(v1::Experiment::WAITING_FOR_WORKER, NoWorkerReason(fleet, experiment));
    return;
  }
  // Who can do a job hangs on its kind alone, and of measurements on their rung.
  std::map<std::pair<v1::JobKey::Kind, int>, v1::JobKey> queued;
  for (const BoardJob* job : board.Queued(experiment.row())) {
    const bool measures = job->key.kind() == v1::JobKey::MEASURE;
    queued.emplace(std::make_pair(job->key.kind(), measures ? job->key.rung() : 0), job->key);
  }
  for (const auto& [what, key] : queued) {
    if (AnyCanDo(fleet, experiment, key)) continue;
    if (const std::string aside = AsideReason(fleet, experiment, key); !aside.empty()) {
      wait(key.kind() == v1::JobKey::MEASURE ? v1::Experiment::WAITING_FOR_DEVICE
                                             : v1::Experiment::WAITING_FOR_WORKER,
           aside);
    } else if (key.kind() == v1::JobKey::MEASURE) {
      wait(v1::Experiment::WAITING_FOR_DEVICE, NoAgentReason(fleet, experiment, key.rung()));
    } else {
      wait(v1::Experiment::WAITING_FOR_WORKER, NoWorkerReason(fleet, experiment));
    }
    return;
  }
  const std::string invalid = InvalidReason(experiment, board);
  if (!invalid.empty()) wait(v1::Experiment::WAITING_FOR_DEVICE, invalid);
}

}  // namespace squish
