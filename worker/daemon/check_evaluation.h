// Whether what a trainer says of an evaluation can be true. Thread-safe.
#ifndef SQUISH_WORKER_DAEMON_CHECK_EVALUATION_H_
#define SQUISH_WORKER_DAEMON_CHECK_EVALUATION_H_

#include "absl/status/status.h"
#include "squish/v1/dataset.pb.h"
#include "squish/v1/trainer.pb.h"

namespace squish {

// INVALID_ARGUMENT says what is untrue: another number of pictures or classes than the
// data set has, counts that do not add up, fractions that are not those of the counts, a
// log-loss out of range, no numerics class, or predictions that have another digest than
// the file at request.output_path().
absl::Status CheckEvaluation(const v1::TrainerRequest& request, const v1::DatasetSummary& data,
                             const v1::EvaluateResult& result);

}  // namespace squish

#endif  // SQUISH_WORKER_DAEMON_CHECK_EVALUATION_H_
