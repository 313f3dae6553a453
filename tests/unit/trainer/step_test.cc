// The parts of a training step: batches, losses, SGD, and the judgement at the end.
#include "common/torch/aten.h"

#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "tests/unit/trainer/memory_cache.h"
#include "worker/trainer/batches.h"
#include "worker/trainer/evaluation.h"
#include "worker/trainer/feed.h"
#include "worker/trainer/loss.h"
#include "worker/trainer/schedule.h"
#include "worker/trainer/sgd.h"
#include "worker/trainer/training.h"

namespace squish {
namespace {

// --- Batches ------------------------------------------------------------------

TEST(BatchesTest, CropsAndMirrorsAndNormalisesWholeBatches) {
  const MemoryCache cache(/*side=*/6, /*classes=*/3, /*train=*/9, /*selection=*/3);
  const v1::Preprocessing preprocessing = cache.preprocessing();
  const Batches batches(cache, v1::TRAIN, preprocessing, at::kCPU);
  const std::vector<Choice> choices = {
      {4, {}, {}}, {7, {.down = 2, .right = -3, .mirrored = false}, {}},
      {8, {.down = -1, .right = 1, .mirrored = true}, {}}};
  const Batch batch = batches.Make(choices);

  ASSERT_EQ(batch.pictures.sizes(), (std::vector<int64_t>{3, 3, 6, 6}));
  EXPECT_TRUE(batch.pictures.is_contiguous(at::MemoryFormat::ChannelsLast));
  for (int n = 0; n < 3; ++n) {
    const int picture = choices[n].picture;
    const Crop& crop = choices[n].crop;
    EXPECT_EQ(batch.labels[n].item<int64_t>(), picture % 3);
    const auto pixels = cache.Image(v1::TRAIN, picture);
    const std::vector<int> rows = WindowColumns(6, crop.down, 6, false);
    const std::vector<int> columns = WindowColumns(6, crop.right, 6, crop.mirrored);
    for (int y = 0; y < 6; ++y) {
      for (int x = 0; x < 6; ++x) {
        for (int c = 0; c < 3; ++c) {
          const double byte = pixels[(rows[y] * 6 + columns[x]) * 3 + c];
          EXPECT_NEAR(batch.pictures[n][c][y][x].item<float>(),
                      (byte / 255 - preprocessing.mean(c)) / preprocessing.std(c), 1e-5);
        }
      }
    }
  }
}

// The same pictures behind another cache, in which those of TRAIN are cached larger.
class LargerTrainingPictures : public MemoryCache {
 public:
  LargerTrainingPictures(int side, int input) : MemoryCache(side, 3, 9, 3), input_(input) {}
  int image_size() const override { return input_; }
  int Side(v1::Split, int) const override { return MemoryCache::image_size(); }

 private:
  const int input_;
};

TEST(BatchesTest, WindowsOfLargerPicturesAreTheirPixels) {
  const LargerTrainingPictures cache(/*side=*/8, /*input=*/6);
  const Batches batches(cache, v1::TRAIN, cache.preprocessing(), at::kCPU);
  EXPECT_EQ(batches.side(), 6);
  EXPECT_EQ(batches.Side(4), 8);
  const std::vector<Choice> choices = {{4, {.down = 2, .right = 1, .mirrored = true}, {}}};
  const Batch batch = batches.Make(choices);
  ASSERT_EQ(batch.pictures.sizes(), (std::vector<int64_t>{1, 3, 6, 6}));
  const auto pixels = cache.Image(v1::TRAIN, 4);
  for (int y = 0; y < 6; ++y) {
    for (int x = 0; x < 6; ++x) {
      const double byte = pixels[((y + 2) * 8 + (6 - x)) * 3];
      EXPECT_NEAR(batch.pictures[0][0][y][x].item<float>(), (byte / 255 - 0.4) / 0.25, 1e-5);
    }
  }
}

TEST(BatchesTest, LargerPicturesAreSeenWholeWhenPlain) {
  const LargerTrainingPictures cache(/*side=*/8, /*input=*/4);
  const Batches batches(cache, v1::TRAIN, cache.preprocessing(), at::kCPU);
  const Batch batch = batches.MakePlain(4, 1);
  ASSERT_EQ(batch.pictures.sizes(), (std::vector<int64_t>{1, 3, 4, 4}));
  const auto pixels = cache.Image(v1::TRAIN, 4);
  const auto at = [&](int y, int x) { return static_cast<double>(pixels[(y * 8 + x) * 3]); };
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 4; ++x) {  // Halved: the mean of four pixels.
      const double mean = (at(2 * y, 2 * x) + at(2 * y, 2 * x + 1) + at(2 * y + 1, 2 * x) +
                           at(2 * y + 1, 2 * x + 1)) / 4;
      EXPECT_NEAR(batch.pictures[0][0][y][x].item<float>(), (mean / 255 - 0.4) / 0.25, 1e-5);
    }
  }
}

