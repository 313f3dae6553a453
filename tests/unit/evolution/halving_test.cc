#include "coordinator/evolution/halving.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/evolution/evolution_fixture.h"

namespace squish {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

// Four offspring, of which two go on to the second rung and one to the training that counts.
v1::ExperimentSpec HalvingSpec() {
  v1::ExperimentSpec spec = TestSpec();
  spec.set_parents(1);
  for (const int keep : {2, 1}) {
    v1::TrainingSpec::Rung& rung = *spec.mutable_training()->add_halving();
    rung.set_epochs(0.25);
    rung.set_keep(keep);
  }
  return spec;
}

class HalvingTest : public testing::Test {
 protected:
  HalvingTest() { open_.individuals.resize(4); }

  void Bear() {
    for (int i = 0; i < 4; ++i) open_.individuals[i].synthesize = Born(1, i);
  }
  void Measure() {
    for (int i = 0; i < 4; ++i) open_.individuals[i].measure = Measured(ratios_[i]);
  }
  // The rung's log-losses; below 0: not yet.
  void Rung(int rung, const std::vector<double>& losses) {
    for (size_t i = 0; i < losses.size(); ++i) {
      if (losses[i] < 0) continue;
      open_.individuals[i].rungs[rung] = Trained(1, static_cast<int>(i), losses[i]);
      open_.individuals[i].rungs[rung].set_artifact(absl::StrCat("rung ", rung, " of ", i));
    }
  }
  Climb Climbed() const { return ClimbRungs(spec_, summary_, open_); }
  Plan Planned() const { return MakePlan(spec_, TestDataset(), summary_, open_); }

  // "index/rung" of all trainings that are wanted.
  std::vector<std::string> Trainings() const {
    std::vector<std::string> names;
    for (const v1::Job& job : Planned().wanted) {
      if (job.key().kind() != v1::JobKey::TRAIN) continue;
      names.push_back(absl::StrCat(job.key().index(), "/", job.key().rung()));
    }
    return names;
  }
  v1::Job Training(int index, int rung) const {
    for (const v1::Job& job : Planned().wanted) {
      if (job.key().kind() == v1::JobKey::TRAIN && job.key().index() == index &&
          job.key().rung() == rung) {
        return job;
      }
    }
    ADD_FAILURE() << "no training " << index << "/" << rung;
    return {};
  }

  // In whichever order facts arrive, each is asked for before it arrives, nothing that was
  // decided is taken back, and the end is the same.
  void ExpectTheSameInAnyOrder() {
    std::mt19937 shuffle(1);
    std::string expected;
    for (int run = 0; run < 200; ++run) {
      open_.individuals.assign(4, {});
      std::vector<std::string> decided;
      while (true) {
        const Plan plan = Planned();
        for (const std::string& before : decided) {
          EXPECT_THAT(Trainings(), Contains(before)) << "it was taken back";
        }
        decided = Trainings();
        if (plan.closing.has_value()) break;
        std::vector<v1::Job> open;
        for (const v1::Job& job : plan.wanted) {
          if (!IsKnown(job)) open.push_back(job);
        }
        ASSERT_FALSE(open.empty());
        Learn(open[shuffle() % open.size()]);
      }
      const std::string digest = PopulationDigest(Planned().closing->individuals);
      if (expected.empty()) expected = digest;
      EXPECT_EQ(digest, expected);
    }
  }

  bool IsKnown(const v1::Job& job) const {
    const IndividualFacts& facts = open_.individuals[job.key().index()];
    if (job.has_synthesize()) return facts.synthesize.has_value();
    if (job.has_measure()) return facts.measure.has_value();
    return job.key().rung() == 0 ? facts.train.has_value()
                                 : facts.rungs.count(job.key().rung()) > 0;
  }

  void Learn(const v1::Job& job) {
    const int index = job.key().index(), rung = job.key().rung();
    IndividualFacts& facts = open_.individuals[index];
    const double loss = 0.1 * ((index * 7 + rung * 3) % 5) + 0.1;
    if (job.has_synthesize()) facts.synthesize = Born(1, index);
    if (job.has_measure()) facts.measure = Measured(ratios_[index]);
    if (job.has_train() && rung == 0) facts.train = Trained(1, index, loss);
    if (job.has_train() && rung > 0) facts.rungs[rung] = Trained(1, index, loss);
  }

