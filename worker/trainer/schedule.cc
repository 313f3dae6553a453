#include "worker/trainer/schedule.h"

#include <algorithm>
#include <cmath>

#include "common/spec/planned_images.h"

namespace squish {

Schedule::Schedule(const v1::Recipe& recipe, int64_t train_images)
    : batch_(recipe.batch()), peak_(recipe.learning_rate()), final_(recipe.final_learning_rate()) {
  steps_ = PlannedSteps(recipe, train_images);
  const double warmup = recipe.warmup_epochs() * static_cast<double>(train_images);
  warmup_steps_ = std::min<int64_t>(steps_, std::llround(warmup / static_cast<double>(batch_)));
}

double Schedule::LearningRate(int64_t step) const {
  if (step < warmup_steps_) {
    return peak_ * static_cast<double>(step + 1) / static_cast<double>(warmup_steps_);
  }
  const double done = static_cast<double>(step - warmup_steps_) /
                      static_cast<double>(steps_ - warmup_steps_);
  return final_ + (peak_ - final_) * (1.0 + std::cos(M_PI * done)) / 2.0;
}

}  // namespace squish
