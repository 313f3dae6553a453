// The two kinds of job that a worker does, from attempt to result. Everything that goes
// wrong is a Failure in the result. Thread-safe.
#ifndef SQUISH_WORKER_DAEMON_JOBS_H_
#define SQUISH_WORKER_DAEMON_JOBS_H_

#include <string>

#include "common/runner/runner.h"
#include "worker/daemon/dataset_shelf.h"
#include "worker/daemon/trainer_pool.h"

namespace squish {

// SYNTHESIZE. `output_path` is where the network may lie on its way; it is removed.
v1::AttemptResult RunSynthesize(Attempt& attempt, const std::string& output_path);

// TRAIN.
v1::AttemptResult RunTrain(Attempt& attempt, const std::string& output_path, DatasetShelf& datasets,
                           TrainerPool& trainers);

}  // namespace squish

#endif  // SQUISH_WORKER_DAEMON_JOBS_H_
