#include "common/spec/experiment_spec.h"

#include <filesystem>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/file.h"
#include "common/genome/ancestors.h"
#include "common/spec/older.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "tests/support/checkout.h"

namespace squish {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr char kMinimal[] = R"(name: "tiny"
dataset {
  name: "shapes"
  input_size: 32
  built_in { seed: 1 train_images: 1000 val_images: 200 }
}
ancestor { squeezenet_v1_1 { } }
)";

// The message of the error that `text` gives.
std::string ErrorOf(const std::string& text) {
  const auto spec = ParseExperimentSpec(text, "a.txtpb");
  if (spec.ok()) return "OK";
  EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(spec.status().message());
}

TEST(ExperimentSpecTest, DefaultsAreThoseOfTheDocumentation) {
  const auto spec = ParseExperimentSpec(kMinimal, "a.txtpb");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->seed(), 1u);
  EXPECT_EQ(spec->generations(), 15);
  EXPECT_EQ(spec->offspring(), 8);
  EXPECT_EQ(spec->parents(), 2);
  EXPECT_EQ(spec->dataset().resize(), v1::SQUASH);
  EXPECT_EQ(spec->environment().resource_factor(), 0.928);
  EXPECT_EQ(spec->environment().calibration(), v1::EnvironmentSpec::BUDGET);
  EXPECT_EQ(spec->strategy(), v1::ExperimentSpec::EVOLUTION);
  EXPECT_EQ(spec->synthesis().selectivity(), 0.1);
  EXPECT_EQ(spec->synthesis().strength(), v1::SynthesisSpec::TAYLOR);
  EXPECT_EQ(spec->synthesis().ranking(), v1::SynthesisSpec::GLOBAL);
  EXPECT_EQ(spec->synthesis().mates(), 1);
  EXPECT_FALSE(spec->synthesis().has_tagging());
  EXPECT_EQ(spec->training().offspring().batch(), 64);
  EXPECT_TRUE(spec->training().ancestor().flip());
  EXPECT_EQ(spec->measurement().input_size(), 32);
  EXPECT_EQ(spec->selection().method(), v1::SelectionSpec::COMMA);
  EXPECT_TRUE(spec->selection().has_stop_after());
  EXPECT_EQ(spec->selection().stop_after(), 0);
  EXPECT_EQ(spec->retry().lost_runners(), 8);
}

TEST(ExperimentSpecTest, DefaultsFollowTheStrategy) {
  const auto complete = [](const std::string& more) {
    return *ParseExperimentSpec(absl::StrCat(kMinimal, more), "a");
  };
  for (const char* strategy : {"L1_PRUNE", "TAYLOR_PRUNE", "UNIFORM_WIDTH_FROM_SCRATCH"}) {
    const auto spec = complete(absl::StrCat("strategy: ", strategy));
    EXPECT_EQ(spec.offspring(), 1) << strategy;
    EXPECT_EQ(spec.parents(), 1) << strategy;
  }
  EXPECT_EQ(complete("strategy: L1_PRUNE").synthesis().strength(), v1::SynthesisSpec::L1);
  EXPECT_EQ(complete("strategy: L1_PRUNE").synthesis().ranking(), v1::SynthesisSpec::LAYER);
  EXPECT_EQ(complete("strategy: TAYLOR_PRUNE").synthesis().strength(), v1::SynthesisSpec::TAYLOR);
  // Nobody asks for strengths that pictures are needed for.
  EXPECT_EQ(complete("strategy: RANDOM").synthesis().strength(), v1::SynthesisSpec::L1);
  const auto netadapt = complete("strategy: NETADAPT");
  EXPECT_EQ(netadapt.synthesis().strength(), v1::SynthesisSpec::L2);
  EXPECT_EQ(netadapt.synthesis().ranking(), v1::SynthesisSpec::LAYER);
  EXPECT_EQ(netadapt.offspring(), 8);
  EXPECT_EQ(netadapt.parents(), 1);
  EXPECT_EQ(complete("").synthesis().multipliers().exponent(), 0.5);
  EXPECT_EQ(complete("").synthesis().multipliers().share(), v1::EnvironmentSpec::PARAMETERS);
  EXPECT_FALSE(complete("synthesis { ranking: LAYER }").synthesis().has_multipliers());
  EXPECT_FALSE(complete("strategy: TAYLOR_PRUNE").synthesis().has_multipliers());
  EXPECT_FALSE(complete("").measurement().profile());
  EXPECT_TRUE(complete("environment { resource: TIME }").measurement().profile());
  EXPECT_TRUE(
      complete("synthesis { multipliers { share: TIME } }").measurement().profile());
  EXPECT_EQ(complete("synthesis { mates: 2 }").synthesis().tagging(), 0.5);
}

