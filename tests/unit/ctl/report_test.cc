#include "ctl/report.h"

#include "absl/strings/str_split.h"
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
  experiment.mutable_spec()->set_strategy(v1::ExperimentSpec::EVOLUTION);
  experiment.mutable_spec()->set_generations(5);
  experiment.set_generation(2);
  experiment.set_state(v1::Experiment::RUNNING);
  return experiment;
}

std::string Text(const v1::Experiment& experiment) {
  return RenderFields(Format::kTable, ExperimentFields(experiment), experiment);
}

TEST(IndividualsCsvTest, HasExactlyTheColumnsThatOthersRead) {
  EXPECT_EQ(IndividualsCsv(TheExperiment(), {}, {}),
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
      absl::StrSplit(IndividualsCsv(TheExperiment(), {individual}, {}), '\n');
  EXPECT_EQ(lines[1],
            absl::StrCat("demo-1234,EVOLUTION,7,2,3,1:0+1:4,727626,2.910504,72762600,0.875000,"
                         "0.432100,,600.000,1.500000,8000,",
                         individual.genome_digest(), ",", individual.weights_digest(),
                         ",2.500,2.250,\"cpu, torch, fp32, batch 1, 1 thread\""));
}

TEST(IndividualsCsvTest, AncestorHasNoParentsAndRatioOne) {
  const std::string csv = IndividualsCsv(TheExperiment(), {Evaluated(0, 0, 1000, 0.9, 0.3, 1.0)}, {});
  EXPECT_THAT(csv, HasSubstr("demo-1234,EVOLUTION,7,0,0,,1000,0.004000,"));
  EXPECT_THAT(csv, HasSubstr(",400.000,1.000000,"));
}

TEST(IndividualsCsvTest, WhatIsNotKnownIsEmpty) {
  v1::Individual unborn;
  unborn.mutable_name()->set_generation(1);
  unborn.set_state(v1::Individual::SYNTHESIZING);
  EXPECT_THAT(IndividualsCsv(TheExperiment(), {unborn}, {}),
              HasSubstr("demo-1234,EVOLUTION,7,1,0,,,,,,,,,,,,,,,\n"));
}

TEST(IndividualsCsvTest, ValAccuracyIsOfTheVeryWeightsThatWereEvaluated) {
  const v1::Individual individual = Evaluated(1, 0, 1000, 0.9, 0.3, 1.0);
  v1::Champion champion;
  champion.set_weights_digest(individual.weights_digest());
  champion.mutable_evaluation()->set_accuracy(0.75);
  EXPECT_THAT(IndividualsCsv(TheExperiment(), {individual}, {champion}),
              HasSubstr(",0.300000,0.750000,"));
  champion.set_weights_digest("trained further");
  EXPECT_THAT(IndividualsCsv(TheExperiment(), {individual}, {champion}),
              HasSubstr(",0.300000,,"));
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
  experiment.set_finishing(true);
  experiment.set_generation(5);
  EXPECT_THAT(StateSentence(experiment), HasSubstr("generation 5 of 5, finishing champions: "));
}

TEST(ReportTest, StateSaysThatFewerGenerationsWereBredThanPlanned) {
  v1::Experiment experiment = TheExperiment();
  experiment.set_finishing(true);
  EXPECT_EQ(StateSentence(experiment),
            "RUNNING, generation 2 of 5, stopped early, finishing champions");
  experiment.set_finishing(false);
  experiment.set_state(v1::Experiment::SUCCEEDED);
  EXPECT_EQ(StateSentence(experiment), "SUCCEEDED, generation 2 of 5, stopped early");
  experiment.set_state(v1::Experiment::CANCELLED);
  EXPECT_EQ(StateSentence(experiment), "CANCELLED, generation 2 of 5") << "its owner's decision";
}

TEST(ReportTest, ExperimentTextNamesWhatCounts) {
  v1::Experiment experiment = TheExperiment();
  EXPECT_THAT(Text(experiment), HasSubstr("not yet prepared"));
  EXPECT_THAT(Text(experiment), Not(HasSubstr("finished")));
  experiment.add_numerics_classes("a");
  experiment.add_numerics_classes("b");
  experiment.set_state(v1::Experiment::SUCCEEDED);
  experiment.set_population_digest("abc");
  const std::string text = Text(experiment);
  EXPECT_THAT(text, HasSubstr("demo-1234"));
  EXPECT_THAT(text, HasSubstr("finished"));
  EXPECT_THAT(text, HasSubstr("population digest  abc"));
  EXPECT_THAT(text, HasSubstr("not reproducible"));
}

TEST(ReportTest, ListHasOneRowForEachExperiment) {
  v1::ListExperimentsResponse experiments;
  *experiments.add_experiments() = TheExperiment();
  const Sheet sheet = ExperimentsSheet(experiments);
  EXPECT_THAT(FormatTable(sheet.columns, sheet.rows), HasSubstr("demo-1234   demo  RUNNING "));
}

TEST(ReportTest, ExperimentSaysWhatWasLeftOutAndWhereItBranchedOff) {
  v1::Experiment experiment = TheExperiment();
  experiment.mutable_dataset()->set_unreadable_images(3);
  experiment.mutable_dataset()->add_unreadable("train/cat/7.jpg: is cut short");
  v1::BranchPoint& branch = *experiment.mutable_spec()->mutable_ancestor()->mutable_branch();
  branch.set_experiment("old-1");
  branch.mutable_individual()->set_generation(4);
  EXPECT_THAT(Text(experiment), HasSubstr("3 pictures that could not be read"));
  EXPECT_THAT(Text(experiment), HasSubstr("train/cat/7.jpg: is cut short"));
  EXPECT_THAT(Text(experiment), HasSubstr("old-1, individual 4:0"));
}

TEST(ReportTest, IndividualIsShownWithHowItWasBorn) {
  v1::Individual individual = Evaluated(1, 0, 1000, 0.9, 0.3, 1.0);
  v1::LayerSurvival& layer = *individual.mutable_birth()->add_survival();
  layer.set_layer("features.3.squeeze");
  layer.set_before(16);
  layer.set_after(14);
  individual.mutable_birth()->set_kappa(0.93);
  v1::LayerTime& time = *individual.add_profile();
  time.set_layer("head");
  time.set_milliseconds(0.25);
  individual.set_images_per_joule(21.5);
  const std::string text =
      RenderFields(Format::kTable, IndividualFields(individual), individual);
  EXPECT_THAT(text, HasSubstr("parents            0:0"));
  EXPECT_THAT(text, HasSubstr("images/joule       21.50"));
  EXPECT_THAT(text, HasSubstr("kappa              0.93"));
  EXPECT_THAT(text, HasSubstr("features.3.squeeze 14 of 16 filters"));
  EXPECT_THAT(text, HasSubstr("time of head       0.2500 ms"));
}

TEST(ReportTest, RunnersAreShownWithWhatTheyOfferAndDo) {
  v1::ListRunnersResponse runners;
  v1::RunnerStatus& worker = *runners.add_runners();
  worker.mutable_info()->set_kind(v1::RunnerInfo::WORKER);
  worker.mutable_info()->set_id("worker-1");
  worker.mutable_info()->set_cuda(true);
  v1::DatasetReport& report = *worker.add_datasets();
  report.mutable_spec()->set_name("pets");
  report.set_state(v1::DatasetReport::READY);
  v1::WorkInHand& work = *worker.add_work();
  work.set_experiment("demo-1");
  work.mutable_key()->set_kind(v1::JobKey::TRAIN);
  work.mutable_key()->set_generation(3);
  work.set_fraction(0.5);
  runners.add_runners()->mutable_info()->set_device_class("tx1");
  const Sheet sheet = RunnersSheet(runners);
  const std::string table = FormatTable(sheet.columns, sheet.rows);
  EXPECT_THAT(table, HasSubstr("CUDA; pets READY"));
  EXPECT_THAT(table, HasSubstr("TRAIN 3:0 of demo-1, 50 %"));
  EXPECT_THAT(table, HasSubstr("waits"));
}

TEST(ReportTest, EstimateSaysWhatIsUnknown) {
  v1::EstimateResponse estimate;
  estimate.set_train_jobs(121);
  Sheet sheet = EstimateSheet(estimate);
  EXPECT_THAT(FormatCsv(sheet), HasSubstr("TRAIN,121,jobs\n"));
  EXPECT_THAT(FormatCsv(sheet), HasSubstr("time on this fleet,unknown,hours\n"));
  estimate.set_hours(1.5);
  estimate.set_images(1'000'000);
  sheet = EstimateSheet(estimate);
  EXPECT_THAT(FormatCsv(sheet), HasSubstr("time on this fleet,1.50,hours\n"));
  EXPECT_THAT(FormatCsv(sheet), HasSubstr("trained with,\"1,000,000\",images\n"));
}

}  // namespace
}  // namespace squish
