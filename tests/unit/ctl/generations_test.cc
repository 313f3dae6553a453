#include "ctl/generations.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/ctl/individuals.h"

namespace squish {
namespace {

using ::testing::DoubleEq;
using ::testing::Optional;
using ::testing::StartsWith;

// Of four classes: a network that knows nothing has a log-loss of ln 4.
v1::Experiment TheExperiment() {
  v1::Experiment experiment;
  for (const char* name : {"cat", "dog", "cow", "owl"}) {
    experiment.mutable_dataset()->add_class_names(name);
  }
  return experiment;
}

const double kWorst = std::log(4);

TEST(GenerationsTest, BestAndMeanAreOfThoseOfWhomItIsKnown) {
  v1::Individual diverged = Evaluated(1, 2, 3'000'000, 0, 0, 3);
  diverged.set_state(v1::Individual::DIVERGED);
  diverged.clear_selection_accuracy();
  diverged.clear_selection_log_loss();
  v1::Individual unborn;
  unborn.mutable_name()->set_generation(1);
  unborn.mutable_name()->set_index(3);
  const auto generations = FiguresOfGenerations(
      TheExperiment(), {Evaluated(0, 0, 4'000'000, 0.9, 0.3, 1),
                        Evaluated(1, 0, 1'000'000, 0.6, 0.8, 1.5),
                        Evaluated(1, 1, 2'000'000, 0.8, 0.4, 1.25), diverged, unborn});
  ASSERT_EQ(generations.size(), 2u);
  const GenerationFigures& first = generations[1];
  EXPECT_EQ(first.generation, 1);
  EXPECT_EQ(first.individuals, 4);
  EXPECT_EQ(first.evaluated, 2);
  EXPECT_EQ(first.diverged, 1);
  EXPECT_THAT(first.mean_megabytes, Optional(DoubleEq(8)));  // (4 + 8 + 12) / 3
  EXPECT_THAT(first.best_accuracy, Optional(0.8));
  EXPECT_THAT(first.mean_accuracy, Optional(DoubleEq(0.7)));
  EXPECT_THAT(first.best_log_loss, Optional(0.4));
  EXPECT_THAT(first.mean_log_loss, Optional(DoubleEq(0.6)));
  EXPECT_THAT(first.best_ratio, Optional(3.0));
  EXPECT_FALSE(first.similarity.has_value());
}

TEST(GenerationsTest, WhatNobodyHasIsAbsent) {
  v1::Individual unborn;
  const auto generations = FiguresOfGenerations(TheExperiment(), {unborn});
  ASSERT_EQ(generations.size(), 1u);
  EXPECT_FALSE(generations[0].mean_megabytes.has_value());
  EXPECT_FALSE(generations[0].best_accuracy.has_value());
  EXPECT_FALSE(generations[0].mean_log_loss.has_value());
  EXPECT_FALSE(generations[0].best_ratio.has_value());
  EXPECT_FALSE(generations[0].hypervolume.has_value());
  EXPECT_TRUE(FiguresOfGenerations(TheExperiment(), {}).empty());
}

TEST(GenerationsTest, HypervolumeIsOfEverybodySoFarByHand) {
  // Generation 0 is on the border: nothing. 1:0 is at (1/2, 1/2, 1/2): an eighth. 2:0, at
  // (1/4, 1, 1/4), is no faster than generation 0: nothing more. 3:0 is at (3/4, 1/4, 1/4):
  // 1/4 · 3/4 · 3/4 = 9/64, of which 1/4 · 1/2 · 1/2 = 4/64 are in the eighth.
  const auto generations = FiguresOfGenerations(
      TheExperiment(), {Evaluated(0, 0, 1000, 0.5, kWorst / 8, 1),
                        Evaluated(1, 0, 500, 0.5, kWorst / 2, 2),
                        Evaluated(2, 0, 250, 0.5, kWorst / 4, 1),
                        Evaluated(3, 0, 250, 0.5, kWorst * 3 / 4, 4)});
  ASSERT_EQ(generations.size(), 4u);
  EXPECT_THAT(generations[0].hypervolume, Optional(0.0));
  EXPECT_THAT(generations[1].hypervolume, Optional(DoubleEq(8.0 / 64)));
  EXPECT_THAT(generations[2].hypervolume, Optional(DoubleEq(8.0 / 64)));
  EXPECT_THAT(generations[3].hypervolume, Optional(DoubleEq(13.0 / 64)));
}

TEST(GenerationsTest, OnlyTheEvaluatedFillVolume) {
  v1::Individual diverged = Evaluated(1, 0, 10, 0.9, 0.01, 9), refused = diverged;
  diverged.set_state(v1::Individual::DIVERGED);
  refused.set_state(v1::Individual::UNSUPPORTED);
  v1::Individual unmeasured = Evaluated(1, 1, 10, 0.9, 0.01, 9);
  unmeasured.clear_ratio_to_ancestor();
  v1::Individual worse = Evaluated(1, 2, 500, 0.1, 1.01 * kWorst, 2);
  const auto generations =
      FiguresOfGenerations(TheExperiment(), {Evaluated(0, 0, 1000, 0.5, 0.5, 1), diverged, refused,
                                             unmeasured, worse});
  EXPECT_THAT(generations[1].hypervolume, Optional(0.0));
}

TEST(GenerationsTest, WithoutADataSetThereIsNoVolume) {
  const auto generations = FiguresOfGenerations({}, {Evaluated(0, 0, 1000, 0.5, 0.5, 1)});
  EXPECT_FALSE(generations[0].hypervolume.has_value());
}

TEST(GenerationsTest, TableIsForPeople) {
  GenerationFigures figures;
  figures.generation = 3;
  figures.individuals = 8;
  figures.evaluated = 7;
  figures.diverged = 1;
  figures.mean_megabytes = 2.3456;
  figures.best_accuracy = 0.815;
  figures.hypervolume = 0.125;
  EXPECT_EQ(RenderGenerations(Format::kTable, {figures}),
            "generation  individuals  evaluated  diverged  mean MB  best accuracy  mean  "
            "best log-loss  mean  best ratio  hypervolume  similarity\n"
            "         3            8          7         1    2.346         81.5 %     -  "
            "            -     -           -       0.1250           -\n");
}

TEST(GenerationsTest, CsvAndJsonHaveTheSameNamesAndExactNumbers) {
  GenerationFigures figures;
  figures.generation = 1;
  figures.individuals = 2;
  figures.best_accuracy = 0.1;
  figures.similarity = 1.0 / 3;
  const std::string csv = RenderGenerations(Format::kCsv, {figures});
  EXPECT_EQ(csv,
            "generation,individuals,evaluated,diverged,mean_megabytes,best_selection_accuracy,"
            "mean_selection_accuracy,best_selection_log_loss,mean_selection_log_loss,"
            "best_ratio_to_ancestor,hypervolume,mean_similarity\n"
            "1,2,0,0,,0.1,,,,,,0.3333333333333333\n");
  const auto json = nlohmann::json::parse(RenderGenerations(Format::kJson, {figures}));
  ASSERT_EQ(json["generations"].size(), 1u);
  EXPECT_EQ(json["generations"][0].size(), 12u);
  EXPECT_EQ(json["generations"][0]["mean_similarity"], 1.0 / 3);
  EXPECT_TRUE(json["generations"][0]["hypervolume"].is_null());
  EXPECT_THAT(RenderGenerations(Format::kCsv, {}), StartsWith("generation,individuals,"));
  EXPECT_EQ(nlohmann::json::parse(RenderGenerations(Format::kJson, {}))["generations"].size(), 0u);
}

}  // namespace
}  // namespace squish
