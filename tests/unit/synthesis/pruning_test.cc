#include "worker/synthesis/pruning.h"

#include <algorithm>
#include <cmath>

#include "common/genome/ancestors.h"
#include "common/genome/cost.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/random_genome.h"
#include "tests/unit/synthesis/synthesis_fixtures.h"

namespace squish {
namespace {

using ::testing::ElementsAre;

constexpr auto kParameters = v1::EnvironmentSpec::PARAMETERS;
constexpr auto kMacs = v1::EnvironmentSpec::MACS;
constexpr auto kGlobal = v1::SynthesisSpec::GLOBAL;
constexpr auto kLayer = v1::SynthesisSpec::LAYER;

// Of 1 · a + a parameters in layer a, a · b + b in b, 2 · b + 2 in the head: 6 + 16 + 10.
Genome ThreeConvs() {
  return *Genome::Create({{"input", {}, Input{1}},
                          {"a", {0}, Conv2d{1, 1, 0, {0, 1, 2}}},
                          {"b", {1}, Conv2d{1, 1, 0, {0, 1, 2, 3}}},
                          {"head", {2}, Conv2d{1, 1, 0, {0, 1}}},
                          {"pool", {3}, GlobalAveragePool{}}});
}

const Strengths kStrengths = {{3, 9, 1}, {2, 8, 4, 6}, {0, 0}};

double BudgetOf(const Genome& genome, const Pruned& pruned, const BudgetLimit& limit) {
  std::vector<std::vector<int>> keep(genome.size());
  for (size_t g = 0; g < pruned.keep.size(); ++g) {
    if (!genome.groups()[g].prunable) continue;
    for (const int layer : genome.groups()[g].layers) keep[layer] = pruned.keep[g];
  }
  const Genome child = *genome.Prune(keep);
  return static_cast<double>(limit.resource == kMacs ? ComputeCost(child, limit.input_size)->macs
                                                     : CountParameters(child));
}

TEST(KeepStrongestTest, TheWeakestOfAllLayersGoFirstAndNoMoreThanMust) {
  const Genome genome = ThreeConvs();
  // Weakest first: a2 (1), b0 (2), a0 (3), b2 (4), b3 (6), b1 (8), a1 (9).
  const auto at = [&](double target) {
    return KeepStrongest(genome, kStrengths, kGlobal, 1, {target, kParameters, 0});
  };
  EXPECT_THAT(at(32)->keep, ElementsAre(ElementsAre(0, 1, 2), ElementsAre(0, 1, 2, 3),
                                        ElementsAre(0, 1)));
  // Without a2: 4 + 12 + 10 = 26. Without b0 too: 4 + 9 + 8 = 21.
  EXPECT_THAT(at(31)->keep[0], ElementsAre(0, 1));
  EXPECT_THAT(at(31)->keep[1], ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(at(31)->budget, 26);
  EXPECT_EQ(at(26)->budget, 26);
  EXPECT_THAT(at(25.9)->keep[1], ElementsAre(1, 2, 3));
  EXPECT_EQ(at(25.9)->budget, 21);
}

TEST(KeepStrongestTest, EveryLayerKeepsTheSameShare) {
  const auto pruned =
      KeepStrongest(ThreeConvs(), kStrengths, kLayer, 1, {17, kParameters, 0});
  // Two of three and two of four: 4 + 6 + 6 = 16; three of four would make 21.
  EXPECT_THAT(pruned->keep[0], ElementsAre(0, 1));
  EXPECT_THAT(pruned->keep[1], ElementsAre(1, 3));
  EXPECT_EQ(pruned->budget, 16);
}

TEST(KeepStrongestTest, FloorsHoldAndAreNamedWhereTheyForbidTheBudget) {
  for (const auto ranking : {kGlobal, kLayer}) {
    const auto floors = KeepStrongest(ThreeConvs(), kStrengths, ranking, 2, {16, kParameters, 0});
    ASSERT_TRUE(floors.ok()) << floors.status();
    EXPECT_THAT(floors->keep[0], ElementsAre(0, 1));
    EXPECT_THAT(floors->keep[1], ElementsAre(1, 3));
    const auto below = KeepStrongest(ThreeConvs(), kStrengths, ranking, 2, {15, kParameters, 0});
    EXPECT_EQ(below.status().code(), absl::StatusCode::kFailedPrecondition);
  }
}

TEST(KeepStrongestTest, OfEqualOnesTheFirstGoFirst) {
  const auto pruned =
      KeepStrongest(ThreeConvs(), {{1, 1, 1}, {1, 1, 1, 1}, {0, 0}}, kGlobal, 1,
                    {16, kParameters, 0});
  EXPECT_THAT(pruned->keep[0], ElementsAre(2));
}

TEST(KeepStrongestTest, IsWithinTheBudgetForRandomGenomes) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    const Genome genome = Widened(RandomGenome(seed), 8);
    const Network parent = TrainedLike(RandomNetwork(genome, seed), seed);
    const std::vector<Parent> parents = {{parent, std::nullopt}};
    v1::SynthesisSpec spec = ChildJob(parent).synthesis();
    const Strengths strengths = Mate(parents, spec, 1, Key(1, 0))->strengths;
    BudgetLimit limit{0, seed % 2 == 0 ? kParameters : kMacs, SmallestInputSize(genome) + 1};
    Pruned all;
    for (const FilterGroup& group : genome.groups()) {
      all.keep.emplace_back();
      for (int i = 0; i < genome.conv(group.layers[0]).filters(); ++i) all.keep.back().push_back(i);
    }
    limit.target = 0.7 * BudgetOf(genome, all, limit);
    for (const auto ranking : {kGlobal, kLayer}) {
      const auto pruned = KeepStrongest(genome, strengths, ranking, 1, limit);
      ASSERT_TRUE(pruned.ok()) << pruned.status();
      EXPECT_EQ(pruned->budget, BudgetOf(genome, *pruned, limit));
      EXPECT_LE(pruned->budget, limit.target);
      EXPECT_GT(pruned->budget, 0.3 * limit.target) << "more went than had to";
    }
  }
}

TEST(WidestWithinTest, IsTheWidestOfAll) {
  for (const double target : {727626.0, 700000.0, 237500.0, 60000.0}) {
    const auto genome = WidestWithin(10, {target, kParameters, 64});
    ASSERT_TRUE(genome.ok()) << genome.status();
    const auto parameters = static_cast<double>(CountParameters(*genome));
    EXPECT_LE(parameters, target);
    EXPECT_GT(parameters, 0.97 * target);
  }
  EXPECT_EQ(CountParameters(*WidestWithin(10, {1e9, kParameters, 64})), 727626);
  EXPECT_EQ(WidestWithin(10, {100, kParameters, 64}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace squish