// What a coordinator does with an experiment that an earlier version began.
TEST(ExperimentSpecTest, AnOlderSpecDoesNotComeToCompareFiltersByCost) {
  v1::ExperimentSpec older = *ParseExperimentSpec(kMinimal, "a");
  older.mutable_synthesis()->clear_multipliers();
  CompleteOlder(older);
  const auto completed = CompleteExperimentSpec(older);
  ASSERT_TRUE(completed.ok()) << completed.status();
  EXPECT_EQ(completed->synthesis().multipliers().exponent(), 0);
  older = *ParseExperimentSpec(absl::StrCat(kMinimal, "synthesis { ranking: LAYER }"), "a");
  CompleteOlder(older);
  EXPECT_FALSE(older.synthesis().has_multipliers());
}

TEST(ExperimentSpecTest, AnOlderSpecGoesOnMeaningWhatItMeant) {
  v1::ExperimentSpec older = *ParseExperimentSpec(kMinimal, "a");
  older.clear_strategy();
  older.clear_selection();
  older.clear_only_report_sizes();
  older.clear_maximum_images();
  older.mutable_environment()->clear_final_resource_factor();
  v1::SynthesisSpec& synthesis = *older.mutable_synthesis();
  synthesis.set_selectivity(1);
  synthesis.clear_strength();
  synthesis.clear_ranking();
  synthesis.clear_strength_images();
  synthesis.clear_mates();
  CompleteOlder(older);
  EXPECT_EQ(older.strategy(), v1::ExperimentSpec::EVOLUTION);
  EXPECT_EQ(synthesis.strength(), v1::SynthesisSpec::L1);
  EXPECT_EQ(synthesis.ranking(), v1::SynthesisSpec::LAYER);
  EXPECT_EQ(synthesis.mates(), 1);
  EXPECT_EQ(synthesis.selectivity(), 1);
  const auto complete = CompleteExperimentSpec(older);
  ASSERT_TRUE(complete.ok()) << complete.status();
  EXPECT_EQ(complete->SerializeAsString(), older.SerializeAsString()) << "nothing is left to fill";
}

TEST(ExperimentSpecTest, SelectionIsAnyOfItsMethods) {
  for (const char* method : {"COMMA", "PLUS", "NSGA_II"}) {
    EXPECT_EQ(ErrorOf(absl::StrCat(kMinimal, "selection { method: ", method,
                                   " stop_after: 1000 }")),
              "OK");
  }
}

TEST(ExperimentSpecTest, WhatWasSaidIsKept) {
  const auto spec = ParseExperimentSpec(
      absl::StrCat(kMinimal, "seed: 0 generations: 0 training { offspring { flip: false } }"), "a");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->seed(), 0u);
  EXPECT_EQ(spec->generations(), 0);
  EXPECT_FALSE(spec->training().offspring().flip());
}

// kMinimal with another ancestor and more.
std::string WithAncestor(const std::string& ancestor, const std::string& more = "") {
  return absl::StrCat(
      absl::StrReplaceAll(kMinimal, {{"ancestor { squeezenet_v1_1 { } }", ancestor}}), more);
}

