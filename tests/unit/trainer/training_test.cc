#include "worker/trainer/training.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <map>
#include <new>

#include "common/weights/checkpoint.h"
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

// --- Checkpoints -------------------------------------------------------------------

// Wants one whenever it is asked, and keeps all.
class AllCheckpoints : public CheckpointKeeper {
 public:
  bool IsDue() override { return true; }
  void Keep(const std::string& file, const v1::Checkpoint& what) override {
    files[what.step()] = file;
    fractions.push_back(what.fraction());
    numerics_class = what.numerics_class();
  }

  std::map<int64_t, std::string> files;  // By steps done.
  std::vector<double> fractions;
  std::string numerics_class;
};

class ResumeTest : public TrainingTest {
 protected:
  // Ten steps in two epochs and a half, some of whose last are of a smaller epoch's losses.
  static constexpr int kSteps = 10;

  TrainingTask LongTask() const {
    TrainingTask task = Task();
    task.job.mutable_recipe()->set_epochs(2.5);
    task.job.mutable_recipe()->set_final_learning_rate(0.001);
    task.job.set_strength_images(16);
    return task;
  }

  absl::StatusOr<Trained> RunKeeping(const TrainingTask& task, AllCheckpoints& kept) {
    return RunTraining(
        task, data_, clock_,
        [&](const v1::TrainerEvent::Progress& progress) { progress_.push_back(progress); }, &kept);
  }

  // The task, gone on with from its checkpoint, or, as `why` says, begun anew.
  void ExpectBegunAnew(TrainingTask task, const std::string& checkpoint, const std::string& why) {
    const auto fresh = Run(task);
    ASSERT_TRUE(fresh.ok()) << fresh.status();
    progress_.clear();
    task.checkpoint = checkpoint;
    const auto trained = Run(task);
    ASSERT_TRUE(trained.ok()) << trained.status();
    EXPECT_THAT(progress_.front().note(), HasSubstr(why));
    EXPECT_EQ(progress_.front().fraction(), 0);
    EXPECT_EQ(progress_.back().resumed_at(), 0);
    EXPECT_EQ(trained->result.SerializeAsString(), fresh->result.SerializeAsString());
  }
};

TEST_F(ResumeTest, CutAtAnyStepATrainingEndsInTheSameBits) {
  TrainingTask distilling = LongTask(), bf16 = LongTask(), varied = LongTask(),
               sparse = LongTask();
  distilling.teacher = Distilling().teacher;
  *distilling.job.mutable_recipe()->mutable_distillation() =
      Distilling().job.recipe().distillation();
  bf16.job.mutable_recipe()->set_precision(v1::Recipe::BF16);
  varied.job.mutable_recipe()->set_crop_area(0.35);
  varied.job.mutable_recipe()->set_colour(0.4);
  varied.job.mutable_recipe()->set_flip(true);
  varied.job.mutable_recipe()->set_batch(15);  // Epochs end inside batches.
  sparse.job.set_keep_zeros(true);
  for (auto& [name, tensor] : sparse.network.weights) {
    for (size_t i = 0; i < tensor.values.size(); i += 3) tensor.values[i] = 0;
  }
  for (const TrainingTask& task : {LongTask(), distilling, bf16, varied, sparse}) {
    AllCheckpoints kept;
    const auto whole = RunKeeping(task, kept);
    ASSERT_TRUE(whole.ok()) << whole.status();
    ASSERT_GE(kept.files.size(), static_cast<size_t>(kSteps));
    EXPECT_EQ(kept.numerics_class, whole->result.numerics_class());
    for (const auto& [step, file] : kept.files) {
      SCOPED_TRACE(step);
      TrainingTask rest = task;
      rest.checkpoint = file;
      progress_.clear();
      AllCheckpoints again;
      const auto resumed = RunKeeping(rest, again);
      ASSERT_TRUE(resumed.ok()) << resumed.status();
      EXPECT_EQ(resumed->result.SerializeAsString(), whole->result.SerializeAsString());
      EXPECT_EQ(resumed->network->weights, whole->network->weights);
      EXPECT_EQ(resumed->strengths, whole->strengths);
      EXPECT_EQ(again.files.rbegin()->second, kept.files.rbegin()->second);
      EXPECT_THAT(progress_.front().note(), HasSubstr("going on from step"));
    }
  }
}

