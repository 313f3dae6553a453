#include "worker/trainer/strengths.h"

#include "common/torch/aten.h"

#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "common/weights/strengths.h"
#include "tests/unit/trainer/memory_cache.h"

namespace squish {
namespace {

using testing::ElementsAre;

constexpr int kClasses = 3;

std::vector<int> Lineage(int filters) {
  std::vector<int> lineage(filters);
  std::iota(lineage.begin(), lineage.end(), 0);
  return lineage;
}

// Convolutions that a ReLU alone reads (first, head), that others read too (shared), and
// that none reads (linear).
Genome AllKinds() {
  return *Genome::Create({
      {"input", {}, Input{3}},
      {"first", {0}, Conv2d{3, 1, 1, Lineage(4)}},
      {"first.relu", {1}, Relu{}},
      {"linear", {2}, Conv2d{1, 1, 0, Lineage(3)}},
      {"shared", {2}, Conv2d{1, 1, 0, Lineage(3)}},
      {"concat", {3, 4}, Concat{}},
      {"shared.relu", {4}, Relu{}},
      {"concat.all", {5, 6}, Concat{}},
      {"dropout", {7}, Dropout{500}},
      {"head", {8}, Conv2d{1, 1, 0, Lineage(kClasses)}},
      {"head.relu", {9}, Relu{}},
      {"mean", {10}, GlobalAveragePool{}},
  });
}

// Where the layers' `a` of AllKinds come from.
const std::map<std::string, int> kSpeaking = {
    {"first", 2}, {"linear", 3}, {"shared", 4}, {"head", 10}};

Genome OnlyAHead() {
  return *Genome::Create({{"input", {}, Input{3}},
                          {"head", {0}, Conv2d{1, 1, 0, Lineage(kClasses)}},
                          {"mean", {1}, GlobalAveragePool{}}});
}

TorchNetwork Load(const Genome& genome, const TensorMap& weights) {
  return *TorchNetwork::Create(genome, weights, at::kCPU);
}

class ComputeStrengthsTest : public testing::Test {
 protected:
  ComputeStrengthsTest()
      : cache_(/*side=*/8, kClasses, /*train=*/40, /*selection=*/3),
        batches_(cache_, v1::TRAIN, cache_.preprocessing(), at::kCPU) {}

  TensorMap Compute(const Genome& genome, const TensorMap& weights, int images) const {
    const auto strengths = ComputeStrengths(Load(genome, weights), batches_, images, [](int) {});
    EXPECT_TRUE(strengths.has_value());
    return strengths.value_or(TensorMap());
  }

  // Of each chosen picture, in double behind the logits.
  std::vector<double> Losses(const Genome& genome, const TensorMap& weights, int images) const {
    const c10::NoGradGuard no_gradients;
    const Batch batch = batches_.MakePlain(StrengthPictures(batches_.Labels(), images));
    const at::Tensor logits = Load(genome, weights).Forward(batch.pictures).to(at::kDouble);
    const at::Tensor losses =
        -at::log_softmax(logits, 1).gather(1, batch.labels.unsqueeze(1)).contiguous();
    return {losses.data_ptr<double>(), losses.data_ptr<double>() + losses.numel()};
  }

