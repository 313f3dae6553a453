#include "jetson-agent/measure/protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "common/base/random.h"

namespace squish {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

v1::MeasurementSpec Spec() {
  v1::MeasurementSpec spec;
  spec.set_batch(1);
  spec.set_minimum_seconds(0.3);
  spec.set_minimum_blocks(8);
  spec.set_warmup_seconds(0.1);
  spec.set_maximum_spread(0.05);
  spec.set_time_limit_seconds(60);
  return spec;
}

// A block at `images_per_second`.
Block At(double images_per_second) {
  return {1000, 1000 / images_per_second};
}

AbbaGroup Group(double ancestor, double candidate) {
  return {At(ancestor), At(candidate), At(candidate), At(ancestor), 0};
}

std::vector<AbbaGroup> Groups(int count, double ancestor, double candidate) {
  return std::vector<AbbaGroup>(count, Group(ancestor, candidate));
}

// A board whose speed is `speed(time)` times nominal and whose every block is
// disturbed by noise: exp(noise · normal).
std::vector<AbbaGroup> Simulate(uint64_t seed, int count, double true_ratio, double noise,
                                double drift_per_block) {
  const RandomStream random(RandomDomain::kBuiltInShapes, {seed});
  std::vector<AbbaGroup> groups;
  int block = 0;
  const auto run = [&](double nominal) {
    const double speed =
        nominal * std::exp(drift_per_block * block + noise * random.Normal(block));
    ++block;
    return At(speed);
  };
  for (int i = 0; i < count; ++i) {
    AbbaGroup group;
    group.ancestor_first = run(1000);
    group.candidate_first = run(1000 * true_ratio);
    group.candidate_second = run(1000 * true_ratio);
    group.ancestor_second = run(1000);
    groups.push_back(group);
  }
  return groups;
}

// P(|T| < t) for integer degrees of freedom in closed form (Abramowitz and Stegun,
// 26.7.3 and 26.7.4): an independent check of the quantile.
double StudentCentralProbability(double t, int n) {
  const double theta = std::atan2(t, std::sqrt(n));
  const double c = std::cos(theta), s = std::sin(theta);
  if (n == 1) return 2 * theta / M_PI;
  if (n % 2 == 1) {
    double term = c, sum = c;
    for (int k = 3; k < n - 1; k += 2) sum += term *= c * c * (k - 1) / k;
    return 2 / M_PI * (theta + s * sum);
  }
  double term = 1, sum = 1;
  for (int k = 2; k < n - 1; k += 2) sum += term *= c * c * (k - 1) / k;
  return s * sum;
}

TEST(StudentT95Test, HoldsNinetyFivePercentForEveryDegree) {
  for (int degrees = 1; degrees <= 400; ++degrees) {
    EXPECT_NEAR(StudentCentralProbability(StudentT95(degrees), degrees), 0.95, 2e-6)
        << degrees << " degrees";
  }
}

TEST(StudentT95Test, FallsTowardsTheNormalQuantile) {
  for (int degrees = 2; degrees < 1000; ++degrees) {
    EXPECT_LT(StudentT95(degrees), StudentT95(degrees - 1));
  }
  EXPECT_NEAR(StudentT95(1'000'000), 1.959966, 1e-5);
}

TEST(BlockSecondsTest, SharesTheMinimumTimeButNeverBelowTenMilliseconds) {
  v1::MeasurementSpec spec = Spec();
  EXPECT_DOUBLE_EQ(BlockSeconds(spec), 0.3 / 16);
  spec.set_minimum_seconds(0.01);
  EXPECT_DOUBLE_EQ(BlockSeconds(spec), 0.010);
  spec.set_minimum_blocks(0);
  spec.set_minimum_seconds(4);
  EXPECT_DOUBLE_EQ(BlockSeconds(spec), 1.0) << "an interval needs two groups";
}

TEST(SummarizeTest, QuietBoardGivesTheExactRatioAndIsValid) {
  const v1::MeasureResult result = Summarize(Spec(), Groups(8, 500, 800), 1.0);
  EXPECT_EQ(result.verdict(), v1::MeasureResult::VALID);
  EXPECT_THAT(result.reasons(), IsEmpty());
  EXPECT_NEAR(result.ratio(), 1.6, 1e-12);
  EXPECT_NEAR(result.ratio_half_width(), 0, 1e-12);
  EXPECT_NEAR(result.images_per_second(), 800, 1e-9);
  EXPECT_NEAR(result.ancestor_images_per_second(), 500, 1e-9);
  EXPECT_EQ(result.block_images_per_second_size(), 16);
  EXPECT_EQ(result.ancestor_block_images_per_second_size(), 16);
  EXPECT_EQ(result.wall_seconds(), 1.0);
}

TEST(SummarizeTest, BlocksAreReportedInTheOrderOfMeasuring) {
  const v1::MeasureResult result =
      Summarize(Spec(), {{At(1), At(2), At(3), At(4)}, {At(5), At(6), At(7), At(8)}}, 1.0);
  EXPECT_THAT(result.ancestor_block_images_per_second(), ElementsAre(1, 4, 5, 8));
  EXPECT_THAT(result.block_images_per_second(), ElementsAre(2, 3, 6, 7));
}

TEST(SummarizeTest, SpeedsAreMediansSoThatOneStalledBlockDoesNotMoveThem) {
  std::vector<AbbaGroup> groups = Groups(9, 500, 800);
  groups[4].candidate_first = At(1);
  const v1::MeasureResult result = Summarize(Spec(), groups, 1.0);
  EXPECT_NEAR(result.images_per_second(), 800, 1e-9);
}

TEST(SummarizeTest, GeometricDriftCancelsExactly) {
  // The board slows down by 1 % a block, to a seventh in the end.
  const v1::MeasureResult result = Summarize(Spec(), Simulate(1, 50, 1.25, 0, -0.01), 1.0);
  EXPECT_NEAR(result.ratio(), 1.25, 1e-9);
  EXPECT_EQ(result.verdict(), v1::MeasureResult::VALID);
}

TEST(SummarizeTest, SwappingTheNetworksInvertsTheRatio) {
  const std::vector<AbbaGroup> groups = Simulate(2, 30, 1.7, 0.05, 0.003);
  std::vector<AbbaGroup> swapped;
  for (const AbbaGroup& group : groups) {
    swapped.push_back({group.candidate_first, group.ancestor_first, group.ancestor_second,
                       group.candidate_second});
  }
  const v1::MeasureResult forward = Summarize(Spec(), groups, 1.0);
  const v1::MeasureResult backward = Summarize(Spec(), swapped, 1.0);
  EXPECT_NEAR(forward.ratio() * backward.ratio(), 1, 1e-12);
  EXPECT_NEAR(forward.ratio_half_width(), backward.ratio_half_width(), 1e-12);
}

TEST(SummarizeTest, IntervalHoldsTheTrueRatioAsOftenAsItClaims) {
  constexpr int kExperiments = 2000;
  int held = 0;
  for (int i = 0; i < kExperiments; ++i) {
    const v1::MeasureResult result = Summarize(Spec(), Simulate(100 + i, 8, 1.3, 0.03, 0.002), 1.0);
    const double half_log = std::log1p(result.ratio_half_width());
    if (std::abs(std::log(result.ratio() / 1.3)) <= half_log) ++held;
  }
  // Binomial deviation of 0.95 over 2000 is 0.0049.
  EXPECT_NEAR(held / static_cast<double>(kExperiments), 0.95, 0.02);
}

// Log-ratios 0, 0.01, … 0.08 and one of a group that something stood in the way of. Six of ten
// are kept; drawn in, they are 0.02 three times, 0.03 to 0.06, and 0.07 three times, whose
// deviation is 0.0217307. Worked out apart from the code.
TEST(SummarizeTest, AWildGroupCountsAsTheLastThatIsKept) {
  std::vector<AbbaGroup> groups;
  for (int i = 0; i < 9; ++i) groups.push_back(Group(500, 500 * std::exp(0.01 * i)));
  groups.insert(groups.begin() + 4, Group(500, 500 * std::exp(5)));
  const v1::MeasureResult result = Summarize(Spec(), groups, 1.0);
  EXPECT_NEAR(result.ratio(), std::exp(0.045), 1e-12);
  EXPECT_NEAR(result.ratio_half_width(), 0.029878729, 1e-7);
}

// Of every three groups one is disturbed twenty times as much as the others.
TEST(SummarizeTest, WhatElseRunsAtTimesWidensTheIntervalLittle) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    std::vector<AbbaGroup> groups = Simulate(seed, 200, 1.5, 0.01, 0);
    const double calm = Summarize(Spec(), groups, 1.0).ratio_half_width();
    const std::vector<AbbaGroup> disturbed = Simulate(100 + seed, 200, 1.5, 0.2, 0);
    for (size_t i = 0; i < groups.size(); i += 3) groups[i] = disturbed[i];
    const v1::MeasureResult result = Summarize(Spec(), groups, 1.0);
    EXPECT_LT(result.ratio_half_width(), 3 * calm) << seed;
    EXPECT_NEAR(std::log(result.ratio() / 1.5), 0, 3 * result.ratio_half_width()) << seed;
  }
}

