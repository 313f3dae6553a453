#include "coordinator/evolution/selection.h"

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace squish {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

v1::Individual Trained(double log_loss, int generation = 3) {
  v1::Individual individual;
  individual.mutable_name()->set_generation(generation);
  individual.set_state(v1::Individual::EVALUATED);
  individual.set_bytes(1'000'000);
  individual.set_selection_log_loss(log_loss);
  individual.set_selection_accuracy(0.8);
  individual.set_images_per_second(200);
  individual.set_ratio_to_ancestor(2.0);
  return individual;
}

v1::Individual Ancestor() {
  v1::Individual ancestor = Trained(0.1, 0);
  ancestor.set_bytes(4'000'000);
  ancestor.set_selection_accuracy(0.9);
  ancestor.set_images_per_second(100);
  ancestor.set_ratio_to_ancestor(1.0);
  return ancestor;
}

v1::Constraint MaxMegabytes(double megabytes, bool scheduled) {
  v1::Constraint constraint;
  constraint.set_max_megabytes(megabytes);
  constraint.set_scheduled(scheduled);
  return constraint;
}

v1::Constraint MinRatio(double ratio, bool scheduled) {
  v1::Constraint constraint;
  constraint.set_min_ratio_to_ancestor(ratio);
  constraint.set_scheduled(scheduled);
  return constraint;
}

v1::Constraint MinImagesPerSecond(double speed, bool scheduled) {
  v1::Constraint constraint;
  constraint.set_min_images_per_second(speed);
  constraint.set_scheduled(scheduled);
  return constraint;
}

v1::Constraint MinAccuracy(double accuracy, bool scheduled) {
  v1::Constraint constraint;
  constraint.set_min_accuracy(accuracy);
  constraint.set_scheduled(scheduled);
  return constraint;
}

v1::ExperimentSpec Spec(int parents, std::vector<v1::Constraint> constraints = {}) {
  v1::ExperimentSpec spec;
  spec.set_parents(parents);
  spec.set_generations(4);
  for (auto& c : constraints) *spec.mutable_environment()->add_constraints() = c;
  return spec;
}

// --- Limits, calculated by hand ---------------------------------------------------

TEST(ConstraintLimitTest, SizeGoesGeometricallyFromTheAncestorsToTheTarget) {
  // 4 MB to 0.25 MB in 4 generations: halved each time.
  const v1::Constraint constraint = MaxMegabytes(0.25, true);
  EXPECT_NEAR(ConstraintLimit(constraint, Ancestor(), 0, 4), 4.0, 1e-12);
  EXPECT_NEAR(ConstraintLimit(constraint, Ancestor(), 1, 4), 2.0, 1e-12);
  EXPECT_NEAR(ConstraintLimit(constraint, Ancestor(), 2, 4), 1.0, 1e-12);
  EXPECT_NEAR(ConstraintLimit(constraint, Ancestor(), 3, 4), 0.5, 1e-12);
  EXPECT_EQ(ConstraintLimit(constraint, Ancestor(), 4, 4), 0.25);
}

TEST(ConstraintLimitTest, RatioStartsAtOne) {
  // 1 to 16 in 4 generations: doubled each time.
  const v1::Constraint constraint = MinRatio(16, true);
  EXPECT_NEAR(ConstraintLimit(constraint, Ancestor(), 1, 4), 2.0, 1e-12);
  EXPECT_NEAR(ConstraintLimit(constraint, Ancestor(), 3, 4), 8.0, 1e-12);
  EXPECT_EQ(ConstraintLimit(constraint, Ancestor(), 4, 4), 16.0);
}

TEST(ConstraintLimitTest, SpeedStartsAtTheAncestors) {
  EXPECT_NEAR(ConstraintLimit(MinImagesPerSecond(400, true), Ancestor(), 2, 4), 200.0, 1e-9);
}

TEST(ConstraintLimitTest, UnscheduledIsTheTargetThroughout) {
  EXPECT_EQ(ConstraintLimit(MaxMegabytes(0.25, false), Ancestor(), 1, 4), 0.25);
}

TEST(ConstraintLimitTest, UnknownAncestorValueMeansTheTarget) {
  v1::Individual ancestor = Ancestor();
  ancestor.clear_images_per_second();
  EXPECT_EQ(ConstraintLimit(MinImagesPerSecond(400, true), ancestor, 1, 4), 400.0);
}

TEST(ConstraintLimitTest, ScheduleNeverAsksForMoreThanTheTarget) {
  // The ancestor has accuracy 0.9; 0.7 is enough from the start.
  EXPECT_EQ(ConstraintLimit(MinAccuracy(0.7, true), Ancestor(), 1, 4), 0.7);
  EXPECT_EQ(ConstraintLimit(MaxMegabytes(5, true), Ancestor(), 1, 4), 5.0);
}

// --- Violation --------------------------------------------------------------------

TEST(ViolationTest, NoConstraintsAreNeverBroken) {
  EXPECT_EQ(Violation({}, Trained(1), Ancestor(), 3, 4), 0.0);
}

TEST(ViolationTest, IsTheSumOfLogarithmsOverBrokenConstraints) {
  // 1 MB with 0.5 allowed, accuracy 0.8 with 0.9 asked for; the speed is kept.
  const auto spec = Spec(1, {MaxMegabytes(0.5, false), MinAccuracy(0.9, false),
                             MinImagesPerSecond(150, false)});
  EXPECT_NEAR(Violation(spec.environment(), Trained(1), Ancestor(), 3, 4),
              std::log(2.0) + std::log(0.9 / 0.8), 1e-12);
}

TEST(ViolationTest, LimitIsThatOfTheIndividualsGeneration) {
  const auto spec = Spec(1, {MaxMegabytes(0.25, true)});
  EXPECT_EQ(Violation(spec.environment(), Trained(1, 2), Ancestor(), 2, 4), 0.0);  // 1 of 1 MB
  EXPECT_NEAR(Violation(spec.environment(), Trained(1, 3), Ancestor(), 3, 4), std::log(2.0), 1e-12);
}

TEST(ViolationTest, ValueEqualToTheLimitIsFeasible) {
  const auto spec = Spec(1, {MaxMegabytes(1, false), MinRatio(2, false), MinAccuracy(0.8, false),
                             MinImagesPerSecond(200, false)});
  EXPECT_EQ(Violation(spec.environment(), Trained(1), Ancestor(), 3, 4), 0.0);
}

TEST(ViolationTest, RatiosAreComparedInStepsOfOnePercent) {
  const auto spec = Spec(1, {MinRatio(2.0, false)});
  v1::Individual individual = Trained(1);
  // ln 2 / ln 1.01 = 69.66: 69 whole steps; 1.01^69 = 1.9868, 1.01^68 = 1.9672.
  individual.set_ratio_to_ancestor(1.99);
  EXPECT_EQ(Violation(spec.environment(), individual, Ancestor(), 3, 4), 0.0);
  individual.set_ratio_to_ancestor(1.98);
  EXPECT_NEAR(Violation(spec.environment(), individual, Ancestor(), 3, 4), std::log(1.01), 1e-9);
  individual.set_ratio_to_ancestor(1.97);
  EXPECT_NEAR(Violation(spec.environment(), individual, Ancestor(), 3, 4), std::log(1.01), 1e-9);
  individual.set_ratio_to_ancestor(1.96);
  EXPECT_NEAR(Violation(spec.environment(), individual, Ancestor(), 3, 4), 2 * std::log(1.01), 1e-9);
}

TEST(ViolationTest, ADemandIsAboutTheSpeedThatItNames) {
  auto spec = Spec(1, {MinRatio(2.0, false)});
  v1::Constraint& constraint = *spec.mutable_environment()->mutable_constraints(0);
  v1::Individual individual = Trained(1);
  individual.set_ratio_to_ancestor(2);
  constraint.set_beside(2);
  const auto violation = [&] {
    return Violation(spec.environment(), individual, Ancestor(), 3, 4);
  };
  EXPECT_TRUE(std::isinf(violation())) << "it is not known there";
  individual.add_beside()->set_beside(2);
  EXPECT_TRUE(std::isinf(violation())) << "the engine refuses it there";
  individual.mutable_beside(0)->set_ratio_to_ancestor(1);
  individual.mutable_beside(0)->set_images_per_second(50);
  EXPECT_NEAR(violation(), std::log(2.0), 0.011);
  individual.mutable_beside(0)->set_ratio_to_ancestor(2.1);
  EXPECT_EQ(violation(), 0.0);
  constraint.set_min_images_per_second(100);
  EXPECT_NEAR(violation(), std::log(2.0), 1e-12);
}

TEST(ViolationTest, MissingValueIsInfinite) {
  v1::Individual individual = Trained(1);
  individual.clear_ratio_to_ancestor();
  const auto spec = Spec(1, {MinRatio(1.1, false)});
  EXPECT_EQ(Violation(spec.environment(), individual, Ancestor(), 3, 4), kInfinity);
}

TEST(ViolationTest, ZeroAndNegativeValuesAreInfinite) {
  v1::Individual individual = Trained(1);
  const auto spec = Spec(1, {MinAccuracy(0.5, false)});
  individual.set_selection_accuracy(0.0);
  EXPECT_EQ(Violation(spec.environment(), individual, Ancestor(), 3, 4), kInfinity);
  individual.set_selection_accuracy(-1.0);
  EXPECT_EQ(Violation(spec.environment(), individual, Ancestor(), 3, 4), kInfinity);
}

TEST(ViolationTest, UnsupportedIsInfinite) {
  v1::Individual individual = Trained(1);
  individual.set_state(v1::Individual::UNSUPPORTED);
  EXPECT_EQ(Violation({}, individual, Ancestor(), 3, 4), kInfinity);
}

// --- Selection --------------------------------------------------------------------

// A generation of these individuals.
std::vector<v1::Individual> Generation(int generation, std::vector<v1::Individual> individuals) {
  for (size_t i = 0; i < individuals.size(); ++i) {
    individuals[i].mutable_name()->set_generation(generation);
    individuals[i].mutable_name()->set_index(static_cast<int>(i));
  }
  return individuals;
}

// Whom a generation 3 leaves as parents, "generation:index", best first.
std::vector<std::string> Selected(const v1::ExperimentSpec& spec,
                                  std::vector<v1::Individual> individuals,
                                  const std::vector<v1::Individual>& earlier = {}) {
  std::vector<std::string> names;
  for (const v1::Individual& one :
       SelectParents(spec, Generation(3, std::move(individuals)), earlier, Ancestor())) {
    EXPECT_TRUE(one.selected());
    names.push_back(absl::StrCat(one.name().generation(), ":", one.name().index()));
  }
  return names;
}

class EveryMethodTest : public testing::TestWithParam<v1::SelectionSpec::Method> {
 protected:
  static v1::ExperimentSpec Spec(int parents, std::vector<v1::Constraint> constraints = {}) {
    v1::ExperimentSpec spec = squish::Spec(parents, std::move(constraints));
    spec.mutable_selection()->set_method(GetParam());
    return spec;
  }
};

INSTANTIATE_TEST_SUITE_P(SelectParentsTest, EveryMethodTest,
                         testing::Values(v1::SelectionSpec::COMMA, v1::SelectionSpec::PLUS,
                                         v1::SelectionSpec::NSGA_II),
                         [](const auto& info) {
                           return v1::SelectionSpec::Method_Name(info.param);
                         });

TEST_P(EveryMethodTest, LeastLogLossFirst) {
  EXPECT_THAT(Selected(Spec(2), {Trained(0.5), Trained(0.2), Trained(0.3)}),
              ElementsAre("3:1", "3:2"));
}

TEST_P(EveryMethodTest, TiesGoByIndex) {
  EXPECT_THAT(Selected(Spec(2), {Trained(0.5), Trained(0.2), Trained(0.2)}),
              ElementsAre("3:1", "3:2"));
}

TEST_P(EveryMethodTest, FeasibleComeBeforeInfeasible) {
  v1::Individual big = Trained(0.1), small = Trained(0.9);
  small.set_bytes(400'000);
  const auto spec = Spec(2, {MaxMegabytes(0.5, false)});
  EXPECT_THAT(Selected(spec, {big, small}), ElementsAre("3:1", "3:0"));
}

TEST_P(EveryMethodTest, NearestToFeasibleComeFirstAmongInfeasible) {
  v1::Individual bigger = Trained(0.1), big = Trained(0.9);
  big.set_bytes(600'000);
  const auto spec = Spec(1, {MaxMegabytes(0.5, false)});
  EXPECT_THAT(Selected(spec, {bigger, big}), ElementsAre("3:1"));
}

TEST_P(EveryMethodTest, DivergedAreNeverSelected) {
  v1::Individual diverged = Trained(0.1);
  diverged.set_state(v1::Individual::DIVERGED);
  diverged.clear_selection_log_loss();
  EXPECT_THAT(Selected(Spec(2), {diverged, Trained(0.9)}), ElementsAre("3:1"));
  EXPECT_THAT(Selected(Spec(2), {diverged, diverged}), IsEmpty());
}

TEST_P(EveryMethodTest, UnsupportedComeLast) {
  v1::Individual unsupported = Trained(0.1);
  unsupported.set_state(v1::Individual::UNSUPPORTED);
  unsupported.clear_ratio_to_ancestor();
  EXPECT_THAT(Selected(Spec(3), {unsupported, Trained(0.9), Trained(0.8)}),
              ElementsAre("3:2", "3:1", "3:0"));
}

TEST_P(EveryMethodTest, LogLossThatIsNoNumberIsTheWorst) {
  EXPECT_THAT(Selected(Spec(1), {Trained(std::nan("")), Trained(5)}), ElementsAre("3:1"));
}

// --- (μ,λ) and (μ+λ) --------------------------------------------------------------

v1::ExperimentSpec By(v1::SelectionSpec::Method method, int parents,
                      std::vector<v1::Constraint> constraints = {}) {
  v1::ExperimentSpec spec = Spec(parents, std::move(constraints));
  spec.mutable_selection()->set_method(method);
  return spec;
}

TEST(CommaSelectionTest, ForgetsTheParents) {
  const auto earlier = Generation(2, {Trained(0.1)});
  EXPECT_THAT(Selected(By(v1::SelectionSpec::COMMA, 2), {Trained(0.5), Trained(0.4)}, earlier),
              ElementsAre("3:1", "3:0"));
  EXPECT_THAT(Selected(Spec(2), {Trained(0.5), Trained(0.4)}, earlier), ElementsAre("3:1", "3:0"))
      << "as before there was a choice";
}

TEST(PlusSelectionTest, ParentsStayWhileNobodyIsBetter) {
  const auto earlier = Generation(2, {Trained(0.1), Trained(0.45)});
  EXPECT_THAT(Selected(By(v1::SelectionSpec::PLUS, 2), {Trained(0.5), Trained(0.4)}, earlier),
              ElementsAre("2:0", "3:1"));
}

TEST(PlusSelectionTest, OfEqualsTheNewerComesFirstThenTheLowerIndex) {
  std::vector<v1::Individual> earlier = {Generation(1, {Trained(0.4)})[0],
                                         Generation(2, {Trained(0.4), Trained(0.4)})[1],
                                         Generation(2, {Trained(0.4)})[0]};
  EXPECT_THAT(Selected(By(v1::SelectionSpec::PLUS, 9), {Trained(0.4), Trained(0.4)}, earlier),
              ElementsAre("3:0", "3:1", "2:0", "2:1", "1:0"));
}

TEST(PlusSelectionTest, ParentsAreMeasuredByTheLimitsOfToday) {
  // 4 MB to 0.25 MB in 4 generations: 1 MB is allowed at generation 2, 0.5 MB at 3.
  v1::Individual small = Trained(0.9);
  small.set_bytes(500'000);
  const auto earlier = Generation(2, {Trained(0.1)});
  EXPECT_THAT(Selected(By(v1::SelectionSpec::PLUS, 1, {MaxMegabytes(0.25, true)}), {small}, earlier),
              ElementsAre("3:0"));
}

TEST(PlusSelectionTest, ParentsStayWhereNobodyTrained) {
  v1::Individual diverged = Trained(0.1);
  diverged.set_state(v1::Individual::DIVERGED);
  EXPECT_THAT(Selected(By(v1::SelectionSpec::PLUS, 2), {diverged}, Generation(2, {Trained(0.5)})),
              ElementsAre("2:0"));
}

TEST(PlusSelectionTest, ParentsStayAsTheyWere) {
  std::vector<v1::Individual> earlier = Generation(1, {Trained(0.1)});
  earlier[0].set_trained_artifact("trained 1:0");
  earlier[0].set_selected(true);
  const auto selected = SelectParents(By(v1::SelectionSpec::PLUS, 1),
                                      Generation(3, {Trained(0.5)}), earlier, Ancestor());
  ASSERT_EQ(selected.size(), 1u);
  EXPECT_EQ(selected[0].SerializeAsString(), earlier[0].SerializeAsString());
}

// --- NSGA-II ----------------------------------------------------------------------

v1::Individual Network(double log_loss, double ratio, int64_t bytes) {
  v1::Individual individual = Trained(log_loss);
  individual.set_ratio_to_ancestor(ratio);
  individual.set_bytes(bytes);
  return individual;
}

TEST(NsgaSelectionTest, FirstFrontFirst) {
  // 0 is worse than 1 in everything, 2 is faster than 1, 3 is smaller than 1.
  EXPECT_THAT(Selected(By(v1::SelectionSpec::NSGA_II, 4),
                       {Network(0.3, 1.5, 900), Network(0.2, 2, 800), Network(0.4, 3, 800),
                        Network(0.4, 1, 700)}),
              ElementsAre("3:1", "3:2", "3:3", "3:0"));
}

TEST(NsgaSelectionTest, OfAFrontTheEndsThenThoseWithMoreRoom) {
  // One front: log-losses 1, 2, 3, 6, 10 with bytes 10, 8, 7, 3, 0; all as fast.
  // Room: of 1 (2, 8) it is 2/9 + 3/10 = 0.52, of 2 (3, 7) 4/9 + 5/10 = 0.94,
  // of 3 (6, 3) 7/9 + 7/10 = 1.48; 0 and 4 are ends.
  EXPECT_THAT(Selected(By(v1::SelectionSpec::NSGA_II, 5),
                       {Network(1, 2, 10), Network(2, 2, 8), Network(3, 2, 7), Network(6, 2, 3),
                        Network(10, 2, 0)}),
              ElementsAre("3:0", "3:4", "3:3", "3:2", "3:1"));
}

TEST(NsgaSelectionTest, LessThanOnePercentOfSpeedIsNoReason) {
  // 1.505 and 1.515 are in one step, so that 1 is dominated; 2 is a step faster.
  EXPECT_THAT(Selected(By(v1::SelectionSpec::NSGA_II, 3),
                       {Network(0.2, 1.505, 3), Network(0.3, 1.515, 3), Network(0.3, 1.53, 3)}),
              ElementsAre("3:0", "3:2", "3:1"));
}

TEST(NsgaSelectionTest, LessViolationComesBeforeAnyFront) {
  // 0.5 MB are allowed. 0 is first in everything but size.
  EXPECT_THAT(Selected(By(v1::SelectionSpec::NSGA_II, 3, {MaxMegabytes(0.5, false)}),
                       {Network(0.1, 9, 700'000), Network(0.9, 1, 600'000),
                        Network(0.8, 1, 500'000)}),
              ElementsAre("3:2", "3:1", "3:0"));
}

TEST(NsgaSelectionTest, MissingRatioIsTheWorst) {
  v1::Individual unmeasured = Network(0.2, 1, 800);
  unmeasured.clear_ratio_to_ancestor();
  EXPECT_THAT(Selected(By(v1::SelectionSpec::NSGA_II, 2), {unmeasured, Network(0.2, 0.1, 800)}),
              ElementsAre("3:1", "3:0"));
}

TEST(NsgaSelectionTest, ParentsCompeteAndTheNewerGoFirst) {
  // 2:0 has what 3:1 has, and dominates 3:0. Equals have no room between them: both are
  // ends only as far as their order says so.
  const auto earlier = Generation(2, {Network(0.2, 2, 800)});
  EXPECT_THAT(Selected(By(v1::SelectionSpec::NSGA_II, 3),
                       {Network(0.3, 2, 900), Network(0.2, 2, 800)}, earlier),
              ElementsAre("3:1", "2:0", "3:0"));
}

TEST(NsgaSelectionTest, OrderOfThePoolChangesNothing) {
  std::vector<v1::Individual> earlier = Generation(
      2, {Network(1, 2, 10), Network(2, 2, 8), Network(2, 2, 8), Network(6, 2, 3)});
  const auto spec = By(v1::SelectionSpec::NSGA_II, 6);
  const std::vector<v1::Individual> generation = {Network(2, 2, 8), Network(3, 2, 7)};
  const std::vector<std::string> expected = Selected(spec, generation, earlier);
  std::swap(earlier[0], earlier[3]);
  std::swap(earlier[1], earlier[2]);
  EXPECT_EQ(Selected(spec, generation, earlier), expected);
}

}  // namespace
}  // namespace squish
