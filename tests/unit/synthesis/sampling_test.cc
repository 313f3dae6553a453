#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/base/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/random_genome.h"
#include "tests/unit/synthesis/synthesis_fixtures.h"
#include "worker/synthesis/synthesis.h"

namespace squish {
namespace {

using ::testing::ElementsAre;

Genome TwoConvs() {
  return *Genome::Create({{"input", {}, Input{1}},
                          {"a", {0}, Conv2d{1, 1, 0, {0, 1, 2}}},
                          {"head", {1}, Conv2d{1, 1, 0, {0, 1}}},
                          {"pool", {2}, GlobalAveragePool{}}});
}

TEST(ClusterStrengthsTest, SumsMagnitudesWithoutBiases) {
  const Genome genome = TwoConvs();
  TensorMap weights;
  weights["a.weight"] = {{3, 1, 1, 1}, {-2.0f, 0.5f, 0.0f}};
  weights["a.bias"] = {{3}, {100, 100, 100}};
  weights["head.weight"] = {{2, 3, 1, 1}, {1, -2, 3, 0.25f, 0.5f, -0.125f}};
  weights["head.bias"] = {{2}, {0, 0}};
  EXPECT_THAT(ClusterStrengths(genome, weights, genome.groups()[0], 0), ElementsAre(2.0, 0.5, 0.0));
  EXPECT_THAT(ClusterStrengths(genome, weights, genome.groups()[1], 0), ElementsAre(6.0, 0.875));
}

TEST(ClusterStrengthsTest, WeightsBelowTheTruncationCountAsZeroAndThoseAtItCount) {
  const Genome genome = TwoConvs();
  TensorMap weights;
  weights["head.weight"] = {{2, 3, 1, 1}, {1, -2, 3, 0.25f, 0.5f, -0.125f}};
  EXPECT_THAT(ClusterStrengths(genome, weights, genome.groups()[1], 0.25), ElementsAre(6.0, 0.75));
  EXPECT_THAT(ClusterStrengths(genome, weights, genome.groups()[1], 2.5), ElementsAre(3.0, 0.0));
}

TEST(ClusterProbabilitiesTest, FollowTheFormula) {
  const std::vector<double> strengths = {4.0, 2.0, 1.0, 0.0};
  for (const double selectivity : {0.1, 0.5, 1.0, 10.0}) {
    const auto probabilities = ClusterProbabilities(strengths, selectivity);
    for (size_t c = 0; c < strengths.size(); ++c) {
      const double expected = std::exp((strengths[c] / 4.0 - 1.0) / selectivity);
      EXPECT_NEAR(static_cast<double>(probabilities[c]), expected * 0x1p32, 0.5001)
          << "T " << selectivity << " cluster " << c;
    }
  }
}

TEST(ClusterProbabilitiesTest, TheStrongestIsCertainAndNoneIsImpossible) {
  EXPECT_THAT(ClusterProbabilities(std::vector<double>{5.0, 1.0}, 0.01), ElementsAre(kCertain, 1));
}

TEST(ClusterProbabilitiesTest, WithoutAnyStrengthAllAreCertain) {
  EXPECT_THAT(ClusterProbabilities(std::vector<double>{0.0, 0.0}, 1.0),
              ElementsAre(kCertain, kCertain));
  EXPECT_TRUE(ClusterProbabilities({}, 1.0).empty());
}

TEST(ApplyEnvironmentTest, ScalesAndStaysBetweenOneUnitAndCertainty) {
  const std::vector<Probability> probabilities = {kCertain, kCertain / 2, 1000, 1};
  EXPECT_THAT(ApplyEnvironment(probabilities, 0.5),
              ElementsAre(kCertain / 2, kCertain / 4, 500, 1));
  EXPECT_THAT(ApplyEnvironment(probabilities, 3.0), ElementsAre(kCertain, kCertain, 3000, 3));
  EXPECT_THAT(ApplyEnvironment(probabilities, 1.0), testing::ElementsAreArray(probabilities));
  EXPECT_THAT(ApplyEnvironment(probabilities, 0x1p32),
              ElementsAre(kCertain, kCertain, kCertain, kCertain));
  EXPECT_THAT(ApplyEnvironment(probabilities, 0x1p-32), ElementsAre(1, 1, 1, 1));
}

TEST(SurvivorCountTest, RoundsToTheNearestMultipleTiesUpAboveTheFloor) {
  const GroupPlan by_four = {{}, 2, 4};
  EXPECT_EQ(SurvivorCount(0, 20, by_four), 2);
  EXPECT_EQ(SurvivorCount(1, 20, by_four), 2);
  EXPECT_EQ(SurvivorCount(2, 20, by_four), 4);
  EXPECT_EQ(SurvivorCount(5, 20, by_four), 4);
  EXPECT_EQ(SurvivorCount(6, 20, by_four), 8);
  EXPECT_EQ(SurvivorCount(17, 18, by_four), 16);
  EXPECT_EQ(SurvivorCount(18, 18, by_four), 18) << "20 is more than there are";
  const GroupPlan plain = {{}, 3, 1};
  EXPECT_EQ(SurvivorCount(0, 20, plain), 3);
  EXPECT_EQ(SurvivorCount(7, 20, plain), 7);
  EXPECT_EQ(SurvivorCount(0, 2, plain), 2) << "a floor above the count keeps all";
}

TEST(SampleSurvivorsTest, WithoutFloorExactlyTheDrawnSurvive) {
  const GroupPlan plan = {{1000, 2000, 3000, 4000}, 0, 1};
  EXPECT_THAT(SampleSurvivors(plan, std::vector<uint32_t>{999, 2000, 0, 4001}), ElementsAre(0, 2));
}

TEST(SampleSurvivorsTest, TheFloorIsFilledWithTheSmallestRatios) {
  const GroupPlan plan = {{1000, 2000, 3000, 4000}, 2, 1};
  // u / P: 5, 3, 3.3, 2.
  EXPECT_THAT(SampleSurvivors(plan, std::vector<uint32_t>{5000, 6000, 9900, 8000}),
              ElementsAre(1, 3));
}

TEST(SampleSurvivorsTest, EqualRatiosGoByIndex) {
  const GroupPlan plan = {{2, 4, 2, 4}, 2, 1};
  EXPECT_THAT(SampleSurvivors(plan, std::vector<uint32_t>{10, 20, 10, 20}), ElementsAre(0, 1));
  const GroupPlan zeros = {{1, kCertain, 5}, 2, 64};
  EXPECT_THAT(SampleSurvivors(zeros, std::vector<uint32_t>{0, 0, 0}), ElementsAre(0, 1));
}

TEST(SampleSurvivorsTest, RatiosThatDoublesCannotTellApartAreTold) {
  // (2^32 - 2) / (2^32 - 1) < (2^32 - 1) / 2^32, by 2^-64.
  const GroupPlan plan = {{kCertain, kCertain - 1}, 1, 64};
  EXPECT_THAT(SampleSurvivors(plan, std::vector<uint32_t>{4294967295u, 4294967294u}),
              ElementsAre(1));
}

TEST(SampleSurvivorsTest, FrequenciesAreTheProbabilities) {
  GroupPlan plan;
  plan.floor = 0;
  for (int c = 0; c < 40; ++c) plan.probabilities.push_back(kCertain / 40 * (c + 1) - c);
  constexpr int kDraws = 20'000;
  std::vector<int> survived(40);
  std::vector<uint32_t> draws(40);
  for (uint64_t d = 0; d < kDraws; ++d) {
    const RandomStream stream(RandomDomain::kSurvival, {1, 2, d, 3});
    for (int c = 0; c < 40; ++c) draws[c] = stream.Bits(c);
    for (const int c : SampleSurvivors(plan, draws)) ++survived[c];
  }
  for (int c = 0; c < 40; ++c) {
    const double p = plan.probabilities[c] * 0x1p-32;
    EXPECT_NEAR(survived[c] / double{kDraws}, p, 4.5 * std::sqrt(p * (1 - p) / kDraws) + 1e-9) << c;
  }
}

// The whole way, over random genomes: with a floor of one filter a cluster survives as
// often as P says, or where none would have been drawn.
TEST(SynthesisFrequencyTest, ClustersSurviveAsOftenAsTheirProbabilitiesSay) {
  constexpr int kChildren = 400;
  int checked = 0;
  for (uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    const Network parent = TrainedLike(RandomNetwork(RandomGenome(seed), seed), seed);
    v1::SynthesizeJob job = ChildJob(parent);
    job.mutable_synthesis()->set_minimum_filters(1);
    job.mutable_environment()->set_calibration(v1::EnvironmentSpec::LITERAL);
    std::vector<std::vector<int>> survived(parent.genome.size());
    for (const int layer : parent.genome.convs()) {
      survived[layer].resize(parent.genome.conv(layer).filters());
    }
    for (int child = 0; child < kChildren; ++child) {
      const auto offspring = Synthesize(job, Key(3, child), {&parent, 1}, nullptr);
      ASSERT_TRUE(offspring.ok()) << offspring.status();
      for (const int layer : parent.genome.convs()) {
        const auto& all = parent.genome.conv(layer).lineage;
        for (const int ancestor_index : offspring->network.genome.conv(layer).lineage) {
          const auto found = std::lower_bound(all.begin(), all.end(), ancestor_index);
          ASSERT_TRUE(found != all.end() && *found == ancestor_index);
          ++survived[layer][found - all.begin()];
        }
      }
    }
    const auto plans = PlansOf(parent, job.synthesis());
    for (size_t g = 0; g < plans.size(); ++g) {
      const int layer = parent.genome.groups()[g].layers.front();
      const bool prunable = parent.genome.groups()[g].prunable;
      const auto under_r = ApplyEnvironment(plans[g].probabilities, prunable ? 0.9 : 1.0);
      double none = 1.0;
      for (const Probability p : under_r) none *= 1.0 - p * 0x1p-32;
      for (size_t c = 0; c < under_r.size(); ++c) {
        const double p = under_r[c] * 0x1p-32;
        const double frequency = survived[layer][c] / double{kChildren};
        const double sigma = std::sqrt(p * (1 - p) / kChildren);
        EXPECT_GE(frequency, p - 4.5 * sigma - 1e-9) << "layer " << layer << " cluster " << c;
        EXPECT_LE(frequency, p + none + 4.5 * sigma + 1e-9)
            << "layer " << layer << " cluster " << c;
        ++checked;
      }
    }
  }
  EXPECT_GT(checked, 300);
}

}  // namespace
}  // namespace squish
