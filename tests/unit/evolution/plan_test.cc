#include "coordinator/evolution/plan.h"

#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/evolution/evolution_fixture.h"

namespace squish {
namespace {

using testing::HasSubstr;

class PlanTest : public testing::Test {
 protected:
  Plan Make(const v1::EvolutionSummary& summary, const OpenGeneration& open) {
    return MakePlan(spec_, TestDataset(), summary, open);
  }
  // The jobs of a kind, by index.
  static std::vector<v1::Job> Jobs(const Plan& plan, v1::JobKey::Kind kind) {
    std::vector<v1::Job> jobs;
    for (const v1::Job& job : plan.wanted) {
      if (job.key().kind() == kind) jobs.push_back(job);
    }
    return jobs;
  }
  v1::ExperimentSpec spec_ = TestSpec();
};

TEST_F(PlanTest, BeginsWithTheSynthesisOfTheAncestor) {
  const Plan plan = Make(Beginning(), Open(spec_, 0));
  ASSERT_EQ(plan.wanted.size(), 1u);
  const v1::SynthesizeJob& work = plan.wanted[0].synthesize();
  EXPECT_EQ(work.seed(), 9u);
  EXPECT_EQ(work.parents_size(), 0);
  EXPECT_EQ(work.ancestor().squeezenet_v1_1().width(), 0.5);
  EXPECT_EQ(work.class_names_size(), 2);
  EXPECT_EQ(work.target_budget(), 0.0);
  EXPECT_EQ(work.macs_input_size(), 32);
  EXPECT_EQ(work.preprocessing().input_size(), 32);
  EXPECT_EQ(work.preprocessing().resize(), v1::SQUASH);
  EXPECT_EQ(work.preprocessing().mean_size(), 3);
  EXPECT_FALSE(plan.closing.has_value());
  EXPECT_EQ(plan.failed, "");
}

TEST_F(PlanTest, BornAncestorIsTrainedAndMeasuredBesideItself) {
  OpenGeneration open = Open(spec_, 0);
  open.individuals[0].synthesize = Born(0, 0);
  const Plan plan = Make(Beginning(), open);
  ASSERT_EQ(plan.wanted.size(), 3u);
  const v1::TrainJob train = Jobs(plan, v1::JobKey::TRAIN).at(0).train();
  EXPECT_EQ(train.network(), "born 0:0");
  EXPECT_EQ(train.teacher(), "");
  EXPECT_EQ(train.recipe().epochs(), 3);
  EXPECT_EQ(train.dataset_fingerprint(), "fingerprint");
  EXPECT_EQ(train.threads(), 1);
  EXPECT_EQ(train.device(), v1::TrainingSpec::CPU);
  const v1::MeasureJob measure = Jobs(plan, v1::JobKey::MEASURE).at(0).measure();
  EXPECT_EQ(measure.candidate(), "born 0:0");
  EXPECT_EQ(measure.ancestor(), "born 0:0");
  EXPECT_EQ(measure.candidate_architecture(), "architecture 0:0");
  EXPECT_EQ(measure.ancestor_architecture(), "architecture 0:0");
  EXPECT_EQ(measure.device_class(), "");
  EXPECT_EQ(measure.protocol().batch(), 1);
}

TEST_F(PlanTest, AncestorClosesGenerationZeroAndIsItsParent) {
  const Plan plan = Make(Beginning(), Complete(spec_, 0));
  ASSERT_TRUE(plan.closing.has_value());
  EXPECT_FALSE(plan.closing->finished);
  ASSERT_EQ(plan.closing->individuals.size(), 1u);
  EXPECT_TRUE(plan.closing->individuals[0].selected());
  const v1::EvolutionSummary& summary = plan.closing->summary;
  EXPECT_EQ(summary.closed_generation(), 0);
  EXPECT_EQ(summary.ancestor().trained_artifact(), "trained 0:0");
  ASSERT_EQ(summary.parents_size(), 1);
  EXPECT_EQ(summary.parents(0).trained_artifact(), "trained 0:0");
  EXPECT_EQ(summary.smallest_bytes(), 4000);
  EXPECT_EQ(summary.best_ratio(), 1.0);
}

class ApartTest : public PlanTest, public testing::WithParamInterface<bool> {};

// Whatever is known of whom: individual by individual the plan is the whole one.
TEST_P(ApartTest, WantedOfEachIsWhatIsWantedOfAll) {
  const v1::EvolutionSummary summary = SummaryAfter(spec_, 0);
  const OpenGeneration complete = Complete(spec_, 1);
  if (GetParam()) spec_.mutable_measurement()->add_beside()->set_batch(8);
  ASSERT_TRUE(IsApart(spec_, summary, 1));
  const int cases = 1 << (3 * complete.individuals.size());
  for (int known = 0; known < cases; known += 5) {
    OpenGeneration open = Open(spec_, 1);
    for (size_t i = 0; i < open.individuals.size(); ++i) {
      const IndividualFacts& all = complete.individuals[i];
      const int of_this = known >> (3 * i);
      if ((of_this & 7) == 0) continue;
      open.individuals[i].synthesize = all.synthesize;
      if ((of_this & 2) != 0) open.individuals[i].train = all.train;
      if ((of_this & 4) != 0) open.individuals[i].measure = all.measure;
    }
    const Plan plan = Make(summary, open);
    std::string whole, parts;
    bool settled = true;
    for (const v1::Job& job : plan.wanted) whole += job.DebugString();
    for (size_t i = 0; i < open.individuals.size(); ++i) {
      for (const v1::Job& job :
           WantedOf(spec_, TestDataset(), summary, open, static_cast<int>(i))) {
        parts += job.DebugString();
      }
      settled = settled && IsSettled(spec_, open.generation, open.individuals[i]);
    }
    ASSERT_EQ(parts, whole);
    ASSERT_EQ(settled, plan.closing.has_value());
  }
}

INSTANTIATE_TEST_SUITE_P(OnOneBoardAndOnTwo, ApartTest, testing::Bool());

TEST_F(PlanTest, IndividualsDoNotStandApartUnderHalvingOrAsAncestorOrChampions) {
  const v1::EvolutionSummary summary = SummaryAfter(spec_, 0);
  EXPECT_FALSE(IsApart(spec_, Beginning(), 0));
  EXPECT_TRUE(IsApart(spec_, summary, 1));
  v1::EvolutionSummary last = summary;
  last.add_champions();
  EXPECT_FALSE(IsApart(spec_, last, 1));
  spec_.mutable_training()->add_halving()->set_epochs(1);
  EXPECT_FALSE(IsApart(spec_, summary, 1));
}

TEST_F(PlanTest, OffspringComeFromTheirParentsOnThePathOfBudgets) {
  const Plan first = Make(SummaryAfter(spec_, 0), Open(spec_, 1));
  ASSERT_EQ(first.wanted.size(), 4u);
  for (const v1::Job& job : first.wanted) {
    ASSERT_EQ(job.synthesize().parents_size(), 1);
    EXPECT_EQ(job.synthesize().parents(0).artifact(), "trained 0:0");
    EXPECT_EQ(job.synthesize().target_budget(), 500.0);  // 1,000 · 0.5
    EXPECT_FALSE(job.synthesize().has_ancestor());
    EXPECT_FALSE(job.synthesize().has_preprocessing());
  }
  // Log-losses are 0.1, 0.4, 0.3, 0.2 by index: 0 and 3 are the parents.
  const Plan second = Make(SummaryAfter(spec_, 1), Open(spec_, 2));
  EXPECT_EQ(second.wanted[0].synthesize().parents(0).artifact(), "trained 1:0");
  EXPECT_EQ(second.wanted[1].synthesize().parents(0).artifact(), "trained 1:3");
  EXPECT_EQ(second.wanted[2].synthesize().parents(0).artifact(), "trained 1:0");
  EXPECT_EQ(second.wanted[0].synthesize().target_budget(), 250.0);
}

TEST_F(PlanTest, GivenAncestorIsNotSampledByTheNumbersThatMadeIt) {
  const auto seed = [&] {
    return Make(SummaryAfter(spec_, 0), Open(spec_, 1)).wanted[0].synthesize().seed();
  };
  EXPECT_EQ(seed(), 9u);
  spec_.mutable_ancestor()->set_network_digest(std::string(64, 'a'));
  const uint64_t one = seed();
  spec_.mutable_ancestor()->set_network_digest(std::string(64, 'b'));
  EXPECT_NE(one, 9u);
  EXPECT_NE(one, seed());
}

TEST_F(PlanTest, BudgetCanCountMacs) {
  spec_.mutable_environment()->set_resource(v1::EnvironmentSpec::MACS);
  EXPECT_EQ(Make(SummaryAfter(spec_, 0), Open(spec_, 1)).wanted[0].synthesize().target_budget(),
            1000.0);  // 2,000 · 0.5
}

TEST_F(PlanTest, BudgetCanCountTimeByTheProfileOfParents) {
  spec_.mutable_environment()->set_resource(v1::EnvironmentSpec::TIME);
  spec_.mutable_measurement()->set_profile(true);
  OpenGeneration first = Complete(spec_, 0);
  v1::LayerTime& time = *first.individuals[0].measure->add_profile();
  time.set_layer("conv");
  time.set_milliseconds(3);
  const v1::EvolutionSummary summary = Make(Beginning(), first).closing->summary;
  const v1::SynthesizeJob job = Make(summary, Open(spec_, 1)).wanted[0].synthesize();
  EXPECT_EQ(job.target_budget(), 1.5);
  ASSERT_EQ(job.parents(0).profile_size(), 1);
  EXPECT_EQ(job.parents(0).profile(0).layer(), "conv");
  EXPECT_EQ(job.parents(0).profile(0).milliseconds(), 3);
  // Whoever counts something else need not know it.
  spec_.mutable_environment()->set_resource(v1::EnvironmentSpec::MACS);
  EXPECT_TRUE(Make(summary, Open(spec_, 1)).wanted[0].synthesize().parents(0).profile().empty());
}

TEST_F(PlanTest, LiteralHasNoBudget) {
  spec_.mutable_environment()->set_calibration(v1::EnvironmentSpec::LITERAL);
  EXPECT_EQ(Make(SummaryAfter(spec_, 0), Open(spec_, 1)).wanted[0].synthesize().target_budget(),
            0.0);
}

TEST_F(PlanTest, OffspringAreTrainedByTheirRecipeWithSeedsOfTheirOwn) {
  std::set<uint64_t> seeds;
  for (int g = 1; g <= 3; ++g) {
    for (const v1::Job& job : Jobs(Make(SummaryAfter(spec_, g - 1), Complete(spec_, g)),
                                   v1::JobKey::TRAIN)) {
      EXPECT_EQ(job.train().recipe().epochs(), 1);
      seeds.insert(job.train().seed());
    }
  }
  EXPECT_EQ(seeds.size(), 12u);
  spec_.set_seed(10);
  const Plan other = Make(SummaryAfter(spec_, 0), Complete(spec_, 1));
  for (const v1::Job& job : Jobs(other, v1::JobKey::TRAIN)) {
    EXPECT_TRUE(seeds.insert(job.train().seed()).second) << "another experiment, the same seed";
  }
}

TEST_F(PlanTest, OffspringAreMeasuredAgainstTheBornAncestor) {
  const Plan plan = Make(SummaryAfter(spec_, 0), Complete(spec_, 1));
  const v1::MeasureJob measure = Jobs(plan, v1::JobKey::MEASURE).at(2).measure();
  EXPECT_EQ(measure.candidate(), "born 1:2");
  EXPECT_EQ(measure.candidate_architecture(), "architecture 1:2");
  EXPECT_EQ(measure.ancestor(), "born 0:0");
  EXPECT_EQ(measure.ancestor_architecture(), "architecture 0:0");
}

TEST_F(PlanTest, TeacherIsTheTrainedAncestorOrParent) {
  auto* distillation = spec_.mutable_training()->mutable_offspring()->mutable_distillation();
  distillation->set_teacher(v1::Distillation::ANCESTOR);
  const auto teachers = [this] {
    std::vector<std::string> names;
    for (const v1::Job& job :
         Jobs(Make(SummaryAfter(spec_, 1), Complete(spec_, 2)), v1::JobKey::TRAIN)) {
      names.push_back(job.train().teacher());
    }
    return names;
  };
  EXPECT_THAT(teachers(), testing::Each("trained 0:0"));
  distillation->set_teacher(v1::Distillation::PARENT);
  EXPECT_THAT(teachers(),
              testing::ElementsAre("trained 1:0", "trained 1:3", "trained 1:0", "trained 1:3"));
}

TEST_F(PlanTest, LastGenerationClosesLikeTheOthersAndLeavesChampions) {
  const Plan plan = Make(SummaryAfter(spec_, 2), Complete(spec_, 3));
  ASSERT_TRUE(plan.closing.has_value());
  EXPECT_FALSE(plan.closing->finished);
  EXPECT_GT(plan.closing->summary.champions_size(), 0);
  EXPECT_EQ(plan.closing->individuals.size(), 4u);
}

// --- Device class -----------------------------------------------------------------

TEST_F(PlanTest, DeviceClassIsPinnedByTheAncestorsMeasurement) {
  const v1::EvolutionSummary summary = SummaryAfter(spec_, 0);
  EXPECT_EQ(summary.device_class(), "board/1");
  for (const v1::Job& job : Jobs(Make(summary, Complete(spec_, 1)), v1::JobKey::MEASURE)) {
    EXPECT_EQ(job.measure().device_class(), "board/1");
  }
}

TEST_F(PlanTest, DeviceClassOfTheSpecIsKept) {
  spec_.mutable_measurement()->set_device_class("jetson-tx1/l4t-32.7");
  OpenGeneration open = Open(spec_, 0);
  open.individuals[0].synthesize = Born(0, 0);
  EXPECT_EQ(Jobs(Make(Beginning(), open), v1::JobKey::MEASURE).at(0).measure().device_class(),
            "jetson-tx1/l4t-32.7");
  EXPECT_EQ(SummaryAfter(spec_, 0).device_class(), "jetson-tx1/l4t-32.7");
}

// --- Estimated fitness ------------------------------------------------------------

TEST_F(PlanTest, EstimatedFitnessNeedsNoMeasurement) {
  spec_.mutable_measurement()->set_fitness(v1::MeasurementSpec::ESTIMATED);
  OpenGeneration open = Complete(spec_, 0);
  open.individuals[0].measure.reset();
  const Plan plan = Make(Beginning(), open);
  EXPECT_TRUE(Jobs(plan, v1::JobKey::MEASURE).empty());
  ASSERT_TRUE(plan.closing.has_value());
  EXPECT_EQ(plan.closing->individuals[0].ratio_to_ancestor(), 1.0);
  EXPECT_EQ(plan.closing->summary.device_class(), "");
}

// --- What will not train or run ---------------------------------------------------

TEST_F(PlanTest, DivergedAncestorFailsTheExperimentWithAdvice) {
  OpenGeneration open = Open(spec_, 0);
  open.individuals[0].synthesize = Born(0, 0);
  open.individuals[0].train = Diverged();
  for (const bool measured : {false, true}) {
    if (measured) open.individuals[0].measure = Measured(1);
    const Plan plan = Make(Beginning(), open);
    EXPECT_FALSE(plan.closing.has_value());
    EXPECT_THAT(plan.failed, HasSubstr("diverged"));
    EXPECT_THAT(plan.failed, HasSubstr("training.ancestor.learning_rate, now 0.02"));
  }
}

TEST_F(PlanTest, UnsupportedAncestorFailsTheExperiment) {
  OpenGeneration open = Open(spec_, 0);
  open.individuals[0].synthesize = Born(0, 0);
  open.individuals[0].measure = Unsupported();
  const Plan plan = Make(Beginning(), open);
  EXPECT_FALSE(plan.closing.has_value());
  EXPECT_THAT(plan.failed, HasSubstr("refuses the ancestor"));
  EXPECT_THAT(plan.failed, HasSubstr("no such layer"));
}

TEST_F(PlanTest, DivergedAndUnsupportedOffspringAreDataAboutThem) {
  OpenGeneration open = Complete(spec_, 1);
  open.individuals[0].train = Diverged();
  open.individuals[3].measure = Unsupported();
  const Plan plan = Make(SummaryAfter(spec_, 0), open);
  ASSERT_TRUE(plan.closing.has_value());
  EXPECT_EQ(plan.failed, "");
  EXPECT_EQ(plan.closing->individuals[0].state(), v1::Individual::DIVERGED);
  EXPECT_EQ(plan.closing->individuals[3].state(), v1::Individual::UNSUPPORTED);
  // By log-loss 0, 3, 2, 1 would be the order.
  ASSERT_EQ(plan.closing->summary.parents_size(), 2);
  EXPECT_EQ(plan.closing->summary.parents(0).name().index(), 2);
  EXPECT_EQ(plan.closing->summary.parents(1).name().index(), 1);
}

TEST_F(PlanTest, GenerationOfWhichNoneTrainsKeepsTheParents) {
  OpenGeneration open = Complete(spec_, 2);
  for (IndividualFacts& facts : open.individuals) facts.train = Diverged();
  const v1::EvolutionSummary before = SummaryAfter(spec_, 1);
  const Plan plan = Make(before, open);
  ASSERT_TRUE(plan.closing.has_value());
  const v1::EvolutionSummary& after = plan.closing->summary;
  EXPECT_EQ(after.closed_generation(), 2);
  ASSERT_EQ(after.parents_size(), 2);
  EXPECT_EQ(after.parents(0).name().generation(), 1);
  EXPECT_EQ(after.parents(0).trained_artifact(), before.parents(0).trained_artifact());
  const Plan next = Make(after, Open(spec_, 3));
  EXPECT_EQ(next.wanted[0].synthesize().parents(0).artifact(), "trained 1:0");
  EXPECT_EQ(next.wanted[0].synthesize().target_budget(), 125.0);
}

// --- Other methods of selection ---------------------------------------------------

class PlusPlanTest : public PlanTest {
 protected:
  void SetUp() override { spec_.mutable_selection()->set_method(v1::SelectionSpec::PLUS); }
};

TEST_F(PlusPlanTest, ParentThatStaysGoesOnHavingOffspringUnderItsOwnName) {
  // The ancestor's log-loss is 0.1, as that of 1:0, which is newer; then comes 1:3.
  const v1::EvolutionSummary first = SummaryAfter(spec_, 1);
  ASSERT_EQ(first.parents_size(), 2);
  EXPECT_EQ(first.parents(0).trained_artifact(), "trained 1:0");
  EXPECT_EQ(first.parents(1).trained_artifact(), "trained 0:0");
  OpenGeneration open = Complete(spec_, 2);
  open.individuals[0].train = Trained(2, 0, 5);  // The others have 0.4, 0.3, 0.2.
  const Plan plan = Make(first, open);
  ASSERT_TRUE(plan.closing.has_value());
  const v1::EvolutionSummary& second = plan.closing->summary;
  ASSERT_EQ(second.parents_size(), 2);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(second.parents(i).SerializeAsString(), first.parents(i).SerializeAsString());
    EXPECT_TRUE(second.parents(i).selected());
  }
  for (const v1::Individual& individual : plan.closing->individuals) {
    EXPECT_FALSE(individual.selected()) << "2:" << individual.name().index();
  }
  const Plan next = Make(second, Open(spec_, 3));
  EXPECT_EQ(next.wanted[0].synthesize().parents(0).artifact(), "trained 1:0");
  EXPECT_EQ(next.wanted[1].synthesize().parents(0).artifact(), "trained 0:0");
  EXPECT_EQ(next.wanted[1].synthesize().parents(0).name().generation(), 0);
  EXPECT_EQ(next.wanted[1].synthesize().target_budget(), 125.0) << "whoever the parent is";
}

TEST_F(PlusPlanTest, TheNewAmongTheParentsAreMarkedInTheirGeneration) {
  const Plan plan = Make(SummaryAfter(spec_, 0), Complete(spec_, 1));
  ASSERT_TRUE(plan.closing.has_value());
  EXPECT_TRUE(plan.closing->individuals[0].selected());
  EXPECT_FALSE(plan.closing->individuals[3].selected()) << "the ancestor stayed instead";
}

// --- Stopping early ---------------------------------------------------------------

class EarlyStopTest : public PlanTest {
 protected:
  void SetUp() override { spec_.mutable_selection()->set_stop_after(2); }
  // A generation in which all are worse than the ancestor in everything.
  OpenGeneration Fruitless(int generation) {
    OpenGeneration open = Complete(spec_, generation);
    for (size_t i = 0; i < open.individuals.size(); ++i) {
      IndividualFacts& facts = open.individuals[i];
      facts.synthesize->set_bytes(9000);
      facts.train = Trained(generation, static_cast<int>(i), 9);
      facts.measure = Measured(0.5);
    }
    return open;
  }
  v1::EvolutionSummary After(const v1::EvolutionSummary& summary, const OpenGeneration& open) {
    return Make(summary, open).closing.value().summary;
  }
};

TEST_F(EarlyStopTest, GenerationsFromWhichNobodyCameIntoTheArchiveAreCountedInARow) {
  spec_.set_generations(9);
  spec_.mutable_selection()->set_stop_after(0);
  v1::EvolutionSummary summary = SummaryAfter(spec_, 0);
  EXPECT_EQ(summary.archive_unmoved(), 0) << "the ancestor";
  const int archived = summary.archive_size();
  summary = After(summary, Fruitless(1));
  EXPECT_EQ(summary.archive_unmoved(), 1);
  EXPECT_EQ(summary.archive_size(), archived);
  summary = After(summary, Fruitless(2));
  EXPECT_EQ(summary.archive_unmoved(), 2);
  summary = After(summary, Complete(spec_, 3));
  EXPECT_EQ(summary.archive_unmoved(), 0);
  summary = After(summary, Fruitless(4));
  EXPECT_EQ(summary.archive_unmoved(), 1);
  EXPECT_EQ(summary.champions_size(), 0) << "0 never stops";
}

TEST_F(EarlyStopTest, ANewMemberThatDrivesAnotherOutIsNews) {
  spec_.set_generations(9);
  v1::EvolutionSummary summary = After(SummaryAfter(spec_, 0), Fruitless(1));
  OpenGeneration open = Fruitless(2);
  open.individuals[1] = {Born(0, 0), Trained(2, 1, 0.01), Measured(2)};
  summary = After(summary, open);
  EXPECT_EQ(summary.archive_size(), 1) << "it surpasses the ancestor";
  EXPECT_EQ(summary.archive_unmoved(), 0);
}

TEST_F(EarlyStopTest, AfterSoManyTheChampionsFollow) {
  spec_.set_generations(9);
  const v1::EvolutionSummary first = After(SummaryAfter(spec_, 0), Fruitless(1));
  EXPECT_EQ(first.champions_size(), 0);
  EXPECT_FALSE(IsOfChampions(first, 2));
  const Plan plan = Make(first, Fruitless(2));
  ASSERT_TRUE(plan.closing.has_value());
  EXPECT_FALSE(plan.closing->finished);
  const v1::EvolutionSummary& second = plan.closing->summary;
  ASSERT_EQ(second.champions_size(), 1);
  EXPECT_EQ(second.champions(0).individual().trained_artifact(), "trained 0:0");
  EXPECT_FALSE(IsOfChampions(second, 2)) << "a late result may still come for it";
  EXPECT_TRUE(IsOfChampions(second, 3));
  EXPECT_EQ(GenerationSize(spec_, second, 3), 1);
  for (const v1::Job& job : Make(second, Open(spec_, 3, second)).wanted) {
    EXPECT_TRUE(job.has_evaluate() || job.has_export_files());
    EXPECT_EQ(job.key().generation(), 3);
  }
}

TEST_F(EarlyStopTest, ChampionsAreReadyAndItIsOver) {
  const v1::EvolutionSummary before =
      After(After(SummaryAfter(spec_, 0), Fruitless(1)), Fruitless(2));
  OpenGeneration open = Open(spec_, 3, before);
  open.individuals[0].evaluate = Evaluated(0);
  open.individuals[0].export_files = Exported(0);
  const Plan plan = Make(before, open);
  ASSERT_TRUE(plan.closing.has_value());
  EXPECT_TRUE(plan.closing->finished);
  EXPECT_EQ(plan.closing->summary.closed_generation(), 2) << "the last that was bred";
}

TEST_F(EarlyStopTest, WithAnArchiveOfNobodyItEndsWithoutChampions) {
  v1::EvolutionSummary summary = SummaryAfter(spec_, 0);
  summary.clear_archive();
  summary.set_archive_unmoved(1);
  OpenGeneration open = Complete(spec_, 1);
  for (IndividualFacts& facts : open.individuals) facts.train = Diverged();
  const Plan plan = Make(summary, open);
  ASSERT_TRUE(plan.closing.has_value());
  EXPECT_TRUE(plan.closing->finished);
}

TEST_F(EarlyStopTest, ScheduledConstraintsGoByThePlannedGenerations) {
  spec_.set_generations(9);
  v1::Constraint& constraint = *spec_.mutable_environment()->add_constraints();
  constraint.set_max_megabytes(0.002);
  constraint.set_scheduled(true);
  const v1::EvolutionSummary second =
      After(After(SummaryAfter(spec_, 0), Fruitless(1)), Fruitless(2));
  ASSERT_EQ(second.champions_size(), 1);
  EXPECT_FALSE(second.champions(0).feasible()) << "of the target, not of generation 2's limit";
}

// --- The summary ------------------------------------------------------------------

TEST_F(PlanTest, SummaryNamesTheBestAndDoesNotGrow) {
  spec_.set_generations(40);
  const v1::EvolutionSummary early = SummaryAfter(spec_, 2), late = SummaryAfter(spec_, 40);
  EXPECT_EQ(early.smallest_bytes(), 1000);       // 4 · (1000 / 4)
  EXPECT_DOUBLE_EQ(early.best_ratio(), 3.3);     // 1 + 2 + 0.1 · 3
  EXPECT_DOUBLE_EQ(early.best_selection_accuracy(), 1 / 1.1);
  EXPECT_EQ(late.parents_size(), 2);
  EXPECT_LT(late.ByteSizeLong(), early.ByteSizeLong() + 50);
}

}  // namespace
}  // namespace squish
