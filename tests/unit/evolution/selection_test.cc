#include "coordinator/evolution/selection.h"

#include <cmath>
#include <limits>

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

// --- (μ,λ) ------------------------------------------------------------------------

TEST(SelectParentsTest, LeastLogLossFirst) {
  EXPECT_THAT(SelectParents(Spec(2), {Trained(0.5), Trained(0.2), Trained(0.3)}, Ancestor()),
              ElementsAre(1, 2));
}

TEST(SelectParentsTest, TiesGoByIndex) {
  EXPECT_THAT(SelectParents(Spec(2), {Trained(0.5), Trained(0.2), Trained(0.2)}, Ancestor()),
              ElementsAre(1, 2));
}

TEST(SelectParentsTest, FeasibleComeBeforeInfeasible) {
  v1::Individual big = Trained(0.1), small = Trained(0.9);
  small.set_bytes(400'000);
  const auto spec = Spec(2, {MaxMegabytes(0.5, false)});
  EXPECT_THAT(SelectParents(spec, {big, small}, Ancestor()), ElementsAre(1, 0));
}

TEST(SelectParentsTest, NearestToFeasibleComeFirstAmongInfeasible) {
  v1::Individual bigger = Trained(0.1), big = Trained(0.9);
  big.set_bytes(600'000);
  const auto spec = Spec(1, {MaxMegabytes(0.5, false)});
  EXPECT_THAT(SelectParents(spec, {bigger, big}, Ancestor()), ElementsAre(1));
}

TEST(SelectParentsTest, DivergedAreNeverSelected) {
  v1::Individual diverged = Trained(0.1);
  diverged.set_state(v1::Individual::DIVERGED);
  diverged.clear_selection_log_loss();
  EXPECT_THAT(SelectParents(Spec(2), {diverged, Trained(0.9)}, Ancestor()), ElementsAre(1));
  EXPECT_THAT(SelectParents(Spec(2), {diverged, diverged}, Ancestor()), IsEmpty());
}

TEST(SelectParentsTest, UnsupportedComeLast) {
  v1::Individual unsupported = Trained(0.1);
  unsupported.set_state(v1::Individual::UNSUPPORTED);
  EXPECT_THAT(SelectParents(Spec(3), {unsupported, Trained(0.9), Trained(0.8)}, Ancestor()),
              ElementsAre(2, 1, 0));
}

TEST(SelectParentsTest, LogLossThatIsNoNumberIsTheWorst) {
  EXPECT_THAT(SelectParents(Spec(1), {Trained(std::nan("")), Trained(5)}, Ancestor()),
              ElementsAre(1));
}

}  // namespace
}  // namespace squish