TEST(ExperimentSpecTest, ImportedWeightsAreNormalisedAsImageNetsUnlessSaidOtherwise) {
  const auto usual = ParseExperimentSpec(
      WithAncestor("ancestor { imported { file: \"weights.safetensors\" } }"), "a");
  ASSERT_TRUE(usual.ok()) << usual.status();
  EXPECT_THAT(usual->ancestor().imported().mean(), testing::ElementsAre(0.485f, 0.456f, 0.406f));
  EXPECT_THAT(usual->ancestor().imported().std(), testing::ElementsAre(0.229f, 0.224f, 0.225f));
  const auto own = ParseExperimentSpec(
      WithAncestor("ancestor { imported { file: \"w\" mean: [0, 0, 0] std: [1, 1, 1] } }"), "a");
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_THAT(own->ancestor().imported().mean(), testing::ElementsAre(0, 0, 0));
}

TEST(ExperimentSpecTest, ImportedWeightsThatCannotBeAreRefused) {
  const auto error = [](const std::string& imported) {
    return ErrorOf(WithAncestor(absl::StrCat("ancestor { imported { ", imported, " } }")));
  };
  EXPECT_THAT(error(""), HasSubstr("names no weights"));
  EXPECT_THAT(error("digest: \"abc\""), HasSubstr("ancestor.imported.digest"));
  EXPECT_THAT(error("file: \"w\" mean: [0, 0]"), HasSubstr("ancestor.imported.mean"));
  EXPECT_THAT(error("file: \"w\" mean: [0, 0, 0]"), HasSubstr("ancestor.imported.std"));
  EXPECT_THAT(error("file: \"w\" mean: [0, 0, 0] std: [1, 0, 1]"), HasSubstr("above 0"));
  EXPECT_THAT(error("file: \"w\" mean: [0, nan, 0] std: [1, 1, 1]"), HasSubstr("mean"));
}

TEST(ExperimentSpecTest, ABranchIsNotTrainedAgainUnlessSaid) {
  const std::string branch =
      "ancestor { branch { experiment: \"old-1234\" individual { generation: 3 index: 1 } } }";
  const auto spec = ParseExperimentSpec(WithAncestor(branch), "a");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->training().ancestor().epochs(), 0);
  const auto trained =
      ParseExperimentSpec(WithAncestor(branch, "training { ancestor { epochs: 3 } }"), "a");
  ASSERT_TRUE(trained.ok());
  EXPECT_EQ(trained->training().ancestor().epochs(), 3);
  EXPECT_THAT(ErrorOf(WithAncestor("ancestor { branch { individual { } } }")),
              HasSubstr("ancestor.branch.experiment"));
  EXPECT_EQ(ErrorOf(WithAncestor("ancestor { branch { experiment: \"a\" } }")), "OK")
      << "the best that was selected last";
  EXPECT_THAT(ErrorOf(WithAncestor(
                  "ancestor { branch { experiment: \"a\" individual { generation: -1 } } }")),
              HasSubstr("generation"));
}

TEST(ExperimentSpecTest, TheFinalRecipeIsOptionalAndItsTeacherTheAncestor) {
  const auto without = ParseExperimentSpec(kMinimal, "a");
  ASSERT_TRUE(without.ok());
  EXPECT_FALSE(without->training().has_final());
  const auto with = ParseExperimentSpec(absl::StrCat(kMinimal, "training { final { } }"), "a");
  ASSERT_TRUE(with.ok());
  EXPECT_EQ(with->training().final().batch(), 64);
  EXPECT_THAT(ErrorOf(absl::StrCat(
                  kMinimal, "training { final { distillation { teacher: PARENT } } }")),
              HasSubstr("training.final.distillation.teacher"));
  EXPECT_EQ(ErrorOf(absl::StrCat(
                kMinimal, "training { final { distillation { teacher: ANCESTOR } } }")),
            "OK");
}

TEST(ExperimentSpecTest, ReportedSizesAndExportedBatchesAreChecked) {
  const auto spec = ParseExperimentSpec(absl::StrCat(kMinimal, "report_megabytes: [0.95, 0.5]"), "a");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_THAT(spec->exports().batches(), testing::ElementsAre(1));
  EXPECT_THAT(ErrorOf(absl::StrCat(kMinimal, "report_megabytes: [1, 0]")),
              HasSubstr("report_megabytes[1]"));
  EXPECT_THAT(ErrorOf(absl::StrCat(kMinimal, "report_megabytes: [inf]")),
              HasSubstr("report_megabytes[0]"));
  EXPECT_THAT(ErrorOf(absl::StrCat(kMinimal, "exports { batches: [1, 0] }")),
              HasSubstr("exports.batches[1]"));
  EXPECT_THAT(ErrorOf(absl::StrCat(kMinimal, "exports { batches: [1, 4, 1] }")),
              HasSubstr("is there twice"));
  std::string many = "exports { batches: [1";
  for (int i = 2; i < 10; ++i) absl::StrAppend(&many, ", ", i);
  EXPECT_THAT(ErrorOf(absl::StrCat(kMinimal, many, "] }")), HasSubstr("more than 8"));
}