  const MemoryCache cache_;
  const Batches batches_;
};

// What a filter says times a factor: before a ReLU as behind it.
TensorMap Scaled(TensorMap weights, const std::string& layer, int filter, float factor) {
  Tensor& weight = weights[layer + ".weight"];
  const size_t size = weight.values.size() / weight.shape[0];
  for (size_t j = 0; j < size; ++j) weight.values[filter * size + j] *= factor;
  weights[layer + ".bias"].values[filter] *= factor;
  return weights;
}

TensorMap WeightsOf(const Genome& genome) {
  TensorMap weights = FreshWeights(genome, 5, 0, 0);
  for (auto& [name, tensor] : weights) {
    if (tensor.shape.size() > 1) continue;
    float bias = 0.3f;
    for (float& value : tensor.values) value = bias = -bias;
  }
  for (float& value : weights.at("head.weight").values) value *= 50;  // As wide as others.
  return weights;
}

TEST_F(ComputeStrengthsTest, TaylorIsTheSlopeOfThePicturesLossWhenAFilterFades) {
  const Genome genome = AllKinds();
  const TensorMap weights = WeightsOf(genome);
  constexpr int kImages = 20;  // More than one batch.
  constexpr float kFade = 1.0f / 512;
  const TensorMap strengths = Compute(genome, weights, kImages);
  double all = 0;
  for (const int conv : genome.convs()) {
    const std::string& name = genome.layer(conv).name;
    for (int f = 0; f < genome.conv(conv).filters(); ++f) {
      const auto less = Losses(genome, Scaled(weights, name, f, 1 - kFade), kImages);
      const auto more = Losses(genome, Scaled(weights, name, f, 1 + kFade), kImages);
      double expected = 0;
      for (int n = 0; n < kImages; ++n) {
        expected += std::fabs((less[n] - more[n]) / (2 * kFade)) / kImages;
      }
      EXPECT_NEAR(strengths.at(TaylorName(name)).values[f], expected, 0.01 * expected + 5e-4)
          << name << " " << f;
      all += expected;
    }
  }
  EXPECT_GT(all, 0.1) << "there was something to compare";
}

TEST_F(ComputeStrengthsTest, OfAHeadWithoutReluTheyAreWhatIsComputedByHand) {
  const Genome genome = OnlyAHead();
  const TensorMap weights = WeightsOf(genome);
  const TensorMap strengths = Compute(genome, weights, 40);
  const Tensor& w = weights.at("head.weight");
  std::vector<double> taylor(kClasses), activation(kClasses);
  for (int n = 0; n < 40; ++n) {
    const auto pixels = cache_.Image(v1::TRAIN, n);
    double logits[kClasses] = {}, sum = 0;
    for (int c = 0; c < kClasses; ++c) {
      for (int place = 0; place < 64; ++place) {
        double a = weights.at("head.bias").values[c];
        for (int k = 0; k < 3; ++k) {
          a += w.values[c * 3 + k] * ((pixels[place * 3 + k] / 255.0 - 0.4) / 0.25);
        }
        logits[c] += a / 64;
        activation[c] += std::fabs(a) / 64 / 40;
      }
      sum += std::exp(logits[c]);
    }
    for (int c = 0; c < kClasses; ++c) {  // ∂L/∂logit is p - y.
      const double slope = std::exp(logits[c]) / sum - (c == cache_.Label(v1::TRAIN, n));
      taylor[c] += std::fabs(logits[c] * slope) / 40;
    }
  }
  for (int c = 0; c < kClasses; ++c) {
    EXPECT_NEAR(strengths.at("head.taylor").values[c], taylor[c], 1e-4 * taylor[c]);
    EXPECT_NEAR(strengths.at("head.activation").values[c], activation[c], 1e-4 * activation[c]);
  }
}

TEST_F(ComputeStrengthsTest, ActivationIsTheMeanOfWhatAFilterSays) {
  const Genome genome = AllKinds();
  const TensorMap weights = WeightsOf(genome);
  const TensorMap strengths = Compute(genome, weights, 20);
  std::vector<at::Tensor> means(genome.size());
  float least = 0;
  const c10::NoGradGuard no_gradients;
  Load(genome, weights)
      .Forward(batches_.MakePlain(StrengthPictures(batches_.Labels(), 20)).pictures,
               {.observe = [&](int layer, const at::Tensor& output) {
                 means[layer] = output.to(at::kDouble).abs().mean({0, 2, 3});
                 if (layer == genome.head()) least = output.min().item<float>();
               }});
  EXPECT_LT(least, 0) << "the head's ReLU makes a difference";
  for (const auto& [name, layer] : kSpeaking) {
    const std::vector<float>& values = strengths.at(ActivationName(name)).values;
    ASSERT_EQ(static_cast<int64_t>(values.size()), means[layer].numel());
    for (size_t f = 0; f < values.size(); ++f) {
      const double expected = means[layer][f].item<double>();
      EXPECT_NEAR(values[f], expected, 1e-4 * expected) << name << " " << f;
    }
  }
}

TEST_F(ComputeStrengthsTest, AFilterThatNeverSaysAnythingHasNone) {
  const Genome genome = AllKinds();
  TensorMap weights = WeightsOf(genome);
  weights.at("first.bias").values[1] = -1000;
  const TensorMap strengths = Compute(genome, weights, 40);
  for (const std::string& name : {TaylorName("first"), ActivationName("first")}) {
    const std::vector<float>& values = strengths.at(name).values;
    EXPECT_EQ(values[1], 0) << name;
    EXPECT_GT(values[0], 0) << name;
  }
}

TEST_F(ComputeStrengthsTest, TwoRunsGiveTheSameBytes) {
  const MemoryCache cache(40, kClasses, 40, 3);
  const Batches batches(cache, v1::TRAIN, cache.preprocessing(), at::kCPU);
  const Network network = cache.FreshNetwork(0.3, 1);
  std::vector<std::string> files;
  for (int i = 0; i < 2; ++i) {
    const auto strengths =
        ComputeStrengths(Load(network.genome, network.weights), batches, 33, [](int) {});
    ASSERT_TRUE(strengths.has_value());
    ASSERT_TRUE(CheckStrengths(network.genome, *strengths).ok());
    files.push_back(SerializeStrengths(*strengths));
  }
  EXPECT_EQ(files[0], files[1]);
}

TEST_F(ComputeStrengthsTest, NoMorePicturesThanThereAreAreSeen) {
  const Genome genome = AllKinds();
  const TensorMap weights = WeightsOf(genome);
  std::vector<int> seen;
  const auto all = ComputeStrengths(Load(genome, weights), batches_, 1'000'000,
                                    [&](int pictures) { seen.push_back(pictures); });
  EXPECT_THAT(seen, ElementsAre(16, 32, 40));
  EXPECT_EQ(*all, Compute(genome, weights, 40));
  EXPECT_NE(*all, Compute(genome, weights, 39));
}

TEST_F(ComputeStrengthsTest, TheNetworkStaysAsItIs) {
  const Genome genome = AllKinds();
  const TensorMap weights = WeightsOf(genome);
  const TorchNetwork network = Load(genome, weights);
  ASSERT_TRUE(ComputeStrengths(network, batches_, 20, [](int) {}).has_value());
  EXPECT_EQ(network.Weights(), weights);
  for (const at::Tensor& parameter : network.parameters()) {
    EXPECT_FALSE(parameter.grad().defined());
  }
}

TEST_F(ComputeStrengthsTest, WhatIsNotFiniteIsNoStrength) {
  const Genome genome = AllKinds();
  TensorMap weights = WeightsOf(genome);
  for (float& value : weights.at("linear.weight").values) value = 1e38f;
  EXPECT_FALSE(ComputeStrengths(Load(genome, weights), batches_, 20, [](int) {}).has_value());
}

// --- StrengthPictures ---------------------------------------------------------

TEST(StrengthPicturesTest, EveryClassHasItsShareInWhicheverOrderPicturesLie) {
  std::vector<int> alternating, grouped;
  for (int i = 0; i < 100; ++i) {
    alternating.push_back(i % 10);
    grouped.push_back(i / 10);
  }
  for (const auto& labels : {alternating, grouped}) {
    std::map<int, int> of_class;
    const std::vector<int> pictures = StrengthPictures(labels, 20);
    for (const int picture : pictures) ++of_class[labels[picture]];
    EXPECT_EQ(std::set<int>(pictures.begin(), pictures.end()).size(), 20u);
    ASSERT_EQ(of_class.size(), 10u);
    for (const auto& [label, count] : of_class) EXPECT_EQ(count, 2) << label;
  }
}

TEST(StrengthPicturesTest, TheyAreEveryKthOfTheirClass) {
  EXPECT_THAT(StrengthPictures({1, 0, 1, 0, 1, 0, 1, 0}, 4), ElementsAre(1, 5, 0, 4));
  EXPECT_THAT(StrengthPictures({0, 0, 0, 0, 0}, 2), ElementsAre(0, 2));
}

TEST(StrengthPicturesTest, WhereThereAreFewerItIsAll) {
  EXPECT_THAT(StrengthPictures({1, 0, 1}, 3), ElementsAre(1, 0, 2));
  EXPECT_THAT(StrengthPictures({1, 0, 1}, 1'000'000), ElementsAre(1, 0, 2));
}

}  // namespace
}  // namespace squish