TEST_F(ResumeTest, WithoutCheckpointsNothingElseComesOut) {
  AllCheckpoints kept;
  EXPECT_EQ(RunKeeping(LongTask(), kept)->result.SerializeAsString(),
            Run(LongTask())->result.SerializeAsString());
}

TEST_F(ResumeTest, ProgressGoesOnWhereTheCheckpointWas) {
  AllCheckpoints kept;
  TrainingTask task = LongTask();
  ASSERT_TRUE(RunKeeping(task, kept).ok());
  EXPECT_TRUE(std::is_sorted(kept.fractions.begin(), kept.fractions.end()));
  task.checkpoint = kept.files.at(6);
  progress_.clear();
  ASSERT_TRUE(Run(task).ok());
  EXPECT_DOUBLE_EQ(progress_.front().fraction(), kept.fractions[5]);
  for (const auto& progress : progress_) {
    EXPECT_DOUBLE_EQ(progress.resumed_at(), kept.fractions[5]);
    EXPECT_GE(progress.fraction(), progress.resumed_at());
  }
}

TEST_F(ResumeTest, TheCheckpointThatAJobNamesMakesItNoOtherTask) {
  AllCheckpoints kept;
  TrainingTask task = LongTask();
  ASSERT_TRUE(RunKeeping(task, kept).ok());
  task.job.mutable_checkpoint()->set_artifact("the one");
  task.checkpoint = kept.files.at(3);
  progress_.clear();
  ASSERT_TRUE(Run(task).ok());
  EXPECT_THAT(progress_.front().note(), HasSubstr("going on from step 3 of 10"));
}

TEST_F(ResumeTest, WhatDoesNotFitIsBegunAnew) {
  AllCheckpoints kept, others;
  const TrainingTask task = LongTask();
  ASSERT_TRUE(RunKeeping(task, kept).ok());
  const std::string file = kept.files.at(4);
  std::string damaged = file;
  damaged[damaged.size() - 100] ^= 1;
  ExpectBegunAnew(task, damaged, "damaged");
  ExpectBegunAnew(task, file.substr(0, file.size() / 2), "starting anew");
  ExpectBegunAnew(task, task.network.ToSafetensors(), "not a usable checkpoint");

  for (const auto& change : std::vector<std::function<void(TrainingTask&)>>{
           [](TrainingTask& other) { other.job.set_seed(99); },
           [](TrainingTask& other) { other.job.set_network("another artifact"); },
           [](TrainingTask& other) { other.job.mutable_recipe()->set_epochs(3); },
           [](TrainingTask& other) { other.job.mutable_recipe()->set_learning_rate(0.03); },
           [](TrainingTask& other) { other.job.set_keep_zeros(true); }}) {
    TrainingTask other = task;
    change(other);
    ExpectBegunAnew(other, file, "another task");
  }

  TrainingState state = *ReadCheckpoint(file);
  state.numerics_class = "another machine's";
  ExpectBegunAnew(task, SerializeCheckpoint(state), "another numerics class");
  state = *ReadCheckpoint(file);
  state.velocity.pop_back();
  ExpectBegunAnew(task, SerializeCheckpoint(state), "another network");
  state = *ReadCheckpoint(file);
  state.step = kSteps + 1;
  ExpectBegunAnew(task, SerializeCheckpoint(state), "another network");
}

TEST_F(ResumeTest, BeforeTheFirstStepThereIsNothingToKeep) {
  AllCheckpoints kept;
  TrainingTask task = LongTask();
  task.job.mutable_recipe()->set_epochs(0);
  ASSERT_TRUE(RunKeeping(task, kept).ok());
  EXPECT_TRUE(kept.files.empty());
}

}  // namespace
}  // namespace squish
