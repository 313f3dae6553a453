// What a recipe means in steps. Pure; thread-safe.
#ifndef SQUISH_WORKER_TRAINER_SCHEDULE_H_
#define SQUISH_WORKER_TRAINER_SCHEDULE_H_

#include <cstdint>

#include "squish/v1/experiment.pb.h"

namespace squish {

// Every step sees a whole batch: pictures come from one shuffled epoch after the
// other, without a gap, so that an epoch may end inside a batch.
class Schedule {
 public:
  // `recipe` is complete and in range; train_images >= 1.
  Schedule(const v1::Recipe& recipe, int64_t train_images);

  int64_t steps() const { return steps_; }
  int64_t images() const { return steps_ * batch_; }

  // Of step 0 <= step < steps(): rises in a straight line over the warm-up's steps, the
  // last of which has the peak, then falls as half a cosine towards the final rate,
  // which the step after the last would have.
  double LearningRate(int64_t step) const;

 private:
  int64_t batch_;
  int64_t steps_;
  int64_t warmup_steps_;
  double peak_;
  double final_;
};

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_SCHEDULE_H_