  std::vector<double> ratios_ = {2, 2, 2, 2};
  v1::ExperimentSpec spec_ = HalvingSpec();
  v1::EvolutionSummary summary_ = SummaryAfter(spec_, 0);
  OpenGeneration open_{.generation = 1, .individuals = {}};
};

TEST_F(HalvingTest, EverybodyBeginsInTheFirstRung) {
  EXPECT_THAT(Climbed().rungs, Each(1));
  EXPECT_FALSE(Climbed().decided);
  EXPECT_THAT(Trainings(), IsEmpty()) << "nobody is born";
  Bear();
  EXPECT_THAT(Trainings(), ElementsAre("0/1", "1/1", "2/1", "3/1"));
}

TEST_F(HalvingTest, NothingIsDecidedBeforeEverybodyIsTrainedAndMeasured) {
  Bear();
  Rung(1, {0.4, 0.3, 0.2, -1});
  Measure();
  EXPECT_THAT(Climbed().rungs, Each(1));
  Rung(1, {0.4, 0.3, 0.2, 0.1});
  open_.individuals[0].measure.reset();
  EXPECT_THAT(Climbed().rungs, Each(1));
  spec_.mutable_measurement()->set_fitness(v1::MeasurementSpec::ESTIMATED);
  EXPECT_THAT(Climbed().rungs, ElementsAre(1, 1, 2, 2)) << "where nothing is measured";
}

TEST_F(HalvingTest, TheBestGoOnFromWhereTheyAre) {
  Bear();
  Measure();
  Rung(1, {0.4, 0.3, 0.2, 0.1});
  EXPECT_THAT(Trainings(), ElementsAre("0/1", "1/1", "2/1", "2/2", "3/1", "3/2"));
  EXPECT_EQ(Training(2, 1).train().network(), Born(1, 2).artifact());
  EXPECT_EQ(Training(2, 2).train().network(), "rung 1 of 2");
  EXPECT_EQ(Training(2, 2).train().recipe().epochs(), 0.25);
  EXPECT_NE(Training(2, 1).train().seed(), Training(2, 2).train().seed());
  Rung(2, {-1, -1, 0.05, 0.06});
  EXPECT_THAT(Trainings(), Contains("2/0"));
  EXPECT_THAT(Trainings(), Not(Contains("3/0")));
  EXPECT_EQ(Training(2, 0).train().network(), "rung 2 of 2");
  EXPECT_EQ(Training(2, 0).train().recipe().epochs(), spec_.training().offspring().epochs());
}

TEST_F(HalvingTest, WhoIsLeftBehindIsUntrained) {
  Bear();
  Measure();
  Rung(1, {0.4, 0.3, 0.2, 0.1});
  Rung(2, {-1, -1, 0.05, 0.06});
  EXPECT_FALSE(Planned().closing.has_value());
  open_.individuals[2].train = Trained(1, 2, 0.01);
  // A result that slipped in changes nothing.
  open_.individuals[3].train = Trained(1, 3, 0.001);
  const auto closing = Planned().closing;
  ASSERT_TRUE(closing.has_value());
  for (const int index : {0, 1, 3}) {
    const v1::Individual& left = closing->individuals[index];
    EXPECT_EQ(left.state(), v1::Individual::UNTRAINED);
    EXPECT_FALSE(left.has_selection_log_loss());
    EXPECT_TRUE(left.trained_artifact().empty());
    EXPECT_FALSE(left.selected());
  }
  const v1::Individual& winner = closing->individuals[2];
  EXPECT_EQ(winner.state(), v1::Individual::EVALUATED);
  EXPECT_TRUE(winner.selected());
  EXPECT_EQ(winner.images_seen(), 3 * Trained(1, 2, 0.1).images_seen()) << "of all rungs";
}

TEST_F(HalvingTest, WhoDivergesDoesNotGoOn) {
  Bear();
  Measure();
  Rung(1, {0.4, 0.3, 0.2, 0.1});
  open_.individuals[3].rungs[1] = Diverged();
  EXPECT_THAT(Climbed().rungs, ElementsAre(1, 2, 2, 1));
  for (IndividualFacts& facts : open_.individuals) facts.rungs[1] = Diverged();
  EXPECT_TRUE(Climbed().decided);
  const auto closing = Planned().closing;
  ASSERT_TRUE(closing.has_value());
  for (const v1::Individual& individual : closing->individuals) {
    EXPECT_EQ(individual.state(), v1::Individual::DIVERGED);
  }
  EXPECT_EQ(closing->summary.parents(0).name().generation(), 0) << "the parents stay";
}

TEST_F(HalvingTest, TheAncestorHasNoRungs) {
  open_ = {.generation = 0, .individuals = std::vector<IndividualFacts>(1)};
  open_.individuals[0].synthesize = Born(0, 0);
  summary_ = Beginning();
  EXPECT_TRUE(Climbed().decided);
  EXPECT_THAT(Trainings(), ElementsAre("0/0"));
}

TEST_F(HalvingTest, ArrivalInAnyOrderDecidesTheSame) { ExpectTheSameInAnyOrder(); }

// Offspring of whom two are fast enough.
class CancellationTest : public HalvingTest {
 protected:
  CancellationTest() {
    ratios_ = {2, 9, 3, 8};
    spec_.mutable_training()->clear_halving();
    spec_.mutable_training()->set_cancel_infeasible(true);
    Demand().set_min_ratio_to_ancestor(7);
  }