TEST(SummarizeTest, EveryBrokenRuleIsNamedWithItsAmount) {
  const std::vector<AbbaGroup> groups = {
      {{1, 0.01}, {1, 0.01}, {1, 0.01}, {1, 0.01}},
      {{1, 0.01}, {1, 0.02}, {1, 0.02}, {1, 0.01}},
  };
  const v1::MeasureResult result = Summarize(Spec(), groups, 61.5);
  EXPECT_EQ(result.verdict(), v1::MeasureResult::INVALID);
  EXPECT_THAT(
      result.reasons(),
      ElementsAre("only 2 of at least 8 A B B A groups were measured",
                  "the ancestor ran for 0.04 s of at least 0.3 s",
                  "the candidate ran for 0.06 s of at least 0.3 s",
                  HasSubstr("at most ±5 % is allowed"),
                  "the time limit of 60 s was reached after 61.5 s"));
}

TEST(SummarizeTest, ReachedTimeLimitAloneDoesNotInvalidate) {
  EXPECT_EQ(Summarize(Spec(), Groups(8, 500, 800), 70).verdict(), v1::MeasureResult::VALID);
}

TEST(SummarizeTest, NothingMeasuredIsInvalidAndFinite) {
  const v1::MeasureResult result = Summarize(Spec(), {}, 60);
  EXPECT_EQ(result.verdict(), v1::MeasureResult::INVALID);
  EXPECT_EQ(result.ratio(), 0);
  EXPECT_EQ(result.images_per_second(), 0);
  EXPECT_EQ(result.ratio_half_width(), 0);
}

