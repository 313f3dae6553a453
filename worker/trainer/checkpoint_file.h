// Checkpoints as a file: one after the other in the same place, each whole when it is there.
// No LibTorch in this header.
#ifndef SQUISH_WORKER_TRAINER_CHECKPOINT_FILE_H_
#define SQUISH_WORKER_TRAINER_CHECKPOINT_FILE_H_

#include <functional>
#include <string>

#include "absl/time/time.h"
#include "common/base/clock.h"
#include "squish/v1/job.pb.h"
#include "worker/trainer/training.h"

namespace squish {

// The process that trains, as far as checkpoints go.
struct CheckpointHooks {
  // From here on there may be something to keep.
  std::function<void()> begin;
  // Whether it was asked to end: then a last one is due at once. Any thread.
  std::function<bool()> stopping;
  // Another one is in its place. Need not return when stopping.
  std::function<void(const v1::Checkpoint&)> kept;
};

class CheckpointFile : public CheckpointKeeper {
 public:
  // The first is due after `interval`. `clock` and `hooks` outlive it, and are told.
  CheckpointFile(std::string path, absl::Duration interval, Clock& clock,
                 const CheckpointHooks& hooks);

  bool IsDue() override;
  // What cannot be written is said on stderr and left: a training does not end for it.
  void Keep(const std::string& file, const v1::Checkpoint& what) override;

 private:
  const std::string path_;
  const absl::Duration interval_;
  Clock& clock_;
  const CheckpointHooks& hooks_;
  absl::Duration last_;  // When the last one was tried.
};

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_CHECKPOINT_FILE_H_
