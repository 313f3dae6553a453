#include "worker/synthesis/odds.h"

#include <algorithm>
#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/synthesis/synthesis_fixtures.h"

namespace squish {
namespace {

using ::testing::DoubleEq;
using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::ElementsAre;

// Layers a and b of three and two filters, then a head of two.
Genome ThreeConvs() {
  return *Genome::Create({{"input", {}, Input{1}},
                          {"a", {0}, Conv2d{1, 1, 0, {0, 1, 2}}},
                          {"b", {1}, Conv2d{1, 1, 0, {0, 1}}},
                          {"head", {2}, Conv2d{1, 1, 0, {0, 1}}},
                          {"pool", {3}, GlobalAveragePool{}}});
}

v1::SynthesisSpec Spec(v1::SynthesisSpec::Ranking ranking, double selectivity) {
  v1::SynthesisSpec spec;
  spec.set_ranking(ranking);
  spec.set_selectivity(selectivity);
  spec.set_minimum_filters(2);
  spec.set_filter_multiple(3);
  return spec;
}

const Strengths kStrengths = {{4, 1, 2}, {100, 50}, {7, 8}};

TEST(OddsTest, OfALayerAreRelativeToItsStrongest) {
  const auto odds = OddsOf(ThreeConvs(), kStrengths, Spec(v1::SynthesisSpec::LAYER, 0.5), {});
  EXPECT_THAT(odds[0].log_probabilities, ElementsAre(0.0, -1.5, -1.0));
  EXPECT_THAT(odds[1].log_probabilities, ElementsAre(0.0, -1.0));
  EXPECT_EQ(odds[0].floor, 2);
  EXPECT_EQ(odds[0].multiple, 3);
}

TEST(OddsTest, OfAllLayersGoByRank) {
  const auto odds = OddsOf(ThreeConvs(), kStrengths, Spec(v1::SynthesisSpec::GLOBAL, 0.5), {});
  // Weakest first: a1, a2, a0, b1, b0, which are fifths.
  EXPECT_THAT(odds[0].log_probabilities,
              ElementsAre(DoubleEq(-0.8), DoubleEq(-1.6), DoubleEq(-1.2)));
  EXPECT_THAT(odds[1].log_probabilities, ElementsAre(0.0, DoubleEq(-0.4)));
}

TEST(OddsTest, EqualStrengthsRankByGroupAndCluster) {
  const auto odds =
      OddsOf(ThreeConvs(), {{1, 1, 1}, {1, 1}, {0, 0}}, Spec(v1::SynthesisSpec::GLOBAL, 1), {});
  EXPECT_THAT(odds[0].log_probabilities,
              ElementsAre(DoubleEq(-0.8), DoubleEq(-0.6), DoubleEq(-0.4)));
  EXPECT_THAT(odds[1].log_probabilities, ElementsAre(DoubleEq(-0.2), 0.0));
}

// Every filter of a costs 2, every one of b 32.
TEST(OddsTest, OfAllLayersGoByWorth) {
  const Strengths worth = WorthOf(kStrengths, {{2, 32, 3}, 1, {}});
  EXPECT_THAT(worth[0], ElementsAre(DoubleEq(2), DoubleEq(0.5), DoubleEq(1)));
  EXPECT_THAT(worth[1], ElementsAre(DoubleEq(3.125), DoubleEq(1.5625)));
  const auto odds = OddsOf(ThreeConvs(), kStrengths, Spec(v1::SynthesisSpec::GLOBAL, 0.5),
                           {{2, 32, 3}, 1, {}});
  // Weakest first: a1, a2, b1, a0, b0.
  EXPECT_THAT(odds[0].log_probabilities,
              ElementsAre(DoubleEq(-0.4), DoubleEq(-1.6), DoubleEq(-1.2)));
  EXPECT_THAT(odds[1].log_probabilities, ElementsAre(0.0, DoubleEq(-0.8)));
}

TEST(OddsTest, WorthFollowsTheExponent) {
  const Strengths worth = WorthOf(kStrengths, {{4, 100, 3}, 0.5, {}});
  EXPECT_THAT(worth[0], ElementsAre(DoubleEq(2), DoubleEq(0.5), DoubleEq(1)));
  EXPECT_THAT(worth[1], ElementsAre(DoubleEq(10), DoubleEq(5)));
  EXPECT_EQ(WorthOf(kStrengths, {}), kStrengths);
}

TEST(OddsTest, WorthIsMovedByWhatIsDrawnForALayer) {
  const double two = std::log(2.0);
  const Strengths worth = WorthOf(kStrengths, {{4, 100, 3}, 0.5, {two, -two, 0}});
  EXPECT_THAT(worth[0], ElementsAre(DoubleEq(1), DoubleEq(0.25), DoubleEq(0.5)));
  EXPECT_THAT(worth[1], ElementsAre(DoubleEq(20), DoubleEq(10)));
}

TEST(OddsTest, WhatIsDrawnForLayersIsNormalAndOfEachItsOwn) {
  constexpr int kDraws = 20'000;
  constexpr double kSpread = 0.5;
  const Genome genome = ThreeConvs();
  double sum = 0, squares = 0, products = 0;
  int within_one = 0, beyond_two = 0;
  for (int i = 0; i < kDraws; ++i) {
    const auto factors = DrawLogFactors(genome, kSpread, 7, Key(1 + i % 3, i));
    ASSERT_EQ(factors.size(), 3u);
    const double z = factors[0] / kSpread;
    sum += z;
    squares += z * z;
    products += z * factors[1] / kSpread;
    within_one += std::fabs(z) < 1;
    beyond_two += std::fabs(z) > 2;
  }
  // Five standard deviations of each mean.
  const double tolerance = 5 / std::sqrt(double{kDraws});
  EXPECT_NEAR(sum / kDraws, 0, tolerance);
  EXPECT_NEAR(squares / kDraws, 1, std::sqrt(2.0) * tolerance);
  EXPECT_NEAR(products / kDraws, 0, tolerance);
  EXPECT_NEAR(within_one / double{kDraws}, 0.6827, std::sqrt(0.6827 * 0.3173) * tolerance);
  EXPECT_NEAR(beyond_two / double{kDraws}, 0.0455, std::sqrt(0.0455 * 0.9545) * tolerance);
  EXPECT_EQ(DrawLogFactors(genome, kSpread, 7, Key(1, 2)),
            DrawLogFactors(genome, kSpread, 7, Key(1, 2)));
  EXPECT_NE(DrawLogFactors(genome, kSpread, 7, Key(1, 2)),
            DrawLogFactors(genome, kSpread, 8, Key(1, 2)));
}

TEST(OddsTest, WhatIsFreeIsAsStrongAsItIs) {
  EXPECT_EQ(WorthOf(kStrengths, {{0, 0, 0}, 1, {}}), kStrengths);
}

// Of means 7/3 and 75, at prices 7/3 and 25: ρ is as 1 to 3, of mean 1.
TEST(OddsTest, OfALayerAreMultiplied) {
  const auto odds = OddsOf(ThreeConvs(), kStrengths, Spec(v1::SynthesisSpec::LAYER, 0.5),
                           {{7.0 / 3, 25, 1}, 1, {}});
  const double a = std::log(0.5), b = std::log(1.5);
  EXPECT_THAT(odds[0].log_probabilities,
              ElementsAre(DoubleNear(a, 1e-12), DoubleNear(a - 1.5, 1e-12),
                          DoubleNear(a - 1, 1e-12)));
  EXPECT_THAT(odds[1].log_probabilities,
              ElementsAre(DoubleNear(b, 1e-12), DoubleNear(b - 1, 1e-12)));
}

TEST(OddsTest, TheHeadCannotGo) {
  for (const auto ranking : {v1::SynthesisSpec::LAYER, v1::SynthesisSpec::GLOBAL}) {
    const auto odds = OddsOf(ThreeConvs(), kStrengths, Spec(ranking, 0.1), {});
    EXPECT_FALSE(odds[2].prunable);
    EXPECT_EQ(odds[2].floor, 2);
    EXPECT_EQ(odds[2].multiple, 1);
  }
}

TEST(OddsTest, EvenOddsAreBlind) {
  for (const GroupOdds& odds : EvenOdds(ThreeConvs(), Spec(v1::SynthesisSpec::GLOBAL, 0.1))) {
    EXPECT_THAT(odds.log_probabilities, Each(0.0));
  }
}

}  // namespace
}  // namespace squish
