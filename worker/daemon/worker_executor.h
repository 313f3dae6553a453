// What a worker does with its jobs.
//
//   SYNTHESIZE ──► fetch parents ──► Synthesize (here) ─────────────► store ──► result
//   TRAIN ──► data set ──► fetch network, teacher ──► trainer child ──► check ──► store ──► result
//                          and checkpoint                  └─► checkpoints, sent meanwhile
//   EVALUATE ──► data set ──► fetch network ──► trainer child ──► check ──► store ──► result
//   EXPORT ──► data set ──► fetch network ──► trainer child, exporter child ──► … as above
//
// What goes wrong is a Failure of the attempt and of nothing else. No LibTorch and no
// OpenCV in this process: trainers, decoders and exporters are children. Thread-safe.
#ifndef SQUISH_WORKER_DAEMON_WORKER_EXECUTOR_H_
#define SQUISH_WORKER_DAEMON_WORKER_EXECUTOR_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/runner/runner.h"
#include "common/runner/state_folder.h"
#include "worker/daemon/dataset_shelf.h"
#include "worker/daemon/exporter_child.h"
#include "worker/daemon/trainer_pool.h"

namespace squish {

struct WorkerOptions {
  int slots = 1;
  TrainerOptions trainer;   // log_folder is set by Create.
  absl::Duration checkpoint_interval = absl::Minutes(1);  // Zero: trainings make none.
  // Create sets stderr_path, and cache_folder where it is empty.
  DatasetOptions datasets;
  ExporterOptions exporter;  // stderr_path is set by Create.
  // Below it lie `datasets`, `log` and `work` (results on their way; emptied at start).
  // The runner's own state folder will do.
  std::string state_folder;
};

class WorkerExecutor : public JobExecutor {
 public:
  // Makes the folders, starts the trainers and waits until the first is ready.
  // FAILED_PRECONDITION: another worker uses the folder. Else as MakeFolder and
  // TrainerPool::Start. `clock` outlives the executor.
  static absl::StatusOr<std::unique_ptr<WorkerExecutor>> Create(WorkerOptions options,
                                                                Clock& clock);

  // Whether the trainers can train on CUDA.
  bool cuda() const { return cuda_; }

  v1::AttemptResult Execute(Attempt& attempt) override;
  std::vector<v1::DatasetReport> PrepareDatasets(
      const std::vector<v1::DatasetSpec>& wanted,
      const std::vector<std::string>& fingerprints) override;
  void OnDatasetsChanged(std::function<void()> changed) override;
  void FillMetrics(v1::RunnerMetrics& metrics) override;

 private:
  WorkerExecutor(const WorkerOptions& options, FolderLock lock, std::string work_folder,
                 Clock& clock);

  v1::AttemptResult Run(Attempt& attempt);

  Clock& clock_;
  const FolderLock lock_;  // Of work_folder_.
  const std::string work_folder_;
  const absl::Duration checkpoint_interval_;
  const ExporterOptions exporter_;
  TrainerPool trainers_;
  DatasetShelf datasets_;
  bool cuda_ = false;
  std::atomic<int64_t> next_file_ = 0;
};

}  // namespace squish

#endif  // SQUISH_WORKER_DAEMON_WORKER_EXECUTOR_H_