TEST(SummarizeTest, NoiseBeyondTheLimitIsInvalidAndWithinItValid) {
  EXPECT_EQ(Summarize(Spec(), Simulate(3, 8, 1.2, 0.3, 0), 1).verdict(),
            v1::MeasureResult::INVALID);
  EXPECT_EQ(Summarize(Spec(), Simulate(3, 8, 1.2, 0.01, 0), 1).verdict(),
            v1::MeasureResult::VALID);
}

class ImpossibleBlockTest : public ::testing::TestWithParam<Block> {};

TEST_P(ImpossibleBlockTest, InvalidatesWhereverItStandsAndLeavesNumbersFinite) {
  for (int place = 0; place < 4; ++place) {
    std::vector<AbbaGroup> groups = Groups(9, 500, 800);
    AbbaGroup& group = groups[3];
    (place == 0   ? group.ancestor_first
     : place == 1 ? group.candidate_first
     : place == 2 ? group.candidate_second
                  : group.ancestor_second) = GetParam();
    EXPECT_FALSE(WantsMore(Spec(), groups, 1.0));
    const v1::MeasureResult result = Summarize(Spec(), groups, 1.0);
    EXPECT_EQ(result.verdict(), v1::MeasureResult::INVALID);
    EXPECT_THAT(result.reasons(),
                ElementsAre("1 of 9 A B B A groups have a block without a possible speed"));
    EXPECT_NEAR(result.ratio(), 1.6, 1e-12);
    EXPECT_TRUE(std::isfinite(result.ratio_half_width()));
    EXPECT_EQ(result.block_images_per_second_size(), 16);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Nonsense, ImpossibleBlockTest,
    ::testing::Values(Block{10, 0.0}, Block{10, -0.5}, Block{10, kNaN}, Block{10, kInfinity},
                      Block{10, -kInfinity}, Block{0, 0.02}, Block{-10, 0.02}, Block{-10, -0.02},
                      Block{10, std::numeric_limits<double>::denorm_min()}, Block{1, 1e300}));

TEST(SummarizeTest, MostExtremePossibleSpeedsStayFinite) {
  std::vector<AbbaGroup> groups = {Group(1e-9, 1e12), Group(1e12, 1e-9)};
  const v1::MeasureResult result = Summarize(Spec(), groups, 1.0);
  EXPECT_TRUE(std::isfinite(result.ratio()));
  EXPECT_TRUE(std::isfinite(result.ratio_half_width()));
  groups = Groups(8, 1e-9, 1e12);
  EXPECT_TRUE(std::isfinite(Summarize(Spec(), groups, 1.0).ratio()));
}

TEST(WantsMoreTest, GoesOnUntilGroupsAndSecondsAndSpreadAreEnough) {
  v1::MeasurementSpec spec = Spec();
  EXPECT_TRUE(WantsMore(spec, {}, 0));
  EXPECT_TRUE(WantsMore(spec, Groups(7, 500, 800), 1)) << "too few groups";
  EXPECT_FALSE(WantsMore(spec, Groups(8, 500, 800), 1));
  EXPECT_TRUE(WantsMore(spec, Groups(8, 1e6, 1e6), 1)) << "too little time";
  EXPECT_TRUE(WantsMore(spec, Simulate(3, 8, 1.2, 0.3, 0), 1)) << "too much spread";
  EXPECT_FALSE(WantsMore(spec, Simulate(3, 2000, 1.2, 0.3, 0), 1)) << "spread shrinks with groups";
}

TEST(WantsMoreTest, EndsWhenTimeIsUpOrNoTimeAtAll) {
  EXPECT_FALSE(WantsMore(Spec(), {}, 60));
  EXPECT_FALSE(WantsMore(Spec(), {}, kInfinity));
  EXPECT_FALSE(WantsMore(Spec(), {}, kNaN));
}

TEST(WantsMoreTest, StopsExactlyWhenSummarizeSaysValid) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const std::vector<AbbaGroup> all = Simulate(seed, 300, 1.4, 0.15, -0.001);
    std::vector<AbbaGroup> groups;
    while (WantsMore(Spec(), groups, 1.0) && groups.size() < all.size()) {
      groups.push_back(all[groups.size()]);
      EXPECT_EQ(WantsMore(Spec(), groups, 1.0),
                Summarize(Spec(), groups, 1.0).verdict() != v1::MeasureResult::VALID);
    }
    EXPECT_GE(groups.size(), 8u);
    EXPECT_LT(groups.size(), all.size()) << "15 % noise must become tight enough";
  }
}

