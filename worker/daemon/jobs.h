// The four kinds of job that a worker does, from attempt to result. Everything that goes
// wrong is a Failure in the result. Thread-safe.
#ifndef SQUISH_WORKER_DAEMON_JOBS_H_
#define SQUISH_WORKER_DAEMON_JOBS_H_

#include <string>

#include "common/base/clock.h"
#include "common/runner/runner.h"
#include "worker/daemon/dataset_shelf.h"
#include "worker/daemon/exporter_child.h"
#include "worker/daemon/trainer_pool.h"

namespace squish {

// SYNTHESIZE. `output_path` is where the network may lie on its way; it is removed.
v1::AttemptResult RunSynthesize(Attempt& attempt, const std::string& output_path);

// TRAIN. `output_path` and `strengths_path` are where the network and its filters' strengths
// may lie on their way; they are removed.
v1::AttemptResult RunTrain(Attempt& attempt, const std::string& output_path,
                           const std::string& strengths_path, DatasetShelf& datasets,
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
