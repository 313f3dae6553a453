#include "worker/daemon/worker_executor.h"

#include <spdlog/spdlog.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "worker/daemon/attempt_step.h"
#include "worker/daemon/child_events.h"
#include "worker/daemon/jobs.h"

namespace squish {
namespace {

// What attempts make on its way: a network, its filters' strengths, predictions, folders of
// files for engines, of checkpoints and of exported files.
constexpr char kNetwork[] = ".safetensors";
constexpr char kStrengths[] = ".strengths";
constexpr char kPredictions[] = ".csv";
constexpr char kEngineFiles[] = ".engine";
constexpr char kCheckpoints[] = ".checkpoints";
constexpr char kExport[] = ".export";

// What an earlier daemon was killed over. What cannot be removed does no harm: a file is
// overwritten by the next of its name.
void RemoveLeftovers(const std::string& folder) {
  std::error_code error;
  std::vector<std::filesystem::path> leftovers;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    for (const char* extension :
         {kNetwork, kStrengths, kPredictions, kEngineFiles, kCheckpoints, kExport}) {
      if (entry.path().extension() == extension) leftovers.push_back(entry.path());
    }
  }
  for (const auto& leftover : leftovers) std::filesystem::remove_all(leftover, error);
}

}  // namespace

WorkerExecutor::WorkerExecutor(const WorkerOptions& options, FolderLock lock,
                               std::string work_folder, Clock& clock)
    : clock_(clock),
      lock_(std::move(lock)),
      work_folder_(std::move(work_folder)),
      checkpoint_interval_(options.checkpoint_interval),
      exporter_(options.exporter),
      trainers_(options.trainer, options.slots),
      datasets_(options.datasets, clock) {}

absl::StatusOr<std::unique_ptr<WorkerExecutor>> WorkerExecutor::Create(WorkerOptions options,
                                                                       Clock& clock) {
  std::string work_folder = JoinPath(options.state_folder, "work");
  SQUISH_ASSIGN_OR_RETURN(FolderLock lock, FolderLock::Take(work_folder));
  RemoveLeftovers(work_folder);
  options.trainer.log_folder = JoinPath(options.state_folder, "log");
  SQUISH_RETURN_IF_ERROR(MakeFolder(options.trainer.log_folder));
  if (options.datasets.cache_folder.empty()) {
    options.datasets.cache_folder = JoinPath(options.state_folder, "datasets");
  }
  SQUISH_RETURN_IF_ERROR(MakeFolder(options.datasets.cache_folder));
  options.datasets.stderr_path = JoinPath(options.trainer.log_folder, "decoder.log");
  options.exporter.stderr_path = JoinPath(options.trainer.log_folder, "exporter.log");

  auto executor = std::unique_ptr<WorkerExecutor>(
      new WorkerExecutor(options, std::move(lock), std::move(work_folder), clock));
  const absl::StatusOr<v1::TrainerEvent::Ready> ready = executor->trainers_.Start();
  if (!ready.ok()) {
    return absl::Status(ready.status().code(),
                        absl::StrCat(ready.status().message(), "; what it said itself is in ",
                                     options.trainer.log_folder));
  }
  executor->cuda_ = ready->cuda();
  return executor;
}

v1::AttemptResult WorkerExecutor::Execute(Attempt& attempt) {
  const absl::Duration start = clock_.Steady();
  v1::AttemptResult result = Run(attempt);
  const v1::JobKey& key = attempt.job().key();
  spdlog::info("{} of {}:{} in experiment {} {} after {:.1f} s", v1::JobKey::Kind_Name(key.kind()),
               key.generation(), key.index(), attempt.job().experiment(),
               attempt.cancelled()    ? "was cancelled"
               : result.has_failure() ? "failed"
                                      : "is done",
               absl::ToDoubleSeconds(clock_.Steady() - start));
  return result;
}

v1::AttemptResult WorkerExecutor::Run(Attempt& attempt) {
  // Named by us: an attempt's id comes from outside.
  const std::string output = JoinPath(work_folder_, absl::StrCat(next_file_.fetch_add(1)));
  switch (attempt.job().work_case()) {
    case v1::Job::kSynthesize:
      return RunSynthesize(attempt, {output + kNetwork, output + kEngineFiles}, datasets_,
                           trainers_, exporter_);
    case v1::Job::kTrain:
      return RunTrain(
          attempt,
          {output + kNetwork, output + kStrengths, output + kCheckpoints, checkpoint_interval_},
          datasets_, trainers_);
    case v1::Job::kEvaluate:
      return RunEvaluate(attempt, output + kPredictions, datasets_, trainers_);
    case v1::Job::kExportFiles:
      return RunExport(attempt, output + kExport, datasets_, trainers_, exporter_, clock_);
    default:
      return FailedAttempt(MakeFailure(v1::Failure::INTERNAL,
                                       "a worker can only synthesize, train, evaluate and export"));
  }
}

std::vector<v1::DatasetReport> WorkerExecutor::PrepareDatasets(
    const std::vector<v1::DatasetSpec>& wanted, const std::vector<std::string>& fingerprints) {
  return datasets_.Report(wanted, fingerprints);
}

void WorkerExecutor::OnDatasetsChanged(std::function<void()> changed) {
  datasets_.OnChanged(std::move(changed));
}

void WorkerExecutor::FillMetrics(v1::RunnerMetrics& metrics) {
  metrics.set_child_restarts(trainers_.counters().restarts);
  metrics.set_checkpoints(trainers_.counters().checkpoints);
  metrics.set_resumed(trainers_.counters().resumed);
  metrics.set_step_seconds(static_cast<double>(trainers_.counters().step_microseconds) * 1e-6);
}

}  // namespace squish