TEST(ExperimentSpecTest, CompletingTwiceChangesNothing) {
  const auto once = ParseExperimentSpec(kMinimal, "a");
  ASSERT_TRUE(once.ok());
  const auto twice = CompleteExperimentSpec(*once);
  ASSERT_TRUE(twice.ok());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(*once, *twice));
}

TEST(ExperimentSpecTest, TypoNamesLineAndColumn) {
  const std::string error = ErrorOf("name: \"a\"\ngenerrations: 3\n");
  EXPECT_THAT(error, StartsWith("a.txtpb:2:"));
  EXPECT_THAT(error, HasSubstr("generrations"));
}

TEST(ExperimentSpecTest, SyntaxErrorNamesLineAndColumn) {
  EXPECT_THAT(ErrorOf("name: \"a\"\ndataset {\n  name: 3\n}\n"), StartsWith("a.txtpb:3:9:"));
  EXPECT_THAT(ErrorOf("name: \"a"), StartsWith("a.txtpb:1:"));
}

TEST(ExperimentSpecTest, MissingPartsAreNamed) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("name: must be 1 to 64"));
  EXPECT_THAT(ErrorOf("name: \"a\""), HasSubstr("dataset: is missing"));
  EXPECT_THAT(ErrorOf("name: \"a\" dataset { name: \"x\" input_size: 32 }"),
              HasSubstr("dataset: has no source"));
  EXPECT_THAT(ErrorOf(absl::StrReplaceAll(kMinimal, {{"ancestor { squeezenet_v1_1 { } }", ""}})),
              HasSubstr("ancestor: is missing"));
}

TEST(ExperimentSpecTest, ImpossibleValueIsLocatedAndNamed) {
  // The value stands on line 8 (after the minimal spec's seven).
  const std::string error =
      ErrorOf(absl::StrCat(kMinimal, "environment { resource_factor: 1.5 }\n"));
  EXPECT_EQ(error,
            "a.txtpb:8:15: environment.resource_factor: is 1.5; it must be above 0 and at most 1");
}

TEST(ExperimentSpecTest, ProblemInARepeatedFieldIsLocated) {
  const std::string error = ErrorOf(
      absl::StrCat(kMinimal, "environment {\n  constraints { max_megabytes: 1 }\n  constraints { }\n}\n"));
  EXPECT_THAT(error, StartsWith("a.txtpb:10:3: environment.constraints[1]: demands nothing"));
}

