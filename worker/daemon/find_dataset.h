// The step of a job that needs pictures.
#ifndef SQUISH_WORKER_DAEMON_FIND_DATASET_H_
#define SQUISH_WORKER_DAEMON_FIND_DATASET_H_

#include <string>

#include "squish/v1/trainer.pb.h"
#include "worker/daemon/attempt_step.h"
#include "worker/daemon/dataset_shelf.h"

namespace squish {

// The data set, if this worker has that very content; waits while it is being prepared.
// Else MISSING_DATASET, which says what is missing and why.
StepOr<v1::DecoderEvent::Done> FindDataset(Attempt& attempt, const v1::DatasetSpec& spec,
                                           const std::string& fingerprint, DatasetShelf& datasets);

}  // namespace squish

#endif  // SQUISH_WORKER_DAEMON_FIND_DATASET_H_
