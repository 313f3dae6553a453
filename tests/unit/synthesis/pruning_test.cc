#include "worker/synthesis/pruning.h"

#include <algorithm>
#include <cmath>

#include "common/genome/ancestors.h"
#include "common/genome/cost.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/random_genome.h"
#include "tests/support/sanitized.h"
#include "tests/unit/synthesis/synthesis_fixtures.h"

namespace squish {
namespace {

constexpr uint64_t kRandomGenomes = kSanitized ? 4 : 40;  // Each is pruned hundreds of times.

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

BudgetLimit Parameters(const Genome& genome, double target) {
  return {target, *PricesOf(genome, kParameters, 0, {})};
}

double BudgetOf(const Genome& genome, const Pruned& pruned, v1::EnvironmentSpec::Resource resource,
                int input_size) {
  std::vector<std::vector<int>> keep(genome.size());
  for (size_t g = 0; g < pruned.keep.size(); ++g) {
    if (!genome.groups()[g].prunable) continue;
    for (const int layer : genome.groups()[g].layers) keep[layer] = pruned.keep[g];
  }
  const Genome child = *genome.Prune(keep);
  return static_cast<double>(resource == kMacs ? ComputeCost(child, input_size)->macs
                                               : CountParameters(child));
}

TEST(KeepStrongestTest, TheWeakestOfAllLayersGoFirstAndNoMoreThanMust) {
  const Genome genome = ThreeConvs();
  // Weakest first: a2 (1), b0 (2), a0 (3), b2 (4), b3 (6), b1 (8), a1 (9).
  const auto at = [&](double target) {
    return KeepStrongest(genome, kStrengths, kGlobal, 1, Parameters(genome, target));
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
      KeepStrongest(ThreeConvs(), kStrengths, kLayer, 1, Parameters(ThreeConvs(), 17));
  // Two of three and two of four: 4 + 6 + 6 = 16; three of four would make 21.
  EXPECT_THAT(pruned->keep[0], ElementsAre(0, 1));
  EXPECT_THAT(pruned->keep[1], ElementsAre(1, 3));
  EXPECT_EQ(pruned->budget, 16);
}

TEST(KeepStrongestTest, FloorsHoldAndAreNamedWhereTheyForbidTheBudget) {
  for (const auto ranking : {kGlobal, kLayer}) {
    const auto floors = KeepStrongest(ThreeConvs(), kStrengths, ranking, 2, Parameters(ThreeConvs(), 16));
    ASSERT_TRUE(floors.ok()) << floors.status();
    EXPECT_THAT(floors->keep[0], ElementsAre(0, 1));
    EXPECT_THAT(floors->keep[1], ElementsAre(1, 3));
    const auto below = KeepStrongest(ThreeConvs(), kStrengths, ranking, 2, Parameters(ThreeConvs(), 15));
    EXPECT_EQ(below.status().code(), absl::StatusCode::kFailedPrecondition);
  }
}

TEST(KeepStrongestTest, OfEqualOnesTheFirstGoFirst) {
  const auto pruned =
      KeepStrongest(ThreeConvs(), {{1, 1, 1}, {1, 1, 1, 1}, {0, 0}}, kGlobal, 1,
                    Parameters(ThreeConvs(), 16));
  EXPECT_THAT(pruned->keep[0], ElementsAre(2));
}

TEST(KeepStrongestTest, IsWithinTheBudgetForRandomGenomes) {
  for (uint64_t seed = 0; seed < kRandomGenomes; ++seed) {
    SCOPED_TRACE(seed);
    const Genome genome = Widened(RandomGenome(seed), 8);
    const Network parent = TrainedLike(RandomNetwork(genome, seed), seed);
    const std::vector<Parent> parents = {{parent, std::nullopt}};
    v1::SynthesisSpec spec = ChildJob(parent).synthesis();
    const Strengths strengths = Mate(parents, spec, 1, Key(1, 0))->strengths;
    const auto resource = seed % 2 == 0 ? kParameters : kMacs;
    const int size = SmallestInputSize(genome) + 1;
    BudgetLimit limit{0, *PricesOf(genome, resource, size, {})};
    Pruned all;
    for (const FilterGroup& group : genome.groups()) {
      all.keep.emplace_back();
      for (int i = 0; i < genome.conv(group.layers[0]).filters(); ++i) all.keep.back().push_back(i);
    }
    limit.target = 0.7 * BudgetOf(genome, all, resource, size);
    for (const auto ranking : {kGlobal, kLayer}) {
      const auto pruned = KeepStrongest(genome, strengths, ranking, 1, limit);
      ASSERT_TRUE(pruned.ok()) << pruned.status();
      EXPECT_EQ(pruned->budget, BudgetOf(genome, *pruned, resource, size));
      EXPECT_LE(pruned->budget, limit.target);
      EXPECT_GT(pruned->budget, 0.3 * limit.target) << "more went than had to";
    }
  }
}

TEST(CutOneLayerTest, EachCandidateCutsAnotherLayerAndTheLeastMissedComesFirst) {
  const Genome genome = ThreeConvs();
  // 6 + 16 + 10 becomes 4 + 12 + 10 without one of a, which loses 1 of 13, and 6 + 12 + 8
  // without one of b, which loses 2 of 20.
  const auto first = CutOneLayer(genome, kStrengths, 0, 1, Parameters(genome, 27));
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_THAT(first->keep, ElementsAre(ElementsAre(0, 1), ElementsAre(0, 1, 2, 3),
                                       ElementsAre(0, 1)));
  EXPECT_EQ(first->budget, 26);
  const auto second = CutOneLayer(genome, kStrengths, 1, 1, Parameters(genome, 27));
  EXPECT_THAT(second->keep, ElementsAre(ElementsAre(0, 1, 2), ElementsAre(1, 2, 3),
                                        ElementsAre(0, 1)));
  EXPECT_EQ(second->budget, 26);
  EXPECT_EQ(CutOneLayer(genome, kStrengths, 2, 1, Parameters(genome, 27))->keep, first->keep);
}

TEST(CutOneLayerTest, WhatALayerCannotCarryAloneAllOthersShare) {
  const Genome genome = ThreeConvs();
  // a may lose one, which makes 26, and b two, which makes 20: each needs the other's help.
  for (const int candidate : {0, 1}) {
    const auto pruned = CutOneLayer(genome, kStrengths, candidate, 1, Parameters(genome, 19));
    ASSERT_TRUE(pruned.ok()) << pruned.status();
    EXPECT_EQ(pruned->budget, 16);
    EXPECT_THAT(pruned->keep[0], ElementsAre(0, 1));
    EXPECT_THAT(pruned->keep[1], ElementsAre(1, 3));
  }
  // b alone is enough for 20, so it comes before a.
  EXPECT_THAT(CutOneLayer(genome, kStrengths, 0, 1, Parameters(genome, 20))->keep[0],
              ElementsAre(0, 1, 2));
}

TEST(CutOneLayerTest, IsWithinTheBudgetAndAboveTheFloorsForRandomGenomes) {
  for (uint64_t seed = 0; seed < kRandomGenomes; ++seed) {
    SCOPED_TRACE(seed);
    const Genome genome = Widened(RandomGenome(seed), 8);
    const Network parent = TrainedLike(RandomNetwork(genome, seed), seed);
    const std::vector<Parent> parents = {{parent, std::nullopt}};
    const Strengths strengths =
        Mate(parents, ChildJob(parent).synthesis(), 1, Key(1, 0))->strengths;
    const double whole = static_cast<double>(CountParameters(genome));
    for (const double share : {0.95, 0.7, 0.3}) {
      const BudgetLimit limit = Parameters(genome, share * whole);
      const int candidates = static_cast<int>(genome.groups().size());
      for (int candidate = 0; candidate < candidates; ++candidate) {
        const auto pruned = CutOneLayer(genome, strengths, candidate, 2, limit);
        if (absl::IsFailedPrecondition(pruned.status())) continue;  // The floors.
        ASSERT_TRUE(pruned.ok()) << pruned.status();
        EXPECT_EQ(pruned->budget, BudgetOf(genome, *pruned, kParameters, 0));
        EXPECT_LE(pruned->budget, limit.target);
        for (size_t g = 0; g < pruned->keep.size(); ++g) {
          const int all = genome.conv(genome.groups()[g].layers[0]).filters();
          EXPECT_GE(static_cast<int>(pruned->keep[g].size()), std::min(2, all));
        }
      }
    }
  }
}

TEST(CutOneLayerTest, FloorsAreNamedWhereTheyForbidTheBudget) {
  EXPECT_EQ(CutOneLayer(ThreeConvs(), kStrengths, 0, 2, Parameters(ThreeConvs(), 15))
                .status()
                .code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(WidestWithinTest, IsTheWidestOfAll) {
  const Genome whole = *SqueezeNetV11(10);
  for (const double target : {727626.0, 700000.0, 237500.0, 60000.0}) {
    const auto genome = WidestWithin(10, Parameters(whole, target));
    ASSERT_TRUE(genome.ok()) << genome.status();
    const auto parameters = static_cast<double>(CountParameters(*genome));
    EXPECT_LE(parameters, target);
    EXPECT_GT(parameters, 0.97 * target);
  }
  EXPECT_EQ(CountParameters(*WidestWithin(10, Parameters(whole, 1e9))), 727626);
  EXPECT_EQ(WidestWithin(10, Parameters(whole, 100)).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace squish