TEST(ExperimentSpecTest, EveryImpossibleValueIsRefused) {
  const std::pair<const char*, const char*> cases[] = {
      {"generations: -1", "generations"},
      {"offspring: 0", "offspring"},
      {"parents: 0", "parents"},
      {"offspring: 2 parents: 3", "parents: is more than offspring"},
      {"environment { resource_factor: 0 }", "environment.resource_factor"},
      {"environment { resource_factor: nan }", "environment.resource_factor"},
      {"environment { constraints { max_megabytes: -1 } }", "environment.constraints[0].max_megabytes"},
      {"environment { constraints { min_accuracy: 2 } }", "min_accuracy"},
      {"environment { constraints { min_images_per_second: 9 } } measurement { fitness: ESTIMATED }",
       "environment.constraints[0]: asks for images/s"},
      {"environment { final_resource_factor: 0 }", "environment.final_resource_factor"},
      {"environment { final_resource_factor: 1.5 }", "environment.final_resource_factor"},
      {"environment { closed_loop { } }", "environment.closed_loop: has no target"},
      {"environment { closed_loop { ratio_to_ancestor: 1 } }", "ratio_to_ancestor: is 1"},
      {"environment { closed_loop { ratio_to_ancestor: nan } }", "ratio_to_ancestor"},
      {"environment { closed_loop { megabytes: -1 } }", "environment.closed_loop.megabytes"},
      {"environment { closed_loop { megabytes: 0.001 } }", "raise the target"},
      {"environment { closed_loop { megabytes: 1 } resource: MACS }", "set resource: PARAMETERS"},
      {"environment { closed_loop { megabytes: 1 } calibration: LITERAL }", "use BUDGET"},
      {"environment { closed_loop { megabytes: 1 least_resource_factor: 0 } }",
       "least_resource_factor"},
      {"synthesis { selectivity: 0 }", "synthesis.selectivity"},
      {"synthesis { selectivity: inf }", "synthesis.selectivity"},
      {"synthesis { truncation: -1 }", "synthesis.truncation"},
      {"synthesis { minimum_filters: 0 }", "synthesis.minimum_filters"},
      {"synthesis { filter_multiple: 65 }", "synthesis.filter_multiple"},
      {"training { halving { epochs: 0 } }", "training.halving[0].epochs"},
      {"training { halving { keep: 9 } }", "training.halving[0].keep"},
      {"training { halving { keep: 1 } }", "fewer than parents (2)"},
      {"training { halving { keep: 3 } halving { keep: 4 } }", "more than the 3"},
      {"strategy: L1_PRUNE training { halving { keep: 1 } }", "training.halving"},
      {"training { cancel_infeasible: true }", "training.cancel_infeasible: goes by constraints"},
      {"training { cancel_infeasible: true } environment { constraints { min_accuracy: 0.5 } }",
       "training.cancel_infeasible: goes by constraints"},
      {"synthesis { draw: FIRST_MOST_PROBABLE strength: L1 ranking: LAYER }", "synthesis.draw"},
      {"synthesis { draw: MOST_PROBABLE }", "synthesis.draw: makes offspring"},
      {"only_report_sizes: true", "only_report_sizes"},
      {"maximum_images: -1", "maximum_images"},
      {"strategy: STRATEGY_UNSPECIFIED", "strategy"},
      {"strategy: L1_PRUNE offspring: 2", "offspring"},
      {"strategy: TAYLOR_PRUNE offspring: 2 parents: 2", "offspring"},
      {"strategy: L1_PRUNE synthesis { strength: TAYLOR }", "synthesis.strength"},
      {"strategy: L1_PRUNE synthesis { ranking: GLOBAL }", "synthesis.ranking"},
      {"strategy: TAYLOR_PRUNE synthesis { strength: L2 }", "synthesis.strength"},
      {"strategy: TAYLOR_PRUNE synthesis { ranking: LAYER }", "synthesis.ranking"},
      {"strategy: L1_PRUNE synthesis { filter_multiple: 4 }", "synthesis.filter_multiple"},
      {"strategy: L1_PRUNE environment { calibration: LITERAL }", "environment.calibration"},
      {"strategy: UNIFORM_WIDTH_FROM_SCRATCH training { offspring { distillation { teacher: PARENT } } }",
       "training.offspring.distillation.teacher"},
      {"strategy: NETADAPT parents: 2", "parents: must be 1 for strategy NETADAPT"},
      {"strategy: NETADAPT synthesis { ranking: GLOBAL }", "synthesis.ranking"},
      {"strategy: NETADAPT synthesis { filter_multiple: 4 }", "synthesis.filter_multiple"},
      {"strategy: NETADAPT environment { calibration: LITERAL }", "environment.calibration"},
      {"strategy: NETADAPT synthesis { multipliers { } }", "synthesis.multipliers"},
      {"strategy: L1_PRUNE synthesis { multipliers { } }", "synthesis.multipliers"},
      {"strategy: RANDOM synthesis { multipliers { } }", "synthesis.multipliers"},
      {"synthesis { multipliers { exponent: -1 } }", "synthesis.multipliers.exponent"},
      {"synthesis { multipliers { exponent: nan } }", "synthesis.multipliers.exponent"},
      {"synthesis { multipliers { share: RESOURCE_UNSPECIFIED } }", "synthesis.multipliers.share"},
      {"environment { resource: RESOURCE_UNSPECIFIED }", "environment.resource"},
      {"environment { resource: TIME } measurement { fitness: ESTIMATED }",
       "measurement.fitness: must be MEASURED"},
      {"synthesis { multipliers { share: TIME } } measurement { fitness: ESTIMATED }",
       "measurement.fitness: must be MEASURED"},
      {"environment { resource: TIME } measurement { profile: false }",
       "measurement.profile: must be true"},
      {"measurement { profile: true fitness: ESTIMATED }", "measurement.profile: asks how long"},
      {"strategy: UNIFORM_WIDTH_FROM_SCRATCH environment { resource: TIME }",
       "environment.resource: must be PARAMETERS or MACS"},
      {"synthesis { mates_from: ARCHIVE }", "synthesis.mates_from: says where"},
      {"synthesis { mates: 2 mates_from: POOL_UNSPECIFIED }", "synthesis.mates_from: must be"},
      {"weight: 0", "weight"},
      {"weight: nan", "weight"},
      {"retention { generations: 0 }", "retention.generations"},
      {"synthesis { multipliers { spread: -1 } }", "synthesis.multipliers.spread"},
      {"synthesis { draw: DRAW_UNSPECIFIED }", "synthesis.draw: must be"},
      {"synthesis { draw: MOST_PROBABLE } strategy: RANDOM", "synthesis.draw: is of strategy"},
      {"synthesis { draw: MOST_PROBABLE } environment { calibration: LITERAL }",
       "environment.calibration: must be BUDGET with"},
      {"synthesis { draw: MOST_PROBABLE filter_multiple: 2 }",
       "synthesis.filter_multiple: must be 1 with"},
      {"synthesis { synapses { keep: 0 } }", "synthesis.synapses.keep"},
      {"synthesis { synapses { keep: 1.1 } }", "synthesis.synapses.keep"},
      {"synthesis { synapses { } inheritance: REINITIALIZE }", "set inheritance: INHERIT"},
      {"measurement { beside { } fitness: ESTIMATED }", "measurement.beside: asks for"},
      {"measurement { beside { batch: 0 } }", "measurement.beside[0].batch"},
      {"measurement { beside { device_class: \"my board\" } }",
       "measurement.beside[0].device_class"},
      {"environment { constraints { min_ratio_to_ancestor: 2 beside: 1 } }",
       "environment.constraints[0].beside: is 1, and measurement.beside has 0 entries"},
      {"environment { constraints { min_ratio_to_ancestor: 2 beside: -1 } }",
       "environment.constraints[0].beside: is -1"},
      {"environment { constraints { max_megabytes: 2 beside: 1 } } measurement { beside { } }",
       "the demand is about none"},
      {"environment { constraints { min_ratio_to_ancestor: 2 beside: 1 } } "
       "measurement { beside { champions: true } }",
       "champions alone"},
      {"synthesis { strength: STRENGTH_UNSPECIFIED }", "synthesis.strength"},
      {"synthesis { ranking: RANKING_UNSPECIFIED }", "synthesis.ranking"},
      {"synthesis { strength_images: 0 }", "synthesis.strength_images"},
      {"synthesis { mates: 0 }", "synthesis.mates"},
      {"synthesis { mates: 17 }", "synthesis.mates"},
      {"parents: 2 synthesis { mates: 3 }", "synthesis.mates: is 3, more than parents (2)"},
      {"synthesis { tagging: 0.5 }", "synthesis.tagging"},
      {"synthesis { mates: 2 tagging: 0 }", "synthesis.tagging"},
      {"synthesis { mates: 2 tagging: 1.1 }", "synthesis.tagging"},
      {"synthesis { mates: 2 tagging: nan }", "synthesis.tagging"},
      {"synthesis { mates: 2 shares: 1 }", "synthesis.shares"},
      {"synthesis { mates: 2 shares: 1 shares: 0 }", "synthesis.shares[1]"},
      {"training { offspring { epochs: -1 } }", "training.offspring.epochs"},
      {"training { offspring { batch: 0 } }", "training.offspring.batch"},
      {"training { ancestor { learning_rate: nan } }", "training.ancestor.learning_rate"},
      {"training { ancestor { momentum: 1 } }", "training.ancestor.momentum"},
      {"training { ancestor { epochs: 1 warmup_epochs: 2 } }", "training.ancestor.warmup_epochs"},
      {"training { ancestor { distillation { teacher: PARENT } } }", "training.ancestor.distillation"},
      {"training { offspring { distillation { } } }", "training.offspring.distillation.teacher"},
      {"training { offspring { distillation { teacher: PARENT temperature: 0 } } }", "temperature"},
      {"training { offspring { shift: 32 } }", "shift"},
      {"training { offspring { crop_area: 0.04 } }", "training.offspring.crop_area"},
      {"training { ancestor { crop_area: 1.01 } }", "training.ancestor.crop_area"},
      {"training { ancestor { colour: 1.1 } }", "training.ancestor.colour"},
      {"training { offspring { precision: PRECISION_UNSPECIFIED } }",
       "training.offspring.precision: must be FP32 or BF16"},
      {"training { ancestor { dropout: 1 } }", "training.ancestor.dropout"},
      {"training { offspring { dropout: -0.1 } }", "training.offspring.dropout"},
      {"training { threads: 0 }", "training.threads"},
      {"measurement { batch: 0 }", "measurement.batch"},
      {"measurement { minimum_blocks: 1 }", "measurement.minimum_blocks"},
      {"measurement { time_limit_seconds: 0 }", "measurement.time_limit_seconds"},
      {"measurement { minimum_seconds: 20 warmup_seconds: 15 }",
       "measurement.time_limit_seconds: is 60, but"},
      {"measurement { device_class: \"my board\" }", "measurement.device_class"},
      {"training { ancestor { learning_rate: 0 } }", "training.ancestor.learning_rate"},
      {"training { offspring { final_learning_rate: 0.1 } }",
       "training.offspring.final_learning_rate: is 0.1, more than learning_rate"},
      {"training { offspring { epochs: 0.1 } }",
       "training.offspring.warmup_epochs: is 0.2, more than epochs (0.1)"},
      {"selection { method: METHOD_UNSPECIFIED }",
       "selection.method: must be COMMA, PLUS or NSGA_II"},
      {"selection { stop_after: -1 }", "selection.stop_after"},
      {"selection { stop_after: 1001 }", "selection.stop_after"},
      {"retry { failures: 0 }", "retry.failures"},
  };
  for (const auto& [line, expected] : cases) {
    EXPECT_THAT(ErrorOf(absl::StrCat(kMinimal, line, "\n")), HasSubstr(expected)) << line;
  }
}

