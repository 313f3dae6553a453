// The four kinds of job that a worker does, from attempt to result. Everything that goes
// wrong is a Failure in the result. Thread-safe.
#ifndef SQUISH_WORKER_DAEMON_JOBS_H_
#define SQUISH_WORKER_DAEMON_JOBS_H_

#include <string>

#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/runner/runner.h"
#include "worker/daemon/dataset_shelf.h"
#include "worker/daemon/exporter_child.h"
#include "worker/daemon/trainer_pool.h"

namespace squish {

// Where what a synthesis makes may lie on its way: the network, and a folder of what engines
// are given beside it.
struct SynthesisFiles {
  std::string output_path;
  std::string engine_folder;
};

// SYNTHESIZE. `files` are removed.
v1::AttemptResult RunSynthesize(Attempt& attempt, const SynthesisFiles& files,
                                DatasetShelf& datasets, TrainerPool& trainers,
                                const ExporterOptions& exporter);

// Where what a training makes may lie on its way: the network, its filters' strengths, and,
// unless `checkpoint_interval` is zero, after so long each its checkpoints.
struct TrainFiles {
  std::string output_path;
  std::string strengths_path;
  std::string checkpoint_folder;
  absl::Duration checkpoint_interval;
};

// TRAIN, from the job's checkpoint on where that can be had. `files` are removed.
v1::AttemptResult RunTrain(Attempt& attempt, const TrainFiles& files, DatasetShelf& datasets,
                           TrainerPool& trainers);

// EVALUATE. `output_path` is where the predictions may lie on their way; it is removed.
v1::AttemptResult RunEvaluate(Attempt& attempt, const std::string& output_path,
                              DatasetShelf& datasets, TrainerPool& trainers);

// EXPORT. `output_folder` is made for the files on their way, and removed.
v1::AttemptResult RunExport(Attempt& attempt, const std::string& output_folder,
                            DatasetShelf& datasets, TrainerPool& trainers,
                            const ExporterOptions& exporter, Clock& clock);

}  // namespace squish

#endif  // SQUISH_WORKER_DAEMON_JOBS_H_
