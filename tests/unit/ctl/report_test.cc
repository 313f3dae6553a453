#include "ctl/report.h"

#include "absl/strings/str_split.h"
#include "ctl/best_networks.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/ctl/individuals.h"

namespace squish {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

v1::Experiment TheExperiment() {
  v1::Experiment experiment;
  experiment.set_id("demo-1234");
  experiment.mutable_spec()->set_name("demo");
  experiment.mutable_spec()->set_seed(7);
  experiment.mutable_spec()->set_generations(5);
  experiment.set_generation(2);
  experiment.set_state(v1::Experiment::RUNNING);
  return experiment;
}

TEST(IndividualsCsvTest, HasExactlyTheColumnsThatOthersRead) {
  EXPECT_EQ(IndividualsCsv(TheExperiment(), {}),
            "experiment,strategy,seed,generation,individual,parents,parameters,megabytes,macs,"
            "selection_accuracy,selection_log_loss,val_accuracy,images_per_second,"
            "ratio_to_ancestor,images_seen,genome_digest,weights_digest,"
            "training_seconds,step_seconds,measured_on\n");
}

TEST(IndividualsCsvTest, RowsHoldFractionsMegabytesOfTenToTheSixAndJoinedParents) {
  v1::Individual individual = Evaluated(2, 3, 727626, 0.875, 0.4321, 1.5);
  individual.add_parents()->set_generation(1);
  individual.mutable_parents(1)->set_index(4);
  individual.set_training_seconds(2.5);
  individual.set_step_seconds(2.25);
  const std::vector<std::string> lines =
      absl::StrSplit(IndividualsCsv(TheExperiment(), {individual}), '\n');
  EXPECT_EQ(lines[1],
            absl::StrCat("demo-1234,EVOLUTION,7,2,3,1:0+1:4,727626,2.910504,72762600,0.875000,"
                         "0.432100,,600.000,1.500000,8000,",
                         individual.genome_digest(), ",", individual.weights_digest(),
                         ",2.500,2.250,\"cpu, torch, fp32, batch 1, 1 thread\""));
}

TEST(IndividualsCsvTest, AncestorHasNoParentsAndRatioOne) {
  const std::string csv = IndividualsCsv(TheExperiment(), {Evaluated(0, 0, 1000, 0.9, 0.3, 1.0)});
  EXPECT_THAT(csv, HasSubstr("demo-1234,EVOLUTION,7,0,0,,1000,0.004000,"));
  EXPECT_THAT(csv, HasSubstr(",400.000,1.000000,"));
}

TEST(IndividualsCsvTest, WhatIsNotKnownIsEmpty) {
  v1::Individual unborn;
  unborn.mutable_name()->set_generation(1);
  unborn.set_state(v1::Individual::SYNTHESIZING);
  EXPECT_THAT(IndividualsCsv(TheExperiment(), {unborn}),
              HasSubstr("demo-1234,EVOLUTION,7,1,0,,,,,,,,,,,,,,,\n"));
}

TEST(SpeedsCsvTest, OneLineForEachArchitectureWithAllDigits) {
  v1::Individual a = Evaluated(0, 0, 1000, 0.9, 0.3, 1.0), b = Evaluated(1, 0, 900, 0.9, 0.3, 1.1);
  a.set_images_per_second(1.0 / 3.0);
  v1::Individual same = a, unmeasured = Evaluated(1, 1, 800, 0.9, 0.3, 1.2);
  same.set_images_per_second(5);
  unmeasured.clear_images_per_second();
  b.set_images_per_second(440);
  EXPECT_EQ(SpeedsCsv({a, b, same, unmeasured}),
            absl::StrCat("architecture_digest,images_per_second\n", a.architecture_digest(),
                         ",0.33333333333333331\n", b.architecture_digest(), ",440\n"));
}

TEST(ReportTest, IndividualIsCompleteOnceTrainedAndMeasuredOrGivenUp) {
  v1::Individual individual = Evaluated(1, 0, 1000, 0.9, 0.3, 1.0);
  individual.set_state(v1::Individual::TRAINING);
  EXPECT_TRUE(IsComplete(individual));
  individual.clear_selection_accuracy();
  EXPECT_FALSE(IsComplete(individual));
  individual.set_state(v1::Individual::DIVERGED);
  EXPECT_TRUE(IsComplete(individual));
  individual.set_state(v1::Individual::UNSUPPORTED);
  EXPECT_TRUE(IsComplete(individual));
}

TEST(ReportTest, LinesAreAlignedUnderTheirTitles) {
  const std::string titles = IndividualTitles();
  EXPECT_THAT(titles, HasSubstr("generation  index  parents"));
  const std::string line = IndividualLine(Evaluated(3, 1, 727626, 0.875, 0.43, 1.25));
  EXPECT_EQ(line, "         3      1  2:0           727,626   2.911    87.5 %     500.0   1.250\n");
  EXPECT_EQ(titles.size(), line.size());
}

TEST(ReportTest, LineOfADivergedOrRefusedOneSaysSo) {
  v1::Individual individual = Evaluated(3, 1, 1000, 0.9, 0.4, 1.0);
  individual.set_state(v1::Individual::DIVERGED);
  individual.clear_selection_accuracy();
  EXPECT_THAT(IndividualLine(individual), HasSubstr("diverged"));
  individual.set_state(v1::Individual::UNSUPPORTED);
  individual.clear_images_per_second();
  EXPECT_THAT(IndividualLine(individual), HasSubstr("refused"));
}

TEST(ReportTest, GenerationsTableShowsTheBestOfEachKindAndTheSelected) {
  v1::Individual small = Evaluated(1, 1, 250'000, 0.7, 0.9, 1.9);
  small.set_selected(true);
  v1::Individual open;
  open.mutable_name()->set_generation(2);
  const std::string table = GenerationsTable(
      {Evaluated(0, 0, 500'000, 0.9, 0.3, 1), Evaluated(1, 0, 400'000, 0.8, 0.5, 1.2), small,
       open});
  EXPECT_EQ(table,
            "generation  individuals  smallest MB  best accuracy  best ratio  selected\n"
            "         0            1        2.000         90.0 %       1.000\n"
            "         1            2        1.000         80.0 %       1.900  1\n"
            "         2            1            -              -           -\n");
}

TEST(ReportTest, SpeedsSayWhatTheyWereMeasuredOn) {
  EXPECT_EQ(SpeedsSentence({}), "");
  EXPECT_EQ(SpeedsSentence({Evaluated(0, 0, 1, 0.9, 0.3, 1), Evaluated(1, 0, 1, 0.9, 0.3, 1)}),
            "Speeds were measured on: cpu, torch, fp32, batch 1, 1 thread.\n");
}

TEST(ReportTest, StateIsASentenceWithItsReason) {
  v1::Experiment experiment = TheExperiment();
  EXPECT_EQ(StateSentence(experiment), "RUNNING, generation 2 of 5");
  experiment.set_state(v1::Experiment::WAITING_FOR_DEVICE);
  experiment.set_reason("no agent is connected");
  EXPECT_EQ(StateSentence(experiment),
            "WAITING_FOR_DEVICE, generation 2 of 5: no agent is connected");
}

TEST(ReportTest, ExperimentTextNamesWhatCounts) {
  v1::Experiment experiment = TheExperiment();
  EXPECT_THAT(ExperimentText(experiment), HasSubstr("not yet prepared"));
  EXPECT_THAT(ExperimentText(experiment), Not(HasSubstr("finished")));
  experiment.add_numerics_classes("a");
  experiment.add_numerics_classes("b");
  experiment.set_state(v1::Experiment::SUCCEEDED);
  experiment.set_population_digest("abc");
  const std::string text = ExperimentText(experiment);
  EXPECT_THAT(text, HasSubstr("demo-1234"));
  EXPECT_THAT(text, HasSubstr("finished"));
  EXPECT_THAT(text, HasSubstr("population digest  abc"));
  EXPECT_THAT(text, HasSubstr("not reproducible"));
}

TEST(ReportTest, ListHasOneRowForEachExperiment) {
  EXPECT_THAT(ExperimentsTable({TheExperiment()}), HasSubstr("demo-1234   demo  RUNNING "));
}

std::vector<std::string> Roles(const std::vector<BestNetwork>& best) {
  std::vector<std::string> roles;
  for (const BestNetwork& network : best) {
    roles.push_back(absl::StrCat(network.role, " ", network.individual.name().generation(), ":",
                                 network.individual.name().index()));
  }
  return roles;
}

TEST(BestNetworksTest, FindsTheExtremesAndTheKnee) {
  const std::vector<v1::Individual> individuals = {
      Evaluated(0, 0, 1'000'000, 0.95, 0.10, 1.0),  // Most accurate.
      Evaluated(1, 0, 500'000, 0.94, 0.12, 1.8),    // Nearly as good in everything.
      Evaluated(2, 0, 400'000, 0.70, 0.90, 2.0),    // Fastest.
      Evaluated(2, 1, 390'000, 0.60, 1.00, 1.5)};   // Smallest.
  EXPECT_THAT(Roles(FindBestNetworks(individuals)),
              ElementsAre("smallest 2:1", "fastest 2:0", "most-accurate 0:0", "knee 1:0"));
}

TEST(BestNetworksTest, TiesGoToTheEarlier) {
  EXPECT_THAT(Roles(FindBestNetworks({Evaluated(1, 0, 1000, 0.9, 0.3, 1.0),
                                      Evaluated(1, 1, 1000, 0.9, 0.3, 1.0)})),
              ElementsAre("smallest 1:0", "fastest 1:0", "most-accurate 1:0", "knee 1:0"));
}

TEST(BestNetworksTest, OnlyEvaluatedOnesCountAndSpeedMayBeMissing) {
  v1::Individual diverged = Evaluated(1, 0, 10, 0.99, 0.01, 9), open = diverged,
                 unmeasured = Evaluated(1, 1, 1000, 0.9, 0.3, 1.0);
  diverged.set_state(v1::Individual::DIVERGED);
  open.set_state(v1::Individual::TRAINING);
  unmeasured.clear_ratio_to_ancestor();
  EXPECT_THAT(Roles(FindBestNetworks({diverged, open, unmeasured})),
              ElementsAre("smallest 1:1", "most-accurate 1:1"));
  EXPECT_TRUE(FindBestNetworks({}).empty());
}

}  // namespace
}  // namespace squish