TEST(ExperimentSpecTest, FieldSaidTwiceIsRefusedWithItsPlace) {
  EXPECT_THAT(ErrorOf(absl::StrCat(kMinimal, "seed: 1\nseed: 2\n")), StartsWith("a.txtpb:9:"));
}

TEST(ExperimentSpecTest, MissingFieldIsLocatedAtWhatLacksIt) {
  EXPECT_THAT(
      ErrorOf(absl::StrCat(kMinimal, "training {\n  offspring {\n    distillation { }\n  }\n}\n")),
      StartsWith("a.txtpb:10:5: training.offspring.distillation.teacher: must be"));
}

TEST(ExperimentSpecTest, PicturesTooSmallForTheAncestorAreRefused) {
  EXPECT_THAT(ErrorOf(absl::StrReplaceAll(kMinimal, {{"input_size: 32", "input_size: 8"}})),
              HasSubstr("dataset.input_size: is 8, too small for the ancestor"));
  EXPECT_THAT(ErrorOf(absl::StrCat(kMinimal, "measurement { input_size: 8 }")),
              StartsWith("a.txtpb:8:15: measurement.input_size: is 8, too small"));
}

TEST(ExperimentSpecTest, NetworkDigestMustBeOne) {
  EXPECT_THAT(ErrorOf(absl::StrReplaceAll(
                  kMinimal, {{"squeezenet_v1_1 { }", "network_digest: \"ABC\""}})),
              HasSubstr("ancestor.network_digest: must be the SHA-256"));
}

