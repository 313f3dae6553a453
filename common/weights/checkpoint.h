// A training in the midst of it, as a file: everything that its next step depends on and
// that does not follow from its task. Learning rate, order of pictures, their variation and
// dropout are functions of task and step.
//
// A safetensors file: `parameters` and `velocity` (F32, as many), `losses` (F64), and in its
// metadata the format's version, task, numerics class, step, and a digest of the tensors, so
// that a damaged file is never gone on from. Pure.
#ifndef SQUISH_COMMON_WEIGHTS_CHECKPOINT_H_
#define SQUISH_COMMON_WEIGHTS_CHECKPOINT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace squish {

struct TrainingState {
  std::string task;            // What tells its task from every other.
  std::string numerics_class;  // In which it is what it is.
  int64_t step = 0;            // Steps that are done.
  std::vector<float> parameters;  // In the optimiser's own order, like the next.
  std::vector<float> velocity;
  std::vector<double> losses;  // Of the latest steps, the oldest first; an epoch's at most.

  friend bool operator==(const TrainingState&, const TrainingState&) = default;
};

// Equal states give equal bytes.
std::string SerializeCheckpoint(const TrainingState& state);

// INVALID_ARGUMENT: the file is no checkpoint, of another version, or damaged.
absl::StatusOr<TrainingState> ReadCheckpoint(absl::string_view file);

// Whether a file that begins so claims to be a checkpoint, which no other file of ours does.
// kCheckpointMarkBytes are enough.
constexpr int64_t kCheckpointMarkBytes = 64;
bool BeginsAsCheckpoint(absl::string_view beginning);

}  // namespace squish

#endif  // SQUISH_COMMON_WEIGHTS_CHECKPOINT_H_
