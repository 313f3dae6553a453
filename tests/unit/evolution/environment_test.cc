#include "coordinator/evolution/environment.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/evolution/evolution_fixture.h"

namespace squish {
namespace {

constexpr double kStart = 700'000;

class EnvironmentAfterTest : public testing::Test {
 protected:
  EnvironmentAfterTest() {
    spec_ = TestSpec();
    spec_.set_generations(10);
    spec_.mutable_environment()->set_resource_factor(0.9);
    spec_.mutable_environment()->set_final_resource_factor(0.9);
    summary_.mutable_ancestor()->set_parameters(static_cast<int64_t>(kStart));
    summary_.mutable_ancestor()->set_macs(1000);
    summary_.mutable_ancestor()->set_ratio_to_ancestor(1);
    Select(0, {{kStart, 1}});
  }

  struct Reached {
    double parameters, ratio;  // A ratio of 0 is not known.
  };
  void Select(int generation, const std::vector<Reached>& all) {
    summary_.set_closed_generation(generation);
    summary_.clear_parents();
    for (const Reached& reached : all) {
      v1::Individual& parent = *summary_.add_parents();
      parent.set_parameters(static_cast<int64_t>(reached.parameters));
      if (reached.ratio > 0) parent.set_ratio_to_ancestor(reached.ratio);
    }
  }
  NextEnvironment Next() const { return EnvironmentAfter(spec_, summary_); }
  v1::ClosedLoop& Loop() {
    v1::ClosedLoop& loop = *spec_.mutable_environment()->mutable_closed_loop();
    loop.set_least_resource_factor(0.5);
    return loop;
  }

  v1::ExperimentSpec spec_;
  v1::EvolutionSummary summary_;
};

TEST_F(EnvironmentAfterTest, AConstantFactorFixesThePathWhoeverWasSelected) {
  EXPECT_EQ(Next().resource_factor, 0.9);
  EXPECT_EQ(Next().budget, 0.9 * kStart);
  Select(2, {{100, 1}});
  EXPECT_EQ(Next().budget, kStart * 0.9 * 0.9 * 0.9);
  spec_.mutable_environment()->set_calibration(v1::EnvironmentSpec::LITERAL);
  EXPECT_EQ(Next().budget, 0) << "it has no path";
  EXPECT_EQ(Next().resource_factor, 0.9);
}

TEST_F(EnvironmentAfterTest, AnnealingGoesGeometricallyFromTheFirstToTheLast) {
  spec_.mutable_environment()->set_final_resource_factor(0.6);
  double budget = kStart;
  for (int generation = 1; generation <= 10; ++generation) {
    summary_.set_closed_generation(generation - 1);
    const double factor = 0.9 * std::pow(0.6 / 0.9, (generation - 1) / 9.0);
    budget *= factor;
    EXPECT_NEAR(Next().resource_factor, factor, 1e-12) << generation;
    EXPECT_NEAR(Next().budget, budget, 1e-6 * budget) << generation;
  }
  EXPECT_EQ(Next().resource_factor, 0.6);
}

TEST_F(EnvironmentAfterTest, ALoopOnMegabytesSharesWhatIsLeftAmongTheGenerationsLeft) {
  Loop().set_megabytes(1.4);  // Half of the start.
  EXPECT_NEAR(Next().resource_factor, std::pow(0.5, 0.1), 1e-9);
  Select(8, {{400'000, 0}});
  EXPECT_NEAR(Next().resource_factor, std::sqrt(350.0 / 400), 1e-9);
  EXPECT_NEAR(Next().budget, 400'000 * std::sqrt(350.0 / 400), 1e-3);
  Select(9, {{800'000, 0}, {200'000, 0}});
  EXPECT_NEAR(Next().budget, 350'000, 1e-3) << "of the geometric mean, 400,000";
  Select(9, {{300'000, 0}});
  EXPECT_EQ(Next().resource_factor, 1) << "it is there: nothing more goes";
}

TEST_F(EnvironmentAfterTest, ALoopOnARatioTakesSpeedToFollowSizeUntilItKnowsBetter) {
  Loop().set_ratio_to_ancestor(2);
  EXPECT_NEAR(Next().resource_factor, std::pow(0.5, 0.1), 1e-9);
  // At half the size only 2^0.5 as fast: e = 1/2, so that √2 more takes half of it again.
  Select(8, {{kStart / 2, std::sqrt(2)}});
  EXPECT_NEAR(Next().resource_factor, std::sqrt(0.5), 1e-6);
  // As fast as it should be.
  Select(8, {{kStart / 2, 2.1}});
  EXPECT_EQ(Next().resource_factor, 1);
}

TEST_F(EnvironmentAfterTest, WhatIsMeasuredMovesALoopOnlySoFar) {
  Loop().set_ratio_to_ancestor(2);
  // Smaller and slower: e is held at 1/4, R at its least.
  Select(9, {{kStart / 2, 0.9}});
  EXPECT_NEAR(Next().resource_factor, 0.5, 1e-12);
  // As if speed went with the cube of size: e is held at 2.
  Select(9, {{0.9 * kStart, 1 / (0.9 * 0.9 * 0.9)}});
  EXPECT_NEAR(Next().resource_factor, std::sqrt(1 / (0.9 * 0.9 * 0.9) / 2), 1e-6);
  Select(9, {{kStart / 2, 0}});
  EXPECT_EQ(Next().resource_factor, 1) << "nobody's speed is known";
}

TEST_F(EnvironmentAfterTest, ABranchIsComparedWithWhatItStartedFrom) {
  Loop().set_ratio_to_ancestor(2);
  summary_.mutable_ancestor()->set_ratio_to_ancestor(1.5);
  Select(9, {{0.8 * kStart, 1.5 / 0.8}});
  EXPECT_NEAR(Next().resource_factor, 1.5 / 0.8 / 2, 1e-6) << "e = 1";
}

}  // namespace
}  // namespace squish