TEST(ExperimentSpecTest, UnreachableSizePathNamesTheGeneration) {
  const std::string error =
      ErrorOf(absl::StrCat(kMinimal, "environment { resource_factor: 0.5 }"));
  EXPECT_THAT(error, HasSubstr("generation 9 should have 1421 parameters"));
  EXPECT_THAT(ErrorOf(absl::StrCat(kMinimal, "environment { resource_factor: 0.5 resource: MACS }")),
              HasSubstr("MACs"));
  // The papers' calibration has no path.
  EXPECT_EQ(ErrorOf(absl::StrCat(kMinimal, "environment { resource_factor: 0.5 calibration: LITERAL }")),
            "OK");
}

TEST(ExperimentSpecTest, PathOfTheDefaultsLeadsToTheDesignsSize) {
  const auto spec = ParseExperimentSpec(kMinimal, "a");
  ASSERT_TRUE(spec.ok());
  EXPECT_NEAR(4e-6 * TargetBudget(*spec, 727'626, 15), 0.95, 0.005);
  EXPECT_EQ(TargetBudget(*spec, 727'626, 0), 727'626);
  const auto steeper =
      ParseExperimentSpec(absl::StrCat(kMinimal, "environment { resource_factor: 0.889 }"), "a");
  ASSERT_TRUE(steeper.ok());
  EXPECT_NEAR(4e-6 * TargetBudget(*steeper, 727'626, 15), 0.5, 0.005);
  const auto genome = SqueezeNetV11(10);
  ASSERT_TRUE(genome.ok());
  EXPECT_TRUE(CheckReach(*spec, *genome).ok());
}

TEST(ExperimentSpecTest, NoGenomeMeetsTheTarget) {
  const auto error_of = [](absl::string_view more) { return ErrorOf(absl::StrCat(kMinimal, more)); };
  EXPECT_THAT(error_of("report_megabytes: [0.5, 0.001]"),
              HasSubstr("report_megabytes[1]: asks for 0.001 MB, but with minimum_filters 4 a "
                        "network has at least 0.0"));
  EXPECT_THAT(error_of("environment { constraints { max_megabytes: 0.0001 } }"),
              HasSubstr("environment.constraints[0].max_megabytes: asks for 0.0001 MB"));
  EXPECT_EQ(error_of("environment { constraints { max_megabytes: 0.05 } }"), "OK");
  EXPECT_THAT(error_of("environment { constraints { max_megabytes: 0.05 } } "
                       "synthesis { minimum_filters: 32 }"),
              HasSubstr("lower synthesis.minimum_filters"));
  const std::string fast = "measurement { fitness: ESTIMATED } environment { ";
  EXPECT_THAT(error_of(fast + "closed_loop { ratio_to_ancestor: 1000 } }"),
              HasSubstr("environment.closed_loop.ratio_to_ancestor: asks for 1000 times"));
  EXPECT_THAT(error_of(fast + "constraints { min_ratio_to_ancestor: 1000 } }"),
              HasSubstr("environment.constraints[0].min_ratio_to_ancestor: asks for 1000 times"));
  EXPECT_EQ(error_of(fast + "closed_loop { ratio_to_ancestor: 3 } }"), "OK");
  EXPECT_EQ(error_of("environment { closed_loop { ratio_to_ancestor: 1000 } }"), "OK")
      << "what a board makes of it is not known";
}

TEST(ExperimentSpecTest, EveryExampleIsSound) {
  const std::filesystem::path folder = SourcePath("examples");
  int examples = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".txtpb") continue;
    const auto text = ReadFile(entry.path().string());
    ASSERT_TRUE(text.ok()) << text.status();
    const auto spec = ParseExperimentSpec(*text, entry.path().string());
    EXPECT_TRUE(spec.ok()) << spec.status();
    ++examples;
  }
  EXPECT_GE(examples, 6) << "the demos, the tutorial's, and three for three aims";
}

TEST(ExperimentSpecTest, OversizedTextIsRefused) {
  EXPECT_THAT(ErrorOf(std::string((1 << 20) + 1, '#')), HasSubstr("a spec has at most"));
}

}  // namespace
}  // namespace squish
