#include "worker/trainer/training.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <new>

#include "common/weights/strengths.h"
#include "tests/unit/trainer/memory_cache.h"

namespace squish {
namespace {

using testing::HasSubstr;

constexpr int kSide = 40, kClasses = 4;

class TrainingTest : public testing::Test {
 protected:
  TrainingTest() : data_(kSide, kClasses, /*train=*/64, /*selection=*/32) {}

  TrainingTask Task() const {
    TrainingTask task{{}, data_.FreshNetwork(0.2, 1), {}};
    task.job.set_dataset_fingerprint("stripes");
    *task.job.mutable_recipe() = StripesRecipe();
    task.job.set_seed(3);
    task.job.set_threads(1);
    task.job.set_device(v1::TrainingSpec::CPU);
    return task;
  }

  TrainingTask Distilling() const {
    TrainingTask task = Task();
    v1::Distillation& distillation = *task.job.mutable_recipe()->mutable_distillation();
    distillation.set_teacher(v1::Distillation::ANCESTOR);
    distillation.set_weight(0.5);
    distillation.set_temperature(2);
    task.teacher = data_.FreshNetwork(0.3, 9);
    return task;
  }

  absl::StatusOr<Trained> Run(const TrainingTask& task) {
    return RunTraining(task, data_, clock_, [&](const v1::TrainerEvent::Progress& progress) {
      progress_.push_back(progress);
    });
  }

  void ExpectRefused(const TrainingTask& task, const std::string& why) {
    const auto trained = Run(task);
    EXPECT_FALSE(trained.ok());
    EXPECT_THAT(std::string(trained.status().message()), HasSubstr(why));
    EXPECT_TRUE(progress_.empty());
  }

