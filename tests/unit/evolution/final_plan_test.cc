#include "coordinator/evolution/final_plan.h"

#include <utility>

#include "common/spec/planned_images.h"
#include "coordinator/evolution/champions.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/evolution/evolution_fixture.h"

namespace squish {
namespace {

using testing::ElementsAre;

class FinalPlanTest : public testing::Test {
 protected:
  void SetUp() override {
    spec_.mutable_exports()->add_batches(1);
    summary_ = SummaryAfter(spec_, spec_.generations());
    ASSERT_GT(summary_.champions_size(), 1);
    open_ = Open(spec_, spec_.generations() + 1, summary_);
  }
  void TrainFurther() { spec_.mutable_training()->mutable_final()->set_epochs(5); }
  Plan Make() { return MakePlan(spec_, TestDataset(), summary_, open_); }
  // The kinds of job that are wanted for a champion, in order.
  std::vector<v1::JobKey::Kind> Wanted(const Plan& plan, int index) {
    std::vector<v1::JobKey::Kind> kinds;
    for (const v1::Job& job : plan.wanted) {
      EXPECT_EQ(job.key().generation(), spec_.generations() + 1);
      if (job.key().index() == index) kinds.push_back(job.key().kind());
    }
    return kinds;
  }
  const v1::Job& Find(const Plan& plan, int index, v1::JobKey::Kind kind) {
    for (const v1::Job& job : plan.wanted) {
      if (job.key().index() == index && job.key().kind() == kind) return job;
    }
    ADD_FAILURE() << "not wanted";
    return plan.wanted.front();
  }
  v1::Champion Describe(int index) {
    return DescribeChampion(spec_, summary_, index, open_.individuals[index]);
  }

