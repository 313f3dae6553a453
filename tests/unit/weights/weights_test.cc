// Weights against their genome, and their digest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "common/genome/ancestors.h"
#include "common/genome/cost.h"
#include "common/weights/network.h"
#include "tests/support/random_genome.h"

namespace squish {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// --- CheckWeights -----------------------------------------------------------

TEST(CheckWeightsTest, EveryGenomeAcceptsItsFreshWeightsAndNoOthers) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    const Genome genome = RandomGenome(seed);
    const TensorMap weights = FreshWeights(genome, seed, 0, 0);
    EXPECT_TRUE(CheckWeights(genome, weights).ok());
    int64_t values = 0;
    for (const auto& [name, tensor] : weights) {
      values += static_cast<int64_t>(tensor.values.size());
      TensorMap less = weights;
      less.erase(name);
      EXPECT_FALSE(CheckWeights(genome, less).ok()) << name;
    }
    EXPECT_EQ(values, CountParameters(genome));
    const Genome child = *genome.Prune(RandomKeep(genome, seed));
    EXPECT_EQ(CheckWeights(child, weights).ok(),
              child.ArchitectureDigest() == genome.ArchitectureDigest());
  }
}

TEST(CheckWeightsTest, SaysWhatDoesNotFit) {
  const Genome genome = *SqueezeNetV11(10);
  const TensorMap right = FreshWeights(genome, 1, 0, 0);
  const auto message = [&](auto change) {
    TensorMap weights = right;
    change(weights);
    return std::string(CheckWeights(genome, weights).message());
  };
  EXPECT_EQ(message([](TensorMap& weights) { weights.erase("features.0.weight"); }),
            "tensor features.0.weight is missing");
  EXPECT_EQ(message([](TensorMap& weights) { weights["x"]; }),
            "tensor x belongs to no layer of the genome");
  EXPECT_EQ(message([](TensorMap& weights) { weights["features.0.weight"].shape[0] = 63; }),
            "tensor features.0.weight is 63×3×3×3; the genome's is 64×3×3×3");
  EXPECT_EQ(message([](TensorMap& weights) { weights["features.0.weight"].values.pop_back(); }),
            "tensor features.0.weight has 1727 values for 64×3×3×3");
}

TEST(TensorShapesTest, AreTorchvisions) {
  const auto shapes = TensorShapes(*SqueezeNetV11(1000));
  EXPECT_EQ(shapes.size(), 52);
  EXPECT_THAT(shapes.at("features.9.expand3x3.weight"), ElementsAre(192, 48, 3, 3));
  EXPECT_THAT(shapes.at("features.10.squeeze.weight"), ElementsAre(48, 384, 1, 1));
  EXPECT_THAT(shapes.at("classifier.1.bias"), ElementsAre(1000));
}

// --- WeightsDigest ----------------------------------------------------------

TensorMap Small() { return {{"a", {{2}, {1.0f, -2.0f}}}, {"b", {{1, 2}, {0.0f, 0.5f}}}}; }

// Names weights in databases: it may never change. SHA-256 over, for each tensor,
// name, rank, sides and bytes, every length as eight little-endian bytes.
TEST(WeightsDigestTest, IsFixed) {
  EXPECT_EQ(WeightsDigest(Small()),
            "d8ae58d6de9b1fa21e534c835f8b9052ee0ec365b86eab1c922cd5ffbc47b58b");
  EXPECT_EQ(WeightsDigest({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(WeightsDigestTest, DependsOnNamesShapesAndEveryBit) {
  std::vector<TensorMap> all(7, Small());
  all[1]["a"].values[1] = -2.0000002f;
  all[2]["b"].values[0] = -0.0f;
  all[3]["b"].shape = {2, 1};
  all[4]["c"] = all[4]["b"];
  all[4].erase("b");
  all[5]["b"].shape = {2};
  std::swap(all[6]["a"].values, all[6]["b"].values);
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t j = 0; j < i; ++j)
      EXPECT_NE(WeightsDigest(all[i]), WeightsDigest(all[j])) << i << j;
  }
}

}  // namespace
}  // namespace squish
