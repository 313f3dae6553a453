// How a network does on a split, picture by picture. No LibTorch in this header.
#ifndef SQUISH_WORKER_TRAINER_SPLIT_EVALUATION_H_
#define SQUISH_WORKER_TRAINER_SPLIT_EVALUATION_H_

#include <string>

#include "absl/status/statusor.h"
#include "common/dataset/cache.h"
#include "common/weights/network.h"
#include "squish/v1/job.pb.h"
#include "worker/trainer/training.h"

namespace squish {

struct Evaluated {
  v1::EvaluateResult result;  // Everything but `predictions` and `wall_seconds`.
  std::string predictions;    // CSV (predictions.h), of the split's pictures in their order.
};

// In fp32, every picture once and whole. A picture without a name is called SPLIT/INDEX.
// Reports progress at the start and after each batch. A function of network, data and the
// numerics class. INVALID_ARGUMENT: a split that is not SELECTION or VAL, threads out of
// range, a network that does not fit the pictures (as CheckNetwork), or whose outputs are
// not finite. FAILED_PRECONDITION: another data set than the job's, no pictures in the
// split, or no CUDA device where one is asked for. As CatchTorchErrors.
absl::StatusOr<Evaluated> RunEvaluation(const v1::EvaluateJob& job, const Network& network,
                                        const DatasetCache& data, const ProgressReporter& report);

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_SPLIT_EVALUATION_H_
