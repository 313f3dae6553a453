#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/base/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/random_genome.h"
#include "tests/support/sanitized.h"
#include "tests/unit/synthesis/synthesis_fixtures.h"
#include "worker/synthesis/odds.h"
#include "worker/synthesis/prices.h"
#include "worker/synthesis/synthesis.h"

namespace squish {
namespace {

using ::testing::ElementsAre;

TEST(LogProbabilitiesTest, FollowTheFormula) {
  const std::vector<double> strengths = {4.0, 2.0, 1.0, 0.0};
  for (const double selectivity : {0.01, 0.1, 0.5, 1.0, 10.0}) {
    const auto logs = LogProbabilities(strengths, 4.0, selectivity);
    for (size_t c = 0; c < strengths.size(); ++c) {
      EXPECT_DOUBLE_EQ(logs[c], (strengths[c] / 4.0 - 1.0) / selectivity)
          << "T " << selectivity << " cluster " << c;
    }
  }
}

TEST(LogProbabilitiesTest, WithoutAnyStrengthAllAreCertain) {
  EXPECT_THAT(LogProbabilities(std::vector<double>{0.0, 0.0}, 0.0, 1.0), ElementsAre(0.0, 0.0));
  EXPECT_TRUE(LogProbabilities({}, 0.0, 1.0).empty());
}

TEST(UnderEnvironmentTest, ScalesAndStaysBetweenOneUnitAndCertainty) {
  const GroupOdds odds = {{0.0, std::log(0.5), std::log(0x1p-30)}, true, 2, 3};
  const auto at = [&](double kappa) {
    return UnderEnvironment(odds, std::log(kappa)).probabilities;
  };
  EXPECT_THAT(at(1.0), ElementsAre(kCertain, kCertain / 2, 4));
  EXPECT_THAT(at(0.5), ElementsAre(kCertain / 2, kCertain / 4, 2));
  EXPECT_THAT(at(3.0), ElementsAre(kCertain, kCertain, 12));
  EXPECT_THAT(at(0x1p-40), ElementsAre(1, 1, 1));
  EXPECT_EQ(UnderEnvironment(odds, 0).floor, 2);
  EXPECT_EQ(UnderEnvironment(odds, 0).multiple, 3);
}

TEST(UnderEnvironmentTest, ThoseThatCannotGoAreCertain) {
  EXPECT_THAT(UnderEnvironment({{-5.0, 0.0}, false, 2, 1}, -3.0).probabilities,
              ElementsAre(kCertain, kCertain));
}

// At T = 0.01 the weakest half is below 2^-32 and κ above 2^32: each must keep its place.
TEST(UnderEnvironmentTest, NothingIsClampedBeforeKappa) {
  const GroupOdds odds = {{-100.0, -50.0, -49.0, 0.0}, true, 1, 1};
  const auto probabilities = UnderEnvironment(odds, 49.5).probabilities;
  EXPECT_EQ(probabilities[0], 1);
  EXPECT_NEAR(static_cast<double>(probabilities[1]) * 0x1p-32, std::exp(-0.5), 1e-9);
  EXPECT_EQ(probabilities[2], kCertain);
  EXPECT_EQ(probabilities[3], kCertain);
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

// How often each filter of `parent` survived in so many children, by layer; their κ.
struct Survivals {
  std::vector<std::vector<int>> counts;
  double kappa = 0;
};

Survivals CountSurvivals(const v1::SynthesizeJob& job, const Network& parent, int children) {
  Survivals survivals;
  survivals.counts.resize(parent.genome.size());
  for (const int layer : parent.genome.convs()) {
    survivals.counts[layer].resize(parent.genome.conv(layer).filters());
  }
  for (int child = 0; child < children; ++child) {
    const auto offspring = SynthesizeChild(job, Key(3, child), parent);
    EXPECT_TRUE(offspring.ok()) << offspring.status();
    survivals.kappa = offspring->birth.kappa();
    for (const int layer : parent.genome.convs()) {
      const auto& all = parent.genome.conv(layer).lineage;
      for (const int ancestor_index : offspring->network.genome.conv(layer).lineage) {
        const auto found = std::lower_bound(all.begin(), all.end(), ancestor_index);
        EXPECT_TRUE(found != all.end() && *found == ancestor_index);
        ++survivals.counts[layer][found - all.begin()];
      }
    }
  }
  return survivals;
}

// With a floor of one filter a cluster survives as often as P says, or where none would have
// been drawn. Returns how many were compared.
int ExpectFrequencies(const Network& parent, const std::vector<GroupOdds>& odds, double kappa,
                      const Survivals& survivals, int children) {
  int checked = 0;
  for (size_t g = 0; g < odds.size(); ++g) {
    const int layer = parent.genome.groups()[g].layers.front();
    const auto under_r = UnderEnvironment(odds[g], std::log(kappa)).probabilities;
    double none = 1.0;
    for (const Probability p : under_r) none *= 1.0 - p * 0x1p-32;
    for (size_t c = 0; c < under_r.size(); ++c) {
      const double p = under_r[c] * 0x1p-32;
      const double frequency = survivals.counts[layer][c] / double(children);
      const double sigma = std::sqrt(p * (1 - p) / children);
      EXPECT_GE(frequency, p - 4.5 * sigma - 1e-9) << "layer " << layer << " cluster " << c;
      EXPECT_LE(frequency, p + none + 4.5 * sigma + 1e-9)
          << "layer " << layer << " cluster " << c;
      ++checked;
    }
  }
  return checked;
}

// The whole way, over random genomes, as the papers have it.
TEST(SynthesisFrequencyTest, ClustersSurviveAsOftenAsTheirProbabilitiesSay) {
  constexpr int kChildren = 400;
  int checked = 0;
  for (uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    const Network parent = TrainedLike(RandomNetwork(RandomGenome(seed), seed), seed);
    v1::SynthesizeJob job = ChildJob(parent);
    job.mutable_synthesis()->set_minimum_filters(1);
    job.mutable_environment()->set_calibration(v1::EnvironmentSpec::LITERAL);
    const Survivals survivals = CountSurvivals(job, parent, kChildren);
    EXPECT_EQ(survivals.kappa, 0.9);
    checked += ExpectFrequencies(parent, OddsOfWeights(parent, job.synthesis()), 0.9, survivals,
                                 kChildren);
  }
  EXPECT_GT(checked, 300);
}

// And as it is by default: among all layers, by what filters are worth beside what they weigh,
// towards a budget.
TEST(SynthesisFrequencyTest, ClustersSurviveAsOftenAsTheirWorthSays) {
  // Instrumented code is far slower: there one genome is looked at.
  constexpr uint64_t kGenomes = kSanitized ? 1 : 12;
  constexpr int kChildren = 400;
  int checked = 0;
  for (uint64_t seed = 0; seed < kGenomes; ++seed) {
    SCOPED_TRACE(seed);
    const Network parent = TrainedLike(RandomNetwork(RandomGenome(seed), seed), seed);
    v1::SynthesizeJob job = ChildJob(parent);
    v1::SynthesisSpec& synthesis = *job.mutable_synthesis();
    synthesis.set_minimum_filters(1);
    synthesis.set_ranking(v1::SynthesisSpec::GLOBAL);
    synthesis.set_selectivity(0.5);
    synthesis.mutable_multipliers()->set_share(v1::EnvironmentSpec::PARAMETERS);
    synthesis.mutable_multipliers()->set_exponent(0.5);
    const Survivals survivals = CountSurvivals(job, parent, kChildren);
    if (survivals.kappa == 0) continue;  // Floors are most of so small a genome.
    const Prices prices =
        PricesOf(parent.genome, v1::EnvironmentSpec::PARAMETERS, 64, {}).value();
    const Multipliers multipliers{PricesOfFilters(parent.genome, prices), 0.5, {}};
    checked += ExpectFrequencies(parent, OddsOfWeights(parent, synthesis, multipliers),
                                 survivals.kappa, survivals, kChildren);
  }
  EXPECT_GT(checked, kSanitized ? 0 : 300);
}

}  // namespace
}  // namespace squish
