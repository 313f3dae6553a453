// What a recipe means in steps and images. Pure; thread-safe.
#ifndef SQUISH_COMMON_SPEC_PLANNED_IMAGES_H_
#define SQUISH_COMMON_SPEC_PLANNED_IMAGES_H_

#include <cstdint>

#include "squish/v1/experiment.pb.h"

namespace squish {

// Steps of a training with a complete recipe on train_images >= 1 pictures: epochs ·
// train_images / batch, rounded, at least one unless epochs is 0.
int64_t PlannedSteps(const v1::Recipe& recipe, int64_t train_images);

// PlannedSteps · batch: every step sees a whole batch.
int64_t PlannedImages(const v1::Recipe& recipe, int64_t train_images);

}  // namespace squish

#endif  // SQUISH_COMMON_SPEC_PLANNED_IMAGES_H_
