// One training, from network or checkpoint to trained network. No LibTorch in this header.
//
//   picture order ─► cropped, varied batch ─► batch ─► ...        (one thread, ahead)
//                             │ Next()
//                             ▼
//                    forward ─► loss ─► backward ─► SGD ─┐         × steps
//                             ▲                          │
//                             └──────────────────────────┘
//   then: selection split ─► accuracy and log-loss; pictures ─► strengths of filters
//
// A function of the task and the numerics class alone: on the CPU two runs give
// equal bits, and so does one that goes on from a checkpoint of the other.
#ifndef SQUISH_WORKER_TRAINER_TRAINING_H_
#define SQUISH_WORKER_TRAINER_TRAINING_H_

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/dataset/cache.h"
#include "common/weights/network.h"
#include "squish/v1/job.pb.h"
#include "squish/v1/trainer.pb.h"

namespace squish {

struct TrainingTask {
  v1::TrainJob job;  // Passed CheckTask.
  Network network;
  std::optional<Network> teacher;  // Set exactly when the recipe distils.
  // A file of an earlier run to go on from (common/weights/checkpoint.h), or empty.
  std::string checkpoint = {};
};

// Where a training leaves its checkpoints. Asked and told by the training's own thread.
class CheckpointKeeper {
 public:
  virtual ~CheckpointKeeper() = default;
  // Whether one is wanted now. Asked after every step, and now and then later.
  virtual bool IsDue() = 0;
  // `what` has all but the artifact.
  virtual void Keep(const std::string& file, const v1::Checkpoint& what) = 0;
};

struct Trained {
  // Everything but `artifact`, `strengths` and `wall_seconds`.
  v1::TrainResult result;
  std::optional<Network> network;      // Absent when diverged.
  std::optional<TensorMap> strengths;  // Absent when diverged or not asked for.
};

using ProgressReporter = std::function<void(const v1::TrainerEvent::Progress&)>;

// Whether the task can be done with this data and machine. INVALID_ARGUMENT: a recipe
// with a field missing or out of range, a network or teacher that does not fit the
// pictures or their classes. FAILED_PRECONDITION: another data set than the job's, no
// pictures, or no CUDA device where one is asked for.
absl::Status CheckTask(const TrainingTask& task, const DatasetCache& data);

// Trains (not at all when epochs is 0), evaluates on the selection split and, where the
// job wants them, computes the filters' strengths (strengths.h) on the training split.
// Reports progress at the start, at every epoch and at least every two seconds while
// steps are shorter than that. Diverged is a result, not an error: a loss, gradient,
// logit or strength was not finite. A checkpoint that is damaged, of another task or of
// another numerics class is no error either: a note says so, and the training begins anew.
// `keeper` may be null. As CheckTask, and as CatchTorchErrors.
absl::StatusOr<Trained> RunTraining(const TrainingTask& task, const DatasetCache& data,
                                    Clock& clock, const ProgressReporter& report,
                                    CheckpointKeeper* keeper = nullptr);

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_TRAINING_H_
