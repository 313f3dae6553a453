#include "worker/synthesis/inheritance.h"

#include <algorithm>
#include <cmath>

#include "common/genome/ancestors.h"
#include "common/genome/shapes.h"
#include "gtest/gtest.h"
#include "tests/support/random_genome.h"
#include "tests/unit/synthesis/reference_forward.h"
#include "tests/unit/synthesis/synthesis_fixtures.h"

namespace squish {
namespace {

// "Equals the parent whose clusters' outputs are zero, within 1e-5 of the largest
// absolute logit."
void ExpectEqualsMaskedParent(const Network& parent, const std::vector<std::vector<int>>& keep,
                              int input_size, uint64_t seed) {
  const Genome child = *parent.genome.Prune(keep);
  const TensorMap weights = InheritWeights(parent.genome, parent.weights, keep);
  ASSERT_TRUE(CheckWeights(child, weights).ok()) << CheckWeights(child, weights);
  const auto expected = ReferenceLogits(parent.genome, parent.weights, input_size, seed, keep);
  const auto actual = ReferenceLogits(child, weights, input_size, seed);
  ASSERT_EQ(actual.size(), expected.size());
  double largest = 0;
  for (const double logit : expected) largest = std::max(largest, std::abs(logit));
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(actual[i], expected[i], 1e-5 * largest) << "logit " << i;
  }
}

TEST(InheritanceTest, WithNothingRemovedTheChildIsItsParentBitForBit) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const Network parent = RandomNetwork(RandomGenome(seed), seed);
    const std::vector<std::vector<int>> keep(parent.genome.size());
    EXPECT_EQ(InheritWeights(parent.genome, parent.weights, keep), parent.weights) << seed;
  }
}

TEST(InheritanceTest, RandomChildrenEqualTheirMaskedParents) {
  for (uint64_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(seed);
    const Network parent = RandomNetwork(RandomGenome(seed), seed);
    const int size = SmallestInputSize(parent.genome) + static_cast<int>(seed % 4);
    ExpectEqualsMaskedParent(parent, RandomKeep(parent.genome, seed + 1), size, seed);
  }
}

TEST(InheritanceTest, SqueezeNetChildrenEqualTheirMaskedParentsAtOddSizes) {
  const Network parent = TrainedSqueezeNet(0.25);
  for (const int size : {33, 47, 51}) {
    SCOPED_TRACE(size);
    ASSERT_TRUE(ComputeShapes(parent.genome, size).ok());
    ExpectEqualsMaskedParent(parent, RandomKeep(parent.genome, size), size, size);
  }
}

// A line of descent: lineage goes on, slices of slices are slices.
TEST(InheritanceTest, GrandchildrenEqualTheirMaskedParents) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    Network parent = RandomNetwork(RandomGenome(seed), seed);
    for (uint64_t generation = 0; generation < 3; ++generation) {
      const auto keep = RandomKeep(parent.genome, 100 * seed + generation);
      ExpectEqualsMaskedParent(parent, keep, SmallestInputSize(parent.genome), seed);
      TensorMap weights = InheritWeights(parent.genome, parent.weights, keep);
      parent = Network{*parent.genome.Prune(keep), std::move(weights), parent.class_names,
                       parent.preprocessing};
    }
  }
}

// By hand: what the second half of a concat loses is found behind all of the first.
TEST(InheritanceTest, ConcatOffsetsFindTheInputsOfTheDead) {
  const Genome genome = *Genome::Create({{"input", {}, Input{1}},
                                         {"a", {0}, Conv2d{1, 1, 0, {0, 1, 2}}},
                                         {"b", {0}, Conv2d{1, 1, 0, {0, 1}}},
                                         {"ab", {1, 2}, Concat{}},
                                         {"abb", {3, 2}, Concat{}},
                                         {"head", {4}, Conv2d{1, 1, 0, {0, 1}}},
                                         {"pool", {5}, GlobalAveragePool{}}});
  TensorMap weights;
  weights["a.weight"] = {{3, 1, 1, 1}, {1, 2, 3}};
  weights["a.bias"] = {{3}, {4, 5, 6}};
  weights["b.weight"] = {{2, 1, 1, 1}, {7, 8}};
  weights["b.bias"] = {{2}, {9, 10}};
  weights["head.weight"] = {{2, 7, 1, 1}, {11, 12, 13, 14, 15, 16, 17, 21, 22, 23, 24, 25, 26, 27}};
  weights["head.bias"] = {{2}, {18, 28}};
  std::vector<std::vector<int>> keep(genome.size());
  keep[1] = {0, 2};
  keep[2] = {1};
  const TensorMap child = InheritWeights(genome, weights, keep);
  EXPECT_EQ(child.at("a.weight").values, (std::vector<float>{1, 3}));
  EXPECT_EQ(child.at("a.bias").values, (std::vector<float>{4, 6}));
  EXPECT_EQ(child.at("b.weight").values, (std::vector<float>{8}));
  EXPECT_EQ(child.at("head.weight").shape, (std::vector<int64_t>{2, 4, 1, 1}));
  EXPECT_EQ(child.at("head.weight").values, (std::vector<float>{11, 13, 15, 17, 21, 23, 25, 27}));
  EXPECT_EQ(child.at("head.bias").values, (std::vector<float>{18, 28}));
}

}  // namespace
}  // namespace squish