  v1::ExperimentSpec spec_ = TestSpec();
  v1::EvolutionSummary summary_;
  OpenGeneration open_;
};

TEST_F(FinalPlanTest, TheLastGenerationLeavesItsChampionsToBeFinished) {
  const Plan last =
      MakePlan(spec_, TestDataset(), SummaryAfter(spec_, spec_.generations() - 1),
               Complete(spec_, spec_.generations()));
  ASSERT_TRUE(last.closing.has_value());
  EXPECT_FALSE(last.closing->finished);
  EXPECT_GT(last.closing->summary.champions_size(), 0);
}

TEST_F(FinalPlanTest, SpeedsOfChampionsAloneAreMeasuredHere) {
  spec_.mutable_measurement()->add_beside();
  spec_.mutable_measurement()->add_beside()->set_champions(true);
  spec_.mutable_measurement()->mutable_beside(1)->set_batch(16);
  const v1::Job job = Find(Make(), 0, v1::JobKey::MEASURE);
  EXPECT_EQ(job.key().rung(), 2);
  EXPECT_EQ(job.measure().protocol().batch(), 16);
  EXPECT_EQ(job.measure().engine_builds(), 2) << "what is quoted hangs on no single build";
  EXPECT_EQ(job.measure().device_class(), "board/1");
  const v1::Individual& individual = summary_.champions(0).individual();
  EXPECT_EQ(job.measure().candidate(), individual.trained_artifact());
  EXPECT_EQ(job.measure().candidate_architecture(), individual.architecture_digest());
  EXPECT_EQ(job.measure().ancestor(), summary_.ancestor().born_artifact());
  open_.individuals[0].evaluate = Evaluated(0);
  open_.individuals[0].export_files = Exported(0);
  EXPECT_EQ(Describe(0).state(), v1::Champion::FINISHING);
  open_.individuals[0].beside[2] = Measured(1.5);
  EXPECT_EQ(Describe(0).state(), v1::Champion::READY);
  EXPECT_EQ(Describe(0).individual().beside(0).ratio_to_ancestor(), 1.5);
}

TEST_F(FinalPlanTest, EarlierGenerationsChooseNone) {
  EXPECT_EQ(SummaryAfter(spec_, spec_.generations() - 1).champions_size(), 0);
}

TEST_F(FinalPlanTest, AnAncestorAloneIsItsOwnChampion) {
  spec_.set_generations(0);
  const Plan plan = MakePlan(spec_, TestDataset(), Beginning(), Complete(spec_, 0));
  ASSERT_TRUE(plan.closing.has_value());
  ASSERT_EQ(plan.closing->summary.champions_size(), 1);
  EXPECT_EQ(plan.closing->summary.champions(0).individual().name().generation(), 0);
}

TEST_F(FinalPlanTest, WithoutFinalRecipeChampionsAreEvaluatedAndExportedAtOnce) {
  const Plan plan = Make();
  EXPECT_THAT(Wanted(plan, 0), ElementsAre(v1::JobKey::EVALUATE, v1::JobKey::EXPORT));
  const std::string& network = summary_.champions(0).individual().trained_artifact();
  const v1::EvaluateJob& evaluate = Find(plan, 0, v1::JobKey::EVALUATE).evaluate();
  EXPECT_EQ(evaluate.network(), network);
  EXPECT_EQ(evaluate.split(), v1::VAL);
  EXPECT_EQ(evaluate.dataset_fingerprint(), "fingerprint");
  EXPECT_EQ(evaluate.threads(), 1);
  const v1::ExportJob& exported = Find(plan, 0, v1::JobKey::EXPORT).export_files();
  EXPECT_EQ(exported.network(), network);
  EXPECT_THAT(exported.batches(), ElementsAre(1));
  EXPECT_EQ(Describe(0).state(), v1::Champion::FINISHING);
}

TEST_F(FinalPlanTest, WithFinalRecipeTrainingComesFirst) {
  TrainFurther();
  const Plan plan = Make();
  EXPECT_THAT(Wanted(plan, 0), ElementsAre(v1::JobKey::TRAIN));
  const v1::TrainJob& train = Find(plan, 0, v1::JobKey::TRAIN).train();
  EXPECT_EQ(train.network(), summary_.champions(0).individual().trained_artifact());
  EXPECT_EQ(train.recipe().epochs(), 5);
  EXPECT_EQ(train.teacher(), "");
  EXPECT_EQ(Describe(0).state(), v1::Champion::TRAINING);
}

TEST_F(FinalPlanTest, TheTeacherIsTheTrainedAncestor) {
  TrainFurther();
  spec_.mutable_training()->mutable_final()->mutable_distillation()->set_teacher(
      v1::Distillation::ANCESTOR);
  const Plan plan = Make();
  EXPECT_EQ(Find(plan, 0, v1::JobKey::TRAIN).train().teacher(), "trained 0:0");
}

TEST_F(FinalPlanTest, FinalTrainingsShareWhatWasPlannedForAsManyAsThereCouldBe) {
  TrainFurther();
  v1::Recipe& recipe = *spec_.mutable_training()->mutable_final();
  recipe.set_batch(50);
  v1::DatasetSummary dataset = TestDataset();
  dataset.set_train_images(130);  // 5 epochs are 13 steps, for each of four.
  EXPECT_EQ(FinalRecipe(spec_, 130, 3).epochs(), 5) << "not asked for";
  spec_.mutable_training()->set_share_finals(true);
  ASSERT_EQ(MostChampions(spec_), 4);
  for (const auto& [champions, steps] : {std::pair(4, 13), {3, 17}, {2, 26}, {1, 52}}) {
    EXPECT_EQ(PlannedSteps(FinalRecipe(spec_, 130, champions), 130), steps) << champions;
  }
  const Plan plan = MakePlan(spec_, dataset, summary_, open_);
  EXPECT_EQ(Find(plan, 0, v1::JobKey::TRAIN).train().recipe().epochs(),
            FinalRecipe(spec_, 130, summary_.champions_size()).epochs());
  recipe.set_epochs(0);
  EXPECT_EQ(FinalRecipe(spec_, 130, 1).epochs(), 0) << "which only evaluates";
}

TEST_F(FinalPlanTest, SharedFinalTrainingsSeeNoMoreThanThePlan) {
  spec_.mutable_training()->set_share_finals(true);
  v1::Recipe& recipe = *spec_.mutable_training()->mutable_final();
  for (int sizes = 0; sizes < 5; ++sizes) {
    const int most = MostChampions(spec_);
    for (int images = 1; images < 3000; images += 97) {
      recipe.set_epochs(0.37 + sizes);
      recipe.set_batch(1 + images % 64);
      const int64_t planned = most * PlannedSteps(recipe, images);
      for (int champions = 1; champions <= most; ++champions) {
        const int64_t shared =
            champions * PlannedSteps(FinalRecipe(spec_, images, champions), images);
        EXPECT_LE(shared, planned);
        EXPECT_GT(shared, planned - champions) << "whole steps are all that is lost";
      }
    }
    spec_.add_report_megabytes(1 + sizes);
  }
}

TEST_F(FinalPlanTest, WhatWasTrainedFurtherIsEvaluatedAndExported) {
  TrainFurther();
  open_.individuals[1].train = Trained(9, 1, 0.05);
  const Plan plan = Make();
  EXPECT_EQ(Find(plan, 1, v1::JobKey::EVALUATE).evaluate().network(), "trained 9:1");
  EXPECT_EQ(Find(plan, 1, v1::JobKey::EXPORT).export_files().network(), "trained 9:1");
  EXPECT_THAT(Wanted(plan, 0), ElementsAre(v1::JobKey::TRAIN)) << "each goes its own way";
  const v1::Champion champion = Describe(1);
  EXPECT_EQ(champion.artifact(), "trained 9:1");
  EXPECT_EQ(champion.weights_digest(), "weights 9:1");
  EXPECT_EQ(champion.selection_log_loss(), 0.05);
  EXPECT_EQ(champion.final_images(), 100);
}

TEST_F(FinalPlanTest, AFinalTrainingThatDivergedLeavesTheNetworkAsItWas) {
  TrainFurther();
  open_.individuals[0].train = Diverged();
  const Plan plan = Make();
  const v1::Individual& before = summary_.champions(0).individual();
  EXPECT_EQ(Find(plan, 0, v1::JobKey::EVALUATE).evaluate().network(), before.trained_artifact());
  EXPECT_TRUE(Describe(0).final_diverged());
  EXPECT_EQ(Describe(0).weights_digest(), before.weights_digest());
  EXPECT_EQ(Describe(0).final_images(), 7);
}

TEST_F(FinalPlanTest, EndsWhenEveryChampionIsReady) {
  for (int i = 0; i < summary_.champions_size(); ++i) {
    open_.individuals[i].evaluate = Evaluated(i);
    EXPECT_FALSE(Make().closing.has_value());
    open_.individuals[i].export_files = Exported(i);
    EXPECT_EQ(Describe(i).state(), v1::Champion::READY);
  }
  const Plan plan = Make();
  ASSERT_TRUE(plan.closing.has_value());
  EXPECT_TRUE(plan.closing->finished);
  EXPECT_TRUE(plan.closing->individuals.empty()) << "champions were bred before";
  EXPECT_EQ(plan.closing->summary.SerializeAsString(), summary_.SerializeAsString());
  EXPECT_EQ(Describe(0).evaluation().accuracy(), 0.7);
  EXPECT_EQ(Describe(0).predictions(), "predictions 0");
  EXPECT_EQ(Describe(0).files(0).artifact(), "onnx 0");
}

TEST_F(FinalPlanTest, SeedsFollowFromTheIndividualAlone) {
  TrainFurther();
  const uint64_t seed = Find(Make(), 1, v1::JobKey::TRAIN).train().seed();
  // Another champion before it changes its place, not its training.
  v1::Champion other = summary_.champions(0);
  v1::EvolutionSummary fewer = summary_;
  fewer.mutable_champions()->DeleteSubrange(0, 1);
  summary_ = fewer;
  open_ = Open(spec_, spec_.generations() + 1, summary_);
  EXPECT_EQ(Find(Make(), 0, v1::JobKey::TRAIN).train().seed(), seed);
}

// A branch goes on being compared with the ancestor of the experiment it comes from.
class BranchPlanTest : public testing::Test {
 protected:
  void SetUp() override {
    v1::BranchPoint& branch = *spec_.mutable_ancestor()->mutable_branch();
    branch.set_network("network");
    branch.set_ancestor_network("first");
    branch.set_ancestor_trained("first, trained");
    branch.set_ancestor_architecture("first architecture");
    branch.set_ancestor_macs(8000);
  }
  Plan Make(const v1::EvolutionSummary& summary, const OpenGeneration& open) {
    return MakePlan(spec_, TestDataset(), summary, open);
  }
  v1::ExperimentSpec spec_ = TestSpec();
};

TEST_F(BranchPlanTest, BeginsWithTheIndividualsNetwork) {
  const Plan plan = Make(Beginning(), Open(spec_, 0));
  EXPECT_EQ(plan.wanted[0].synthesize().ancestor().network_digest(), "network");
}

TEST_F(BranchPlanTest, IsMeasuredBesideTheFirstAncestor) {
  const Plan plan = Make(Beginning(), Complete(spec_, 0));
  const v1::MeasureJob& measure = plan.wanted[2].measure();
  EXPECT_EQ(measure.candidate(), "born 0:0");
  EXPECT_EQ(measure.ancestor(), "first");
  EXPECT_EQ(measure.ancestor_architecture(), "first architecture");
  OpenGeneration open = Open(spec_, 0);
  open.individuals[0] = AllFacts(0, 0);
  open.individuals[0].measure = Measured(1.7);
  const Plan closed = Make(Beginning(), open);
  EXPECT_EQ(closed.closing->individuals[0].ratio_to_ancestor(), 1.7) << "not 1: it is no ancestor";
  const Plan next = Make(closed.closing->summary, Complete(spec_, 1));
  EXPECT_EQ(next.wanted[2].measure().ancestor(), "first");
}

TEST_F(BranchPlanTest, ItsPathStartsAtItsOwnSize) {
  const Plan first = Make(Beginning(), Complete(spec_, 0));
  const Plan next = Make(first.closing->summary, Open(spec_, 1));
  EXPECT_EQ(next.wanted[0].synthesize().target_budget(), 0.5 * Born(0, 0).parameters());
}

TEST_F(BranchPlanTest, LearnsFromTheFirstAncestor) {
  spec_.mutable_training()->mutable_offspring()->mutable_distillation()->set_teacher(
      v1::Distillation::ANCESTOR);
  const Plan first = Make(Beginning(), Complete(spec_, 0));
  const Plan next = Make(first.closing->summary, Complete(spec_, 1));
  EXPECT_EQ(next.wanted[1].train().teacher(), "first, trained");
}

TEST_F(BranchPlanTest, EstimatedSpeedIsRelativeToTheFirstAncestor) {
  spec_.mutable_measurement()->set_fitness(v1::MeasurementSpec::ESTIMATED);
  IndividualFacts facts;
  facts.synthesize = Born(0, 0);
  v1::IndividualName name;
  EXPECT_EQ(DescribeIndividual(spec_, Beginning(), name, facts).ratio_to_ancestor(),
            8000.0 / Born(0, 0).macs());
}

}  // namespace
}  // namespace squish
