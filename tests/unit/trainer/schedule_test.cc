#include "worker/trainer/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace squish {
namespace {

v1::Recipe RecipeOf(double epochs, double warmup_epochs, int batch) {
  v1::Recipe recipe;
  recipe.set_epochs(epochs);
  recipe.set_warmup_epochs(warmup_epochs);
  recipe.set_batch(batch);
  recipe.set_learning_rate(0.1);
  recipe.set_final_learning_rate(0.01);
  return recipe;
}

TEST(ScheduleTest, StepsAreEpochsOfPicturesInWholeBatches) {
  EXPECT_EQ(Schedule(RecipeOf(2, 0, 10), 100).steps(), 20);
  EXPECT_EQ(Schedule(RecipeOf(2, 0, 10), 100).images(), 200);
  EXPECT_EQ(Schedule(RecipeOf(0.5, 0, 10), 100).steps(), 5);
  EXPECT_EQ(Schedule(RecipeOf(1, 0, 64), 100).steps(), 2);  // 1.56, rounded.
  EXPECT_EQ(Schedule(RecipeOf(0.001, 0, 64), 100).steps(), 1);
  EXPECT_EQ(Schedule(RecipeOf(0, 0, 64), 100).steps(), 0);
  EXPECT_EQ(Schedule(RecipeOf(0, 1, 64), 100).images(), 0);
}

TEST(ScheduleTest, WarmsUpInAStraightLineToThePeak) {
  const Schedule schedule(RecipeOf(2, 0.5, 10), 100);  // 5 of 20 steps.
  for (int step = 0; step < 5; ++step) {
    EXPECT_NEAR(schedule.LearningRate(step), 0.1 * (step + 1) / 5, 1e-12);
  }
}

TEST(ScheduleTest, FallsAsHalfACosineFromThePeakTowardsTheFinalRate) {
  const Schedule schedule(RecipeOf(2, 0.5, 10), 100);
  EXPECT_NEAR(schedule.LearningRate(5), 0.1, 1e-12);
  for (int step = 5; step < 20; ++step) {
    const double expected = 0.01 + 0.09 * (1 + std::cos(M_PI * (step - 5) / 15)) / 2;
    EXPECT_NEAR(schedule.LearningRate(step), expected, 1e-12);
    if (step > 5) {
      EXPECT_LT(schedule.LearningRate(step), schedule.LearningRate(step - 1));
    }
  }
  EXPECT_GT(schedule.LearningRate(19), 0.01);
}

TEST(ScheduleTest, AWarmUpAsLongAsTheTrainingOnlyRises) {
  const Schedule schedule(RecipeOf(1, 5, 10), 100);
  for (int step = 0; step < 10; ++step) {
    EXPECT_NEAR(schedule.LearningRate(step), 0.1 * (step + 1) / 10, 1e-12);
  }
}

}  // namespace
}  // namespace squish
