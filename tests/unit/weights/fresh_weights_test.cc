#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "common/genome/ancestors.h"
#include "common/weights/network.h"
#include "tests/support/random_genome.h"

namespace squish {
namespace {

// An independent implementation gave this digest; no machine may give another.
TEST(FreshWeightsTest, AreTheSameBitsEverywhere) {
  EXPECT_EQ(WeightsDigest(FreshWeights(*SqueezeNetV11(10), 1, 0, 0)),
            "139d26333c092af913430496a7e97dc43a519679baa06362cd2b3e65ea4c0af2");
}

TEST(FreshWeightsTest, AreDistributedAsTorchvisionsButForTheHeadsBias) {
  const Genome genome = *SqueezeNetV11(10);
  const TensorMap weights = FreshWeights(genome, 1, 0, 0);
  for (const int i : genome.convs()) {
    const std::string& name = genome.layer(i).name;
    SCOPED_TRACE(name);
    const auto& values = weights.at(name + ".weight").values;
    const Conv2d& conv = genome.conv(i);
    const double count = static_cast<double>(values.size());
    const double bound = std::sqrt(6.0 / (genome.InputChannels(i) * conv.kernel * conv.kernel));
    const double deviation = i == genome.head() ? 0.01 : bound / std::sqrt(3.0);
    double sum = 0, squares = 0;
    for (const float value : values) {
      sum += value;
      squares += double{value} * value;
      ASSERT_LE(std::abs(value), i == genome.head() ? 1.0 : bound);
    }
    EXPECT_LT(std::abs(sum / count), 4.5 * deviation / std::sqrt(count));
    EXPECT_NEAR(squares / count, deviation * deviation,
                4.5 * deviation * deviation * std::sqrt(2.0 / count));
    for (const float bias : weights.at(name + ".bias").values) {
      ASSERT_EQ(bias, i == genome.head() ? 10.0f : 0.0f);
    }
  }
}

TEST(FreshWeightsTest, EveryPartOfTheNameMatters) {
  const Genome genome = RandomGenome(1);
  const auto digest = [&](uint64_t seed, uint64_t generation, uint64_t index) {
    return WeightsDigest(FreshWeights(genome, seed, generation, index));
  };
  EXPECT_EQ(digest(1, 2, 3), digest(1, 2, 3));
  EXPECT_NE(digest(1, 2, 3), digest(2, 2, 3));
  EXPECT_NE(digest(1, 2, 3), digest(1, 3, 3));
  EXPECT_NE(digest(1, 2, 3), digest(1, 2, 4));
  EXPECT_NE(digest(1, 2, 3), digest(2, 1, 3));
  EXPECT_NE(digest(1, 2, 3), digest(uint64_t{1} << 32 | 1, 2, 3));
}

TEST(FreshWeightsTest, LayersAreDrawnIndependently) {
  // Two layers of one shape, and a layer whose neighbours are pruned.
  const Genome genome = *SqueezeNetV11(10);
  const TensorMap whole = FreshWeights(genome, 1, 0, 0);
  EXPECT_NE(whole.at("features.11.squeeze.weight").values,
            whole.at("features.12.squeeze.weight").values);
  std::vector<std::vector<int>> keep(genome.size());
  keep[genome.convs()[5]] = {1, 2, 3};
  const TensorMap pruned = FreshWeights(*genome.Prune(keep), 1, 0, 0);
  EXPECT_EQ(pruned.at("features.0.weight"), whole.at("features.0.weight"));
  EXPECT_EQ(pruned.at("classifier.1.weight"), whole.at("classifier.1.weight"));
}

}  // namespace
}  // namespace squish
