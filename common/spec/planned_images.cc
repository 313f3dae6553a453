#include "common/spec/planned_images.h"

#include <algorithm>
#include <cmath>

namespace squish {

int64_t PlannedSteps(const v1::Recipe& recipe, int64_t train_images) {
  const int64_t steps = std::llround(recipe.epochs() * static_cast<double>(train_images) /
                                     static_cast<double>(recipe.batch()));
  return recipe.epochs() > 0 ? std::max<int64_t>(1, steps) : steps;
}

int64_t PlannedImages(const v1::Recipe& recipe, int64_t train_images) {
  return PlannedSteps(recipe, train_images) * recipe.batch();
}

}  // namespace squish
