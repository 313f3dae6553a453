// Whether what a trainer says it did can be true. A trainer runs libraries that may
// misbehave; what leaves the worker as a result has been looked at. Thread-safe.
#ifndef SQUISH_WORKER_DAEMON_CHECK_TRAINING_H_
#define SQUISH_WORKER_DAEMON_CHECK_TRAINING_H_

#include "absl/status/status.h"
#include "squish/v1/trainer.pb.h"

namespace squish {

// INVALID_ARGUMENT says what is untrue: the outcome, a number out of range, an output
// file that is no network, is not the network of the job's genome and classes, or has
// other digests than the result; and, where the job wants strengths, a file that has
// another digest than the result's or not those of the network's filters.
absl::Status CheckTraining(const v1::TrainerRequest& request, const v1::TrainResult& result);

}  // namespace squish

#endif  // SQUISH_WORKER_DAEMON_CHECK_TRAINING_H_