TEST(WantsMoreTest, EmptySpecificationAsksForTwoGroupsAtLeast) {
  v1::MeasurementSpec spec;
  spec.set_time_limit_seconds(60);
  EXPECT_TRUE(WantsMore(spec, Groups(1, 500, 800), 0));
  EXPECT_EQ(Summarize(spec, Groups(1, 500, 800), 0).verdict(), v1::MeasureResult::INVALID);
}

TEST(EngineTraitsTest, BlocksAreLongerWhereEachCostsAStart) {
  EXPECT_EQ(BlockSeconds(Spec(), false), 0.3 / 16);
  EXPECT_EQ(BlockSeconds(Spec(), true), 0.25);
  v1::MeasurementSpec longer = Spec();
  longer.set_minimum_seconds(16);
  EXPECT_EQ(BlockSeconds(longer, true), 1);
}

TEST(EngineTraitsTest, RestartsDoNotCountAgainstTheLimitUpToTenTimesIt) {
  EXPECT_EQ(CountedSeconds(60, 0), 60);
  EXPECT_EQ(CountedSeconds(100, 95), 10);
  EXPECT_EQ(CountedSeconds(100, 50), 50);
  EXPECT_GE(CountedSeconds(600, 599), 60) << "ten times the limit is the end";
}

TEST(EngineTraitsTest, BuildsTakeTurnsAndEachHasItsGroups) {
  const EngineTraits traits{true, 2};
  std::vector<AbbaGroup> groups;
  while (WantsMore(Spec(), groups, 1, traits)) {
    AbbaGroup group = Group(500, groups.size() % 2 == 0 ? 800 : 808);
    group.build = BuildOfGroup(static_cast<int>(groups.size()), traits);
    groups.push_back(group);
  }
  EXPECT_EQ(groups.size(), 16u) << "eight of each";
  const v1::MeasureResult result = Summarize(Spec(), groups, 1, traits);
  EXPECT_EQ(result.verdict(), v1::MeasureResult::VALID);
  ASSERT_EQ(result.builds_size(), 2);
  EXPECT_NEAR(result.builds(0).ratio(), 1.6, 1e-12);
  EXPECT_NEAR(result.builds(1).ratio(), 1.616, 1e-12);
  EXPECT_NEAR(result.between_build_spread(), 0.01, 1e-12);
  EXPECT_NEAR(result.ratio(), 1.6 * std::sqrt(1.01), 1e-12);
}

TEST(EngineTraitsTest, OneBuildHasNoSpread) {
  const v1::MeasureResult result = Summarize(Spec(), Groups(8, 500, 800), 1);
  EXPECT_TRUE(result.builds().empty());
  EXPECT_EQ(result.between_build_spread(), 0);
}

}  // namespace
}  // namespace squish