  MemoryCache data_;
  FakeClock clock_;
  std::vector<v1::TrainerEvent::Progress> progress_;
};

TEST_F(TrainingTest, LearnsWhatCanBeLearnt) {
  TrainingTask task = Task();
  task.network = data_.FreshNetwork(0.5, 1);
  task.job.mutable_recipe()->set_epochs(40);
  task.job.mutable_recipe()->set_warmup_epochs(2);
  const auto trained = Run(task);
  ASSERT_TRUE(trained.ok()) << trained.status();
  EXPECT_EQ(trained->result.outcome(), v1::TrainResult::TRAINED);
  EXPECT_GE(trained->result.selection_accuracy(), 0.9);
  EXPECT_LT(trained->result.selection_log_loss(), 0.5);
  EXPECT_LT(trained->result.final_training_loss(), 0.5);
}

TEST_F(TrainingTest, EqualTasksGiveEqualBits) {
  for (const TrainingTask& task : {Task(), Distilling()}) {
    const auto first = Run(task), second = Run(task);
    ASSERT_TRUE(first.ok()) << first.status();
    ASSERT_TRUE(second.ok()) << second.status();
    EXPECT_EQ(first->network->weights, second->network->weights);
    EXPECT_EQ(first->result.SerializeAsString(), second->result.SerializeAsString());
    EXPECT_NE(first->network->weights, task.network.weights);
  }
}

TEST_F(TrainingTest, AnotherSeedIsAnotherTraining) {
  TrainingTask other = Task();
  other.job.set_seed(4);
  EXPECT_NE(Run(Task())->result.weights_digest(), Run(other)->result.weights_digest());
}

TEST_F(TrainingTest, ATeacherMakesADifference) {
  TrainingTask without = Distilling();
  without.teacher.reset();
  without.job.mutable_recipe()->clear_distillation();
  TrainingTask ignored = Distilling();
  ignored.job.mutable_recipe()->mutable_distillation()->set_weight(0);
  const std::string plain = Run(without)->result.weights_digest();
  EXPECT_NE(plain, Run(Distilling())->result.weights_digest());
  EXPECT_EQ(plain, Run(ignored)->result.weights_digest());
}

TEST_F(TrainingTest, TheRecipeSetsTheRateOfDropout) {
  const std::string plain = Run(Task())->result.weights_digest();
  TrainingTask task = Task();
  task.job.mutable_recipe()->set_dropout(0);
  EXPECT_NE(plain, Run(task)->result.weights_digest());
  task.job.mutable_recipe()->set_dropout(1);
  EXPECT_EQ(Run(task).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(TrainingTest, CropsAndColourMakeADifferenceAndRepeatThemselves) {
  const std::string plain = Run(Task())->result.weights_digest();
  TrainingTask cropped = Task(), coloured = Task();
  cropped.job.mutable_recipe()->set_crop_area(0.35);
  coloured.job.mutable_recipe()->set_colour(0.4);
  for (const TrainingTask& task : {cropped, coloured}) {
    const std::string digest = Run(task)->result.weights_digest();
    EXPECT_NE(digest, plain);
    EXPECT_EQ(digest, Run(task)->result.weights_digest());
  }
  EXPECT_NE(Run(cropped)->result.weights_digest(), Run(coloured)->result.weights_digest());
}

TEST_F(TrainingTest, InBf16ItLearnsTooAndSaysSo) {
  TrainingTask task = Task();
  task.network = data_.FreshNetwork(0.5, 1);
  task.job.mutable_recipe()->set_precision(v1::Recipe::BF16);
  task.job.mutable_recipe()->set_epochs(40);
  task.job.mutable_recipe()->set_warmup_epochs(2);
  const auto trained = Run(task);
  ASSERT_TRUE(trained.ok()) << trained.status();
  EXPECT_GE(trained->result.selection_accuracy(), 0.9);
  EXPECT_THAT(trained->result.numerics_class(), HasSubstr("+bf16"));
}

TEST_F(TrainingTest, InBf16EqualTasksGiveEqualBits) {
  for (TrainingTask task : {Task(), Distilling()}) {
    const std::string fp32 = Run(task)->result.weights_digest();
    task.job.mutable_recipe()->set_precision(v1::Recipe::BF16);
    const auto first = Run(task), second = Run(task);
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_EQ(first->result.SerializeAsString(), second->result.SerializeAsString());
    EXPECT_NE(first->result.weights_digest(), fp32);
  }
}

// A cache that cannot be read from some picture on, as when the file behind it shrinks.
class FailingCache : public MemoryCache {
 public:
  FailingCache() : MemoryCache(kSide, kClasses, 64, 32) {}
  absl::Span<const uint8_t> Image(v1::Split split, int index) const override {
    if (split == v1::TRAIN && ++reads_ > 20) throw std::bad_alloc();
    return MemoryCache::Image(split, index);
  }

 private:
  mutable std::atomic<int> reads_ = 0;
};

TEST_F(TrainingTest, WhatGoesWrongWhileBatchesAreMadeAheadIsTheTrainingsError) {
  const FailingCache failing;
  const auto trained = RunTraining(Task(), failing, clock_, [](const auto&) {});
  EXPECT_EQ(trained.status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(TrainingTest, NoEpochsOnlyEvaluate) {
  TrainingTask task = Task();
  task.job.mutable_recipe()->set_epochs(0);
  const auto trained = Run(task);
  ASSERT_TRUE(trained.ok()) << trained.status();
  EXPECT_EQ(trained->network->weights, task.network.weights);
  EXPECT_EQ(trained->result.images_seen(), 0);
  EXPECT_EQ(trained->result.step_seconds(), 0);
  EXPECT_GT(trained->result.selection_log_loss(), 0);
}

TEST_F(TrainingTest, KeepsGenomeClassNamesAndPreprocessing) {
  const TrainingTask task = Task();
  const auto trained = Run(task);
  ASSERT_TRUE(trained.ok()) << trained.status();
  EXPECT_EQ(trained->network->genome, task.network.genome);
  EXPECT_EQ(trained->network->class_names, task.network.class_names);
  EXPECT_EQ(trained->network->preprocessing.SerializeAsString(),
            task.network.preprocessing.SerializeAsString());
  EXPECT_EQ(trained->result.images_seen(), 64);
  EXPECT_EQ(trained->result.weights_digest(), WeightsDigest(trained->network->weights));
}

TEST_F(TrainingTest, AWildLearningRateDivergesAndThatIsAResult) {
  TrainingTask task = Task();
  task.job.mutable_recipe()->set_learning_rate(1e6);
  task.job.mutable_recipe()->set_gradient_clip(0);
  task.job.mutable_recipe()->set_epochs(10);
  const auto trained = Run(task);
  ASSERT_TRUE(trained.ok()) << trained.status();
  EXPECT_EQ(trained->result.outcome(), v1::TrainResult::DIVERGED);
  EXPECT_FALSE(trained->network.has_value());
  EXPECT_EQ(trained->result.weights_digest(), "");
  EXPECT_EQ(trained->result.images_seen(), 640);
}

TEST_F(TrainingTest, ANetworkOfHugeWeightsDiverges) {
  TrainingTask task = Task();
  task.job.mutable_recipe()->set_epochs(0);
  for (auto& [name, tensor] : task.network.weights) {
    for (float& value : tensor.values) value = 1e30f;
  }
  const auto trained = Run(task);
  ASSERT_TRUE(trained.ok()) << trained.status();
  EXPECT_EQ(trained->result.outcome(), v1::TrainResult::DIVERGED);
}

TEST_F(TrainingTest, StrengthsAreThoseOfTheTrainedNetworkWhereTheyAreWanted) {
  TrainingTask task = Task();
  const auto without = Run(task);
  ASSERT_TRUE(without.ok()) << without.status();
  EXPECT_FALSE(without->strengths.has_value());
  task.job.set_strength_images(20);
  const auto first = Run(task), second = Run(task);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(first->strengths.has_value());
  EXPECT_TRUE(CheckStrengths(task.network.genome, *first->strengths).ok());
  EXPECT_EQ(*first->strengths, *second->strengths);
  EXPECT_EQ(first->network->weights, without->network->weights) << "training is the same";
  TrainingTask untrained = task;
  untrained.job.mutable_recipe()->set_epochs(0);
  EXPECT_NE(*Run(untrained)->strengths, *first->strengths);
  untrained.network = *first->network;
  EXPECT_EQ(*Run(untrained)->strengths, *first->strengths);
}

TEST_F(TrainingTest, AStrengthThatIsNotFiniteIsADivergence) {
  TrainingTask task = Task();
  task.job.mutable_recipe()->set_epochs(0);
  const auto scale = [&](const char* layer, float factor) {
    for (float& value : task.network.weights.at(layer).values) value *= factor;
  };
  // What the network says stays finite; what its first layer would change does not.
  scale("features.0.weight", 1e-36f);
  scale("features.3.squeeze.weight", 1e22f);
  scale("features.3.expand1x1.weight", 1e22f);
  scale("features.3.expand3x3.weight", 1e22f);
  ASSERT_EQ(Run(task)->result.outcome(), v1::TrainResult::TRAINED);
  task.job.set_strength_images(20);
  const auto trained = Run(task);
  ASSERT_TRUE(trained.ok()) << trained.status();
  EXPECT_EQ(trained->result.outcome(), v1::TrainResult::DIVERGED);
  EXPECT_FALSE(trained->network.has_value());
  EXPECT_FALSE(trained->strengths.has_value());
  EXPECT_EQ(trained->result.selection_log_loss(), 0);
}

TEST_F(TrainingTest, ReportsWhileItFindsStrengths) {
  TrainingTask task = Task();
  task.job.set_strength_images(64);
  const auto trained = RunTraining(task, data_, clock_, [&](const auto& progress) {
    progress_.push_back(progress);
    clock_.Advance(absl::Seconds(1));  // So that the next moment is reported too.
  });
  ASSERT_TRUE(trained.ok()) << trained.status();
  // The start, four steps, the evaluation, four batches for strengths.
  ASSERT_EQ(progress_.size(), 10u);
  for (size_t i = 1; i < progress_.size(); ++i) {
    EXPECT_GT(progress_[i].fraction(), progress_[i - 1].fraction());
  }
  EXPECT_THAT(progress_[6].note(), HasSubstr("strengths"));
  EXPECT_DOUBLE_EQ(progress_.back().fraction(), 1);
}

TEST_F(TrainingTest, ReportsEveryEpoch) {
  TrainingTask task = Task();
  task.job.mutable_recipe()->set_epochs(3);
  ASSERT_TRUE(Run(task).ok());
  ASSERT_EQ(progress_.size(), 4u);  // The start and three epochs.
  EXPECT_EQ(progress_[0].fraction(), 0);
  EXPECT_THAT(progress_[1].note(), HasSubstr("epoch 1 of 3"));
  EXPECT_THAT(progress_[3].note(), HasSubstr("epoch 3 of 3"));
  EXPECT_GT(progress_[3].fraction(), progress_[2].fraction());
  EXPECT_LE(progress_[3].fraction(), 1);
}

TEST_F(TrainingTest, RefusesWhatDoesNotFit) {
  TrainingTask task = Task();
  task.job.set_dataset_fingerprint("other");
  ExpectRefused(task, "data set");
  task = Task();
  task.job.mutable_recipe()->clear_momentum();
  ExpectRefused(task, "recipe.momentum is missing");
  task = Task();
  task.job.mutable_recipe()->set_batch(0);
  ExpectRefused(task, "recipe.batch");
  task = Task();
  task.job.mutable_recipe()->set_learning_rate(std::nan(""));
  ExpectRefused(task, "recipe.learning_rate");
  task = Task();
  task.job.mutable_recipe()->set_shift(kSide);
  ExpectRefused(task, "recipe.shift");
  for (const double area : {0.049, 1.001, std::nan("")}) {
    task = Task();
    task.job.mutable_recipe()->set_crop_area(area);
    ExpectRefused(task, "recipe.crop_area");
  }
  for (const double colour : {-0.1, 1.1, std::nan("")}) {
    task = Task();
    task.job.mutable_recipe()->set_colour(colour);
    ExpectRefused(task, "recipe.colour");
  }
  task = Task();
  task.job.mutable_recipe()->set_precision(v1::Recipe::PRECISION_UNSPECIFIED);
  ExpectRefused(task, "recipe.precision");
  task = Task();
  task.job.mutable_recipe()->clear_crop_area();
  ExpectRefused(task, "recipe.crop_area is missing");
  for (const int images : {-1, 1'000'001}) {
    task = Task();
    task.job.set_strength_images(images);
    ExpectRefused(task, "strength_images");
  }
  task = Task();
  task.job.set_threads(0);
  ExpectRefused(task, "threads");
  task = Task();
  task.network.preprocessing.set_input_size(kSide + 1);
  ExpectRefused(task, "pixels a side");
  task = Task();
  std::swap(task.network.class_names[0], task.network.class_names[1]);
  ExpectRefused(task, "classes");
  task = Task();
  task.teacher = task.network;
  ExpectRefused(task, "distillation");
  task = Distilling();
  task.teacher.reset();
  ExpectRefused(task, "teacher");
  task = Distilling();
  task.teacher->preprocessing.set_mean(0, 0.1f);
  ExpectRefused(task, "mean");
}

TEST_F(TrainingTest, RefusesADataSetWithoutPicturesToLearnFromOrToJudgeBy) {
  for (const auto& [train, selection] : {std::pair(0, 4), std::pair(4, 0)}) {
    const MemoryCache empty(kSide, kClasses, train, selection);
    const auto trained = RunTraining(Task(), empty, clock_, [](const auto&) {});
    EXPECT_EQ(trained.status().code(), absl::StatusCode::kFailedPrecondition);
  }
}

}  // namespace
}  // namespace squish