  v1::Constraint& Demand() {
    v1::Constraint& constraint = *spec_.mutable_environment()->add_constraints();
    constraint.set_scheduled(false);
    return constraint;
  }
};

TEST_F(CancellationTest, NobodyIsTrainedBeforeEverybodyIsMeasured) {
  Bear();
  EXPECT_THAT(Trainings(), IsEmpty());
  Measure();
  open_.individuals[0].measure.reset();
  EXPECT_THAT(Trainings(), IsEmpty());
  EXPECT_FALSE(Climbed().decided);
  Measure();
  EXPECT_THAT(Trainings(), ElementsAre("1/0", "3/0"));
  EXPECT_FALSE(IsApart(spec_, summary_, 1)) << "what is known of one decides on others";
}

TEST_F(CancellationTest, WhoIsCancelledIsUntrained) {
  Bear();
  Measure();
  for (const int index : {1, 3}) open_.individuals[index].train = Trained(1, index, 0.3);
  open_.individuals[0].train = Trained(1, 0, 0.001);  // It slipped in.
  const auto closing = Planned().closing;
  ASSERT_TRUE(closing.has_value());
  for (const int index : {0, 2}) {
    EXPECT_EQ(closing->individuals[index].state(), v1::Individual::UNTRAINED);
    EXPECT_EQ(closing->individuals[index].images_seen(), 0);
    EXPECT_FALSE(closing->individuals[index].selected());
  }
  EXPECT_EQ(closing->individuals[1].state(), v1::Individual::EVALUATED);
  EXPECT_TRUE(closing->individuals[1].selected()) << "of the same log-loss the first";
}

TEST_F(CancellationTest, AsManyAsParentsOfTheNearestAreTrained) {
  Bear();
  Measure();
  Demand().set_min_ratio_to_ancestor(20);
  EXPECT_THAT(Trainings(), ElementsAre("1/0"));
  spec_.set_parents(3);
  EXPECT_THAT(Trainings(), ElementsAre("1/0", "2/0", "3/0"));
  open_.individuals[1].measure = Unsupported();
  EXPECT_THAT(Trainings(), ElementsAre("0/0", "2/0", "3/0")) << "refused is farthest";
  ratios_ = {5, 5, 5, 5};
  Measure();
  EXPECT_THAT(Trainings(), ElementsAre("0/0", "1/0", "2/0")) << "ties go by index";
}

TEST_F(CancellationTest, AccuracyIsNotKnownYet) {
  Bear();
  Measure();
  Demand().set_min_accuracy(0.99);
  EXPECT_THAT(Trainings(), ElementsAre("1/0", "3/0"));
}

TEST_F(CancellationTest, EstimatedSpeedsNeedNoMeasurement) {
  spec_.mutable_measurement()->set_fitness(v1::MeasurementSpec::ESTIMATED);
  spec_.mutable_environment()->clear_constraints();
  Demand().set_max_megabytes(2006e-6);  // Born(1, i) has 2000 + 4 · i bytes.
  Bear();
  EXPECT_THAT(Trainings(), ElementsAre("0/0", "1/0"));
}

TEST_F(CancellationTest, RungsAreOfThoseThatAreLeft) {
  *spec_.mutable_training()->mutable_halving() = HalvingSpec().training().halving();
  Bear();
  EXPECT_THAT(Trainings(), IsEmpty());
  Measure();
  EXPECT_THAT(Trainings(), ElementsAre("1/1", "3/1"));
  Rung(1, {0.1, 0.4, 0.1, 0.3});
  EXPECT_THAT(Trainings(), ElementsAre("1/1", "1/2", "3/1", "3/2"));
}

TEST_F(CancellationTest, TheAncestorIsTrained) {
  open_ = {.generation = 0, .individuals = std::vector<IndividualFacts>(1)};
  open_.individuals[0].synthesize = Born(0, 0);
  summary_ = Beginning();
  EXPECT_THAT(Trainings(), ElementsAre("0/0"));
}

TEST_F(CancellationTest, ArrivalInAnyOrderDecidesTheSame) { ExpectTheSameInAnyOrder(); }

TEST_F(CancellationTest, ArrivalInAnyOrderDecidesTheSameWithRungs) {
  *spec_.mutable_training()->mutable_halving() = HalvingSpec().training().halving();
  ExpectTheSameInAnyOrder();
}

}  // namespace
}  // namespace squish
