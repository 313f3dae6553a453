#include "worker/trainer/schedule.h"

#include <algorithm>
#include <cmath>

namespace squish {
namespace {

int64_t Steps(double epochs, int64_t train_images, int64_t batch) {
  return std::llround(epochs * static_cast<double>(train_images) / static_cast<double>(batch));
}

}  // namespace

Schedule::Schedule(const v1::Recipe& recipe, int64_t train_images)
    : batch_(recipe.batch()), peak_(recipe.learning_rate()), final_(recipe.final_learning_rate()) {
  steps_ = Steps(recipe.epochs(), train_images, batch_);
  if (recipe.epochs() > 0) steps_ = std::max<int64_t>(1, steps_);
  warmup_steps_ = std::min(steps_, Steps(recipe.warmup_epochs(), train_images, batch_));
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