TEST(BatchesTest, ColourIsVariedWithAndWithoutResizing) {
  const MemoryCache cache(6, 3, 9, 3);
  const Batches batches(cache, v1::TRAIN, cache.preprocessing(), at::kCPU);
  const Colour half{.brightness = 0.5f};
  const Crop whole{.height = 6, .width = 6};
  const Batch batch = batches.Make(std::vector<Choice>{
      {4, {}, {}}, {4, {}, half}, {4, whole, {}}, {4, whole, half}});
  const auto levels = [&](int n) { return batch.pictures[n] * 0.25 + 0.4; };
  EXPECT_TRUE(at::allclose(levels(1), levels(0) / 2, 0, 1e-5));
  EXPECT_TRUE(at::allclose(levels(2), levels(0), 0, 1e-5));
  EXPECT_TRUE(batch.pictures[3].equal(batch.pictures[1]));
}

TEST(BatchesTest, BytesNormalisedOnTheDeviceAreTheSameBits) {
  const MemoryCache cache(6, 3, 9, 3);
  const Batches batches(cache, v1::TRAIN, cache.preprocessing(), at::kCPU);
  const std::vector<Choice> choices = {
      {4, {}, {}}, {7, {.down = 2, .right = -3}, {}}, {8, {.down = -1, .mirrored = true}, {}}};
  const Batch staged = batches.Stage(3, /*bytes=*/true);
  batches.Fill(choices, staged);
  const Batch batch = batches.Finish(staged), floats = batches.Make(choices);
  EXPECT_TRUE(batch.pictures.equal(floats.pictures));
  EXPECT_TRUE(batch.pictures.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_TRUE(batch.labels.equal(floats.labels));
}

TEST(BatchesTest, AStageThatIsFilledAgainHoldsTheNewPicturesOnly) {
  const MemoryCache cache(6, 3, 9, 3);
  const Batches batches(cache, v1::TRAIN, cache.preprocessing(), at::kCPU);
  const std::vector<Choice> first = {{1, {}, {}}, {2, {}, {}}}, second = {{5, {}, {}}, {3, {}, {}}};
  const Batch staged = batches.Stage(2, /*bytes=*/false);
  batches.Fill(first, staged);
  batches.Fill(second, staged);
  EXPECT_TRUE(batches.Finish(staged).pictures.equal(batches.Make(second).pictures));
  EXPECT_TRUE(batches.Finish(staged).labels.equal(batches.Make(second).labels));
}

TEST(BatchesTest, PlainPicturesAreThoseOfTheSplitInOrder) {
  const MemoryCache cache(6, 3, 9, 5);
  const Batches batches(cache, v1::SELECTION, cache.preprocessing(), at::kCPU);
  EXPECT_EQ(batches.count(), 5);
  const Batch batch = batches.MakePlain(2, 3);
  EXPECT_TRUE(batch.labels.equal(at::tensor({2, 0, 1}, at::kLong)));
  EXPECT_TRUE(batch.pictures[1].equal(batches.Make(std::vector<Choice>{{3, {}, {}}}).pictures[0]));
}

// --- Feed ---------------------------------------------------------------------

TEST(FeedTest, BatchesMadeAheadAreThoseMadeInLine) {
  const LargerTrainingPictures cache(/*side=*/20, /*input=*/16);
  const Batches batches(cache, v1::TRAIN, cache.preprocessing(), at::kCPU);
  v1::Recipe plain = StripesRecipe(), full = StripesRecipe();
  plain.set_shift(3);
  plain.set_flip(true);
  full.set_flip(true);
  full.set_crop_area(0.35);
  full.set_colour(0.4);
  for (v1::Recipe recipe : {plain, full}) {
    recipe.set_batch(4);  // Epochs of nine pictures end inside a batch.
    constexpr uint64_t kSeed = 5;
    constexpr int kSteps = 20;
    PictureOrder order(kSeed, batches.Labels());
    Feed feed(batches, recipe, kSeed, /*first=*/0, kSteps);
    for (int step = 0; step < kSteps; ++step) {
      std::vector<Choice> choices;
      for (int position = 4 * step; position < 4 * (step + 1); ++position) {
        choices.push_back({order.At(position), DrawCrop(recipe, kSeed, position, 20, 16),
                           DrawColour(recipe, kSeed, position)});
      }
      const Batch expected = batches.Make(choices), batch = feed.Next();
      ASSERT_TRUE(batch.pictures.equal(expected.pictures)) << "step " << step;
      ASSERT_TRUE(batch.labels.equal(expected.labels)) << "step " << step;
    }
  }
}

// --- Losses -------------------------------------------------------------------

std::vector<double> Softmax(const std::vector<double>& logits, double tau) {
  std::vector<double> p;
  double sum = 0;
  for (const double logit : logits) {
    p.push_back(std::exp(logit / tau));
    sum += p.back();
  }
  for (double& value : p) value /= sum;
  return p;
}

const std::vector<std::vector<double>> kStudent = {{0.5, 1.5, -0.25}, {2.0, 0.0, 1.0}};
const std::vector<std::vector<double>> kTeacher = {{0.0, 3.0, 1.0}, {1.0, 1.0, 0.5}};

at::Tensor TensorOf(const std::vector<std::vector<double>>& rows) {
  std::vector<at::Tensor> tensors;
  for (const auto& row : rows) tensors.push_back(at::tensor(row, at::kFloat));
  return at::stack(tensors);
}

TEST(LossTest, CrossEntropySpreadsTheSmoothedShareOverAllClasses) {
  const std::vector<int> labels = {1, 2};
  for (const double smoothing : {0.0, 0.1}) {
    double expected = 0;
    for (int n = 0; n < 2; ++n) {
      const std::vector<double> p = Softmax(kStudent[n], 1);
      for (int c = 0; c < 3; ++c) {
        const double target = smoothing / 3 + (c == labels[n] ? 1 - smoothing : 0);
        expected -= target * std::log(p[c]) / 2;
      }
    }
    const at::Tensor loss =
        CrossEntropy(TensorOf(kStudent), at::tensor({1, 2}, at::kLong), smoothing);
    EXPECT_NEAR(loss.item<double>(), expected, 1e-5);
  }
}

TEST(LossTest, DistillationIsTauSquaredTimesTheDivergenceFromTheTeacher) {
  for (const double tau : {1.0, 2.0, 5.0}) {
    double expected = 0;
    for (int n = 0; n < 2; ++n) {
      const std::vector<double> teacher = Softmax(kTeacher[n], tau);
      const std::vector<double> student = Softmax(kStudent[n], tau);
      for (int c = 0; c < 3; ++c) {
        expected += tau * tau * teacher[c] * std::log(teacher[c] / student[c]) / 2;
      }
    }
    const at::Tensor loss = DistillationLoss(TensorOf(kStudent), TensorOf(kTeacher), tau);
    EXPECT_NEAR(loss.item<double>(), expected, 1e-5 * tau * tau);
  }
}

TEST(LossTest, NoGradientReachesTheTeacher) {
  const at::Tensor student = TensorOf(kStudent).set_requires_grad(true);
  const at::Tensor teacher = TensorOf(kTeacher).set_requires_grad(true);
  DistillationLoss(student, teacher, 2).backward();
  EXPECT_TRUE(student.grad().defined());
  EXPECT_FALSE(teacher.grad().defined());
}

TEST(LossTest, AStudentThatEqualsItsTeacherHasNothingToLearn) {
  const at::Tensor student = TensorOf(kStudent).set_requires_grad(true);
  const at::Tensor loss = DistillationLoss(student, TensorOf(kStudent), 3);
  EXPECT_NEAR(loss.item<double>(), 0, 1e-6);
  loss.backward();
  EXPECT_LT(student.grad().abs().max().item<double>(), 1e-6);
}

// --- SGD ----------------------------------------------------------------------

class SgdTest : public testing::Test {
 protected:
  static TorchNetwork MakeNetwork() {
    const Genome genome = *SqueezeNetV11(3, 0.5);
    return *TorchNetwork::Create(genome, FreshWeights(genome, 1, 0, 0), at::kCPU);
  }

  // Gradients of each parameter filled with `value`.
  std::vector<at::Tensor> Constant(double value) const {
    std::vector<at::Tensor> gradients;
    for (const at::Tensor& parameter : network_.parameters()) {
      gradients.push_back(at::full(parameter.sizes(), value));
    }
    return gradients;
  }

  at::Tensor Flat() const { return network_.flat().clone(); }

  TorchNetwork network_ = MakeNetwork();
  v1::Recipe recipe_ = StripesRecipe();
};

TEST_F(SgdTest, FollowsMomentumAndLetsOnlyWeightsDecay) {
  recipe_.set_momentum(0.9);
  recipe_.set_weight_decay(0.01);
  recipe_.set_gradient_clip(0);
  at::Tensor w = Flat();
  at::Tensor decaying = at::zeros_like(w);
  decaying.narrow(0, 0, network_.weight_elements()).fill_(0.01);
  at::Tensor velocity = at::zeros_like(w);
  Sgd sgd(network_, recipe_);
  for (const double gradient : {0.5, -0.25}) {
    velocity = 0.9 * velocity + gradient + decaying * w;
    w = w - 0.1 * velocity;
    sgd.Step(Constant(gradient), 0.1);
  }
  EXPECT_TRUE(at::allclose(Flat(), w, 1e-5, 1e-6));
}

TEST_F(SgdTest, ClipsByTheNormOfTheWholeGradient) {
  recipe_.set_momentum(0);
  recipe_.set_weight_decay(0);
  recipe_.set_gradient_clip(2);
  Sgd sgd(network_, recipe_);
  at::Tensor before = Flat();
  const double length = std::sqrt(static_cast<double>(before.numel()));
  EXPECT_NEAR(sgd.Step(Constant(3), 1.0) / (3 * length), 1, 1e-4);
  EXPECT_NEAR((Flat() - before).norm().item<double>(), 2, 1e-3);

  before = Flat();
  EXPECT_NEAR(sgd.Step(Constant(1 / length), 1.0), 1, 1e-4);
  EXPECT_NEAR((Flat() - before).norm().item<double>(), 1, 1e-3);
}

TEST_F(SgdTest, ZerosStayZeroWhenTheyAreToAndNothingElseChanges) {
  at::Tensor zeroed = network_.flat();
  {
    const c10::NoGradGuard no_gradients;
    zeroed.narrow(0, 0, 5).zero_();
  }
  const at::Tensor before = Flat();
  recipe_.set_momentum(0.9);
  recipe_.set_weight_decay(0.01);
  recipe_.set_gradient_clip(0);
  Sgd sgd(network_, recipe_, /*keep_zeros=*/true);
  for (int i = 0; i < 3; ++i) sgd.Step(Constant(0.5), 0.1);
  EXPECT_EQ(Flat().narrow(0, 0, 5).abs().max().item<double>(), 0);
  EXPECT_TRUE(Flat().narrow(0, 5, 5).ne(before.narrow(0, 5, 5)).all().item<bool>());
  // Biases begin at 0 and are no synapses.
  const int64_t weights = network_.weight_elements();
  EXPECT_TRUE(Flat().narrow(0, weights, 2).ne(before.narrow(0, weights, 2)).all().item<bool>());
}

TEST_F(SgdTest, AGradientThatIsNotFiniteChangesNothing) {
  Sgd sgd(network_, recipe_);
  const at::Tensor before = Flat();
  EXPECT_FALSE(std::isfinite(sgd.Step(Constant(std::nan("")), 1.0)));
  EXPECT_FALSE(std::isfinite(sgd.Step(Constant(INFINITY), 1.0)));
  EXPECT_TRUE(Flat().equal(before));
}

TEST_F(SgdTest, StepsOfARealGradientMakeTheLossSmaller) {
  recipe_.set_weight_decay(0);
  recipe_.set_momentum(0);
  const MemoryCache cache(40, 3, 12, 3);
  const Batch batch = Batches(cache, v1::TRAIN, cache.preprocessing(), at::kCPU).MakePlain(0, 12);
  const auto loss = [&] { return CrossEntropy(network_.Forward(batch.pictures), batch.labels, 0); };
  const double before = loss().item<double>();
  Sgd sgd(network_, recipe_);
  for (int i = 0; i < 3; ++i) {
    sgd.Step(torch::autograd::grad({loss()}, network_.parameters()), 3e-3);
  }
  EXPECT_LT(loss().item<double>(), before);
}

// --- A whole training -----------------------------------------------------------

// What a training is, one thing after the other: no thread, no staging.
TensorMap TrainInLine(const TrainingTask& task, const DatasetCache& data) {
  const v1::Recipe& recipe = task.job.recipe();
  const Batches train(data, v1::TRAIN, task.network.preprocessing, at::kCPU);
  TorchNetwork network =
      *TorchNetwork::Create(task.network.genome, task.network.weights, at::kCPU);
  Sgd sgd(network, recipe);
  const Schedule schedule(recipe, train.count());
  PictureOrder order(task.job.seed(), train.Labels());
  for (int64_t step = 0; step < schedule.steps(); ++step) {
    std::vector<Choice> choices;
    for (int64_t position = recipe.batch() * step; position < recipe.batch() * (step + 1);
         ++position) {
      choices.push_back({order.At(position),
                         DrawCrop(recipe, task.job.seed(), position, train.side(), train.side()),
                         DrawColour(recipe, task.job.seed(), position)});
    }
    const Batch batch = train.Make(choices);
    const RandomStream dropout(RandomDomain::kDropout,
                               {task.job.seed(), static_cast<uint64_t>(step)});
    const at::Tensor logits = network.Forward(
        batch.pictures, {.dropout = &dropout, .dropout_permille = 500, .observe = {}});
    sgd.Step(torch::autograd::grad({CrossEntropy(logits, batch.labels, 0)}, network.parameters()),
             schedule.LearningRate(step));
  }
  return network.Weights();
}

TEST(RunTrainingTest, IsBitForBitItsStepsOneAfterTheOther) {
  const MemoryCache data(/*side=*/40, /*classes=*/4, /*train=*/64, /*selection=*/8);
  TrainingTask task{{}, data.FreshNetwork(0.2, 1), {}};
  task.job.set_dataset_fingerprint("stripes");
  task.job.set_seed(3);
  task.job.set_threads(1);
  task.job.set_device(v1::TrainingSpec::CPU);
  v1::Recipe plain = StripesRecipe(), full = StripesRecipe();
  plain.set_epochs(3);
  plain.set_flip(true);
  full.set_crop_area(0.35);
  full.set_colour(0.4);
  for (const v1::Recipe& recipe : {plain, full}) {
    *task.job.mutable_recipe() = recipe;
    const auto trained = RunTraining(task, data, Clock::System(), [](const auto&) {});
    ASSERT_TRUE(trained.ok()) << trained.status();
    EXPECT_EQ(trained->network->weights, TrainInLine(task, data));
  }
}

// --- Judgement ----------------------------------------------------------------

TEST(JudgeTest, CountsTheLargestLogitAndAveragesTheLogLoss) {
  const Evaluation evaluation = Judge(TensorOf(kStudent), at::tensor({1, 2}, at::kLong));
  EXPECT_TRUE(evaluation.finite);
  EXPECT_DOUBLE_EQ(evaluation.accuracy, 0.5);
  const double expected =
      -(std::log(Softmax(kStudent[0], 1)[1]) + std::log(Softmax(kStudent[1], 1)[2])) / 2;
  EXPECT_NEAR(evaluation.log_loss, expected, 1e-6);
}

TEST(JudgeTest, OneConfidentMistakeCostsABoundedAmount) {
  const Evaluation evaluation =
      Judge(at::tensor({0.0, 1e4}, at::kFloat).view({1, 2}), at::tensor({0}, at::kLong));
  EXPECT_NEAR(evaluation.log_loss, -std::log(1e-12), 1e-9);
}

TEST(JudgeTest, ALogitThatIsNotFiniteIsNoAnswer) {
  for (const double bad : {std::nan(""), static_cast<double>(INFINITY)}) {
    EXPECT_FALSE(Judge(at::tensor({0.0, bad}, at::kFloat).view({1, 2}),
                       at::tensor({0}, at::kLong)).finite);
  }
}

TEST(EvaluateTest, SeesEveryPictureOnce) {
  const MemoryCache cache(40, 3, 3, 70);
  const Batches batches(cache, v1::SELECTION, cache.preprocessing(), at::kCPU);
  const Network network = cache.FreshNetwork(0.1, 1);
  const auto torch = TorchNetwork::Create(network.genome, network.weights, at::kCPU);
  ASSERT_TRUE(torch.ok()) << torch.status();
  std::vector<int> seen;
  const Evaluation evaluation = Evaluate(*torch, batches, [&](int n) { seen.push_back(n); });
  EXPECT_EQ(seen, (std::vector<int>{64, 70}));
  const c10::NoGradGuard no_gradients;
  const Batch all = batches.MakePlain(0, 70);
  EXPECT_NEAR(evaluation.log_loss, Judge(torch->Forward(all.pictures), all.labels).log_loss, 1e-5);
}

}  // namespace
}  // namespace squish
