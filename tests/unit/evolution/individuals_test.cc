#include <algorithm>
#include <functional>
#include <set>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/evolution/evolution_fixture.h"

namespace squish {
namespace {

using ::testing::ElementsAre;

v1::IndividualName Name(int generation, int index) {
  v1::IndividualName name;
  name.set_generation(generation);
  name.set_index(index);
  return name;
}

class DescribeIndividualTest : public testing::Test {
 protected:
  v1::Individual Describe(const IndividualFacts& facts, int generation = 1, int index = 2) {
    return DescribeIndividual(spec_, SummaryAfter(TestSpec(), generation - 1),
                              Name(generation, index), facts);
  }
  v1::ExperimentSpec spec_ = TestSpec();
};

TEST_F(DescribeIndividualTest, StateFollowsTheFacts) {
  EXPECT_EQ(Describe({}).state(), v1::Individual::SYNTHESIZING);
  EXPECT_EQ(Describe({Born(1, 2), {}, {}}).state(), v1::Individual::TRAINING);
  EXPECT_EQ(Describe({Born(1, 2), Trained(1, 2, 0.5), {}}).state(), v1::Individual::TRAINING);
  EXPECT_EQ(Describe({Born(1, 2), {}, Measured(2)}).state(), v1::Individual::TRAINING);
  EXPECT_EQ(Describe({Born(1, 2), Trained(1, 2, 0.5), Measured(2)}).state(),
            v1::Individual::EVALUATED);
  EXPECT_EQ(Describe({Born(1, 2), Diverged(), {}}).state(), v1::Individual::DIVERGED);
  EXPECT_EQ(Describe({Born(1, 2), {}, Unsupported()}).state(), v1::Individual::TRAINING);
  EXPECT_EQ(Describe({Born(1, 2), Trained(1, 2, 0.5), Unsupported()}).state(),
            v1::Individual::UNSUPPORTED);
  EXPECT_EQ(Describe({Born(1, 2), Diverged(), Unsupported()}).state(), v1::Individual::DIVERGED);
}

TEST_F(DescribeIndividualTest, IsEvaluatedWhenEveryBoardHasMeasuredIt) {
  spec_.mutable_measurement()->add_beside();
  spec_.mutable_measurement()->add_beside()->set_champions(true);
  IndividualFacts facts = AllFacts(1, 2);
  EXPECT_EQ(Describe(facts).state(), v1::Individual::TRAINING);
  facts.beside[1] = Measured(3);
  EXPECT_EQ(Describe(facts).state(), v1::Individual::EVALUATED);
  ASSERT_EQ(Describe(facts).beside_size(), 1);
  EXPECT_EQ(Describe(facts).beside(0).beside(), 1);
  EXPECT_EQ(Describe(facts).beside(0).ratio_to_ancestor(), 3);
  EXPECT_DOUBLE_EQ(Describe(facts).ratio_to_ancestor(), 2.2) << "the measurement itself";
  facts.beside[1] = Unsupported();
  EXPECT_EQ(Describe(facts).state(), v1::Individual::UNSUPPORTED);
  EXPECT_FALSE(Describe(facts).beside(0).has_ratio_to_ancestor());
}

TEST_F(DescribeIndividualTest, CarriesWhatWasFound) {
  const v1::Individual individual = Describe(AllFacts(1, 2));
  EXPECT_EQ(individual.name().index(), 2);
  ASSERT_EQ(individual.parents_size(), 1);
  EXPECT_EQ(individual.parents(0).generation(), 0);
  EXPECT_EQ(individual.genome_digest(), "genome 1:2");
  EXPECT_EQ(individual.weights_digest(), "weights 1:2");
  EXPECT_EQ(individual.born_artifact(), "born 1:2");
  EXPECT_EQ(individual.trained_artifact(), "trained 1:2");
  EXPECT_EQ(individual.parameters(), 502);
  EXPECT_EQ(individual.images_seen(), 100);
  EXPECT_DOUBLE_EQ(individual.ratio_to_ancestor(), 2.2);
  EXPECT_DOUBLE_EQ(individual.images_per_second(), 220);
  EXPECT_EQ(individual.measured_on(), "board/1, torch, fp32, batch 1, 1 thread");
  EXPECT_EQ(individual.birth().kappa(), 0.5);
}

TEST_F(DescribeIndividualTest, WeightsAreTheBornOnesUntilTrained) {
  EXPECT_EQ(Describe({Born(1, 2), {}, {}}).weights_digest(), "fresh 1:2");
  const v1::Individual diverged = Describe({Born(1, 2), Diverged(), {}});
  EXPECT_EQ(diverged.weights_digest(), "fresh 1:2");
  EXPECT_EQ(diverged.images_seen(), 7);
  EXPECT_FALSE(diverged.has_selection_log_loss());
  EXPECT_EQ(diverged.trained_artifact(), "");
}

TEST_F(DescribeIndividualTest, StrengthsComeWithTheTraining) {
  IndividualFacts facts = AllFacts(1, 2);
  EXPECT_EQ(Describe(facts).strengths_artifact(), "");
  facts.train->set_strengths("strengths 1:2");
  EXPECT_EQ(Describe(facts).strengths_artifact(), "strengths 1:2");
}

TEST_F(DescribeIndividualTest, UnsupportedHasNoSpeed) {
  const v1::Individual individual = Describe({Born(1, 2), Trained(1, 2, 0.5), Unsupported()});
  EXPECT_FALSE(individual.has_ratio_to_ancestor());
  EXPECT_FALSE(individual.has_images_per_second());
}

TEST_F(DescribeIndividualTest, SyntheticSpeedSaysSo) {
  v1::MeasureResult measured = Measured(2);
  measured.mutable_setting()->set_engine("simulated");
  measured.mutable_setting()->set_synthetic(true);
  measured.mutable_setting()->set_threads(2);
  EXPECT_EQ(Describe({Born(1, 2), {}, measured}).measured_on(),
            "board/1, simulated, fp32, batch 1, 2 threads, not measured on hardware");
}

TEST_F(DescribeIndividualTest, SpeedSaysAtWhichClocks) {
  v1::MeasureResult measured = Measured(2);
  v1::BoardReport& board = *measured.mutable_board();
  const auto measured_on = [&] { return Describe({Born(1, 2), {}, measured}).measured_on(); };
  EXPECT_EQ(measured_on(), "board/1, torch, fp32, batch 1, 1 thread, clocks not known");
  board.mutable_during()->set_cpu_highest_megahertz(4200);
  EXPECT_EQ(measured_on(), "board/1, torch, fp32, batch 1, 1 thread, CPU clock not fixed");
  board.mutable_during()->set_cpu_highest_megahertz(1734);
  board.mutable_during()->set_gpu_highest_megahertz(998.4);
  board.mutable_info()->set_cpu_clock_fixed(true);
  board.mutable_info()->set_gpu_clock_fixed(true);
  board.mutable_before()->set_power_mode("MAXN");
  EXPECT_EQ(measured_on(),
            "board/1, torch, fp32, batch 1, 1 thread, CPU at 1.73 GHz, GPU at 0.998 GHz, power "
            "mode MAXN");
}

TEST_F(DescribeIndividualTest, ImagesPerJouleAreThereWhereTheBoardToldItsPower) {
  v1::MeasureResult measured = Measured(2);
  measured.mutable_board();
  EXPECT_FALSE(Describe({Born(1, 2), {}, measured}).has_images_per_joule());
  measured.mutable_board()->mutable_energy()->set_images_per_joule(21.5);
  EXPECT_EQ(Describe({Born(1, 2), {}, measured}).images_per_joule(), 21.5);
}

TEST_F(DescribeIndividualTest, AncestorsRatioIsOneByDefinition) {
  const IndividualFacts facts = {Born(0, 0), Trained(0, 0, 0.5), Measured(1.003)};
  const v1::Individual ancestor = DescribeIndividual(spec_, Beginning(), Name(0, 0), facts);
  EXPECT_EQ(ancestor.ratio_to_ancestor(), 1.0);
  EXPECT_DOUBLE_EQ(ancestor.images_per_second(), 100.3);
  EXPECT_EQ(ancestor.parents_size(), 0);
}

TEST_F(DescribeIndividualTest, EstimateIsTheRatioOfMacsAndSaysSo) {
  spec_.mutable_measurement()->set_fitness(v1::MeasurementSpec::ESTIMATED);
  const v1::Individual individual = Describe({Born(1, 0), Trained(1, 0, 0.5), {}}, 1, 0);
  EXPECT_EQ(individual.state(), v1::Individual::EVALUATED);
  EXPECT_DOUBLE_EQ(individual.ratio_to_ancestor(), 2.0);  // 2,000 ÷ 1,000 MACs
  EXPECT_FALSE(individual.has_images_per_second());
  EXPECT_EQ(individual.measured_on(), "estimated from MACs");
}

TEST(ParentsTest, RoundRobinOverTheSelected) {
  const v1::ExperimentSpec spec = TestSpec();
  const v1::EvolutionSummary summary = SummaryAfter(spec, 1);
  ASSERT_EQ(summary.parents_size(), 2);
  for (int i = 0; i < 4; ++i) {
    EXPECT_THAT(Parents(spec, summary, i), ElementsAre(&summary.parents(i % 2)));
  }
  EXPECT_TRUE(Parents(spec, Beginning(), 0).empty());
}

TEST(ParentsTest, MatesAreDifferentRankedAndShared) {
  for (int selected = 1; selected <= 6; ++selected) {
    v1::EvolutionSummary summary;
    for (int i = 0; i < selected; ++i) summary.add_parents();
    for (int mates = 1; mates <= 6; ++mates) {
      v1::ExperimentSpec spec = TestSpec();
      spec.mutable_synthesis()->set_mates(mates);
      std::vector<int> used(static_cast<size_t>(selected));
      std::set<std::vector<const v1::Individual*>> sets;
      // As many as there are pairs.
      const int offspring = selected * std::max(1, selected - 1);
      for (int i = 0; i < offspring; ++i) {
        const auto parents = Parents(spec, summary, i);
        EXPECT_EQ(parents.size(), std::min(mates, selected));
        int before = -1;
        for (const v1::Individual* parent : parents) {
          int rank = 0;
          while (&summary.parents(rank) != parent) ++rank;
          EXPECT_GT(rank, before) << "by rank, and nobody twice";
          before = rank;
          ++used[static_cast<size_t>(rank)];
        }
        sets.insert(parents);
      }
      // Everybody as often, and of two parents every pair.
      for (const int count : used) EXPECT_EQ(count, used[0]);
      if (mates != 2 || selected == 1) continue;
      EXPECT_EQ(sets.size(), selected * (selected - 1) / 2);
    }
  }
}

// The selected go round as ever; beside them comes the archive, from the latest back.
TEST(ParentsTest, MatesOfTheArchiveAreOfAnyGeneration) {
  v1::EvolutionSummary summary;
  for (const auto& [generation, index] : {std::pair(3, 1), std::pair(3, 0)}) {
    *summary.add_parents()->mutable_name() = Name(generation, index);
  }
  for (const auto& [generation, index] :
       {std::pair(0, 0), std::pair(2, 5), std::pair(3, 0), std::pair(3, 1)}) {
    *summary.add_archive()->mutable_name() = Name(generation, index);
  }
  v1::ExperimentSpec spec = TestSpec();
  spec.mutable_synthesis()->set_mates_from(v1::SynthesisSpec::ARCHIVE);
  const auto names = [&](int mates, int index) {
    spec.mutable_synthesis()->set_mates(mates);
    std::vector<std::pair<int, int>> all;
    for (const v1::Individual* parent : Parents(spec, summary, index)) {
      all.emplace_back(parent->name().generation(), parent->name().index());
    }
    return all;
  };
  using Pair = std::pair<int, int>;
  EXPECT_THAT(names(3, 0), ElementsAre(Pair(3, 1), Pair(3, 0), Pair(2, 5)));
  EXPECT_THAT(names(3, 1), ElementsAre(Pair(3, 0), Pair(3, 1), Pair(2, 5)));
  EXPECT_THAT(names(3, 2), ElementsAre(Pair(3, 1), Pair(2, 5), Pair(0, 0)));
  EXPECT_THAT(names(9, 0), ElementsAre(Pair(3, 1), Pair(3, 0), Pair(2, 5), Pair(0, 0)));
}

TEST(ParentsTest, NobodyWhereNetworksAreFromScratch) {
  v1::ExperimentSpec spec = TestSpec();
  spec.set_strategy(v1::ExperimentSpec::UNIFORM_WIDTH_FROM_SCRATCH);
  EXPECT_TRUE(Parents(spec, SummaryAfter(spec, 1), 0).empty());
}

TEST(PopulationDigestTest, DependsOnWhatIsNamedAndOnNothingElse) {
  v1::Individual a;
  *a.mutable_name() = Name(1, 0);
  *a.add_parents() = Name(0, 0);
  a.set_genome_digest("g");
  a.set_weights_digest("w");
  a.set_state(v1::Individual::EVALUATED);
  const std::string digest = PopulationDigest({a});
  EXPECT_EQ(digest.size(), 64u);

  v1::Individual other = a;
  other.set_images_per_second(5);
  other.set_measured_on("elsewhere");
  other.set_born_artifact("file");
  other.set_selected(true);
  EXPECT_EQ(PopulationDigest({other}), digest);

  const std::vector<std::function<void(v1::Individual&)>> changes = {
      [](v1::Individual& i) { i.mutable_name()->set_generation(2); },
      [](v1::Individual& i) { i.mutable_name()->set_index(1); },
      [](v1::Individual& i) { i.mutable_parents(0)->set_index(1); },
      [](v1::Individual& i) { i.clear_parents(); },
      [](v1::Individual& i) { i.set_genome_digest("h"); },
      [](v1::Individual& i) { i.set_weights_digest("x"); },
      [](v1::Individual& i) { i.set_genome_digest("gw"), i.set_weights_digest(""); },
      [](v1::Individual& i) { i.set_state(v1::Individual::DIVERGED); }};
  for (size_t n = 0; n < changes.size(); ++n) {
    v1::Individual changed = a;
    changes[n](changed);
    EXPECT_NE(PopulationDigest({changed}), digest) << n;
  }
  EXPECT_NE(PopulationDigest({a, a}), digest);
  EXPECT_NE(PopulationDigest({}), digest);
}

}  // namespace
}  // namespace squish
