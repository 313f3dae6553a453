#include "jetson-agent/measure/output_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace squish {
namespace {

using ::testing::HasSubstr;
using Outcome = v1::OutputCheck;

const Logits kReference = {{1, -4}, {2, 0.5}};

TEST(OutputCheckTest, DifferenceIsInUnitsOfTheLargestReference) {
  const v1::OutputCheck check = CheckOutputs("fp32", {{1, -4.002}, {2.003, 0.5}}, kReference);
  EXPECT_EQ(check.outcome(), Outcome::AGREES);
  EXPECT_NEAR(check.difference(), 0.003 / 4, 1e-12);
  EXPECT_EQ(check.tolerance(), 1e-3);
}

TEST(OutputCheckTest, Fp32IsHeldTighterThanFp16) {
  const Logits off = {{1.1, -4}, {2, 0.5}};
  EXPECT_EQ(CheckOutputs("fp16", off, kReference).outcome(), Outcome::AGREES);
  const v1::OutputCheck check = CheckOutputs("fp32", off, kReference);
  EXPECT_EQ(check.outcome(), Outcome::DIFFERS);
  EXPECT_THAT(BrokenOutputRule(check), HasSubstr("by 0.025 of the largest, at most 0.001"));
  EXPECT_EQ(CheckOutputs("fp16", {{1.3, -4}, {2, 0.5}}, kReference).outcome(), Outcome::DIFFERS);
}

TEST(OutputCheckTest, WhatIsNotFiniteDiffers) {
  for (const double value : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    const v1::OutputCheck check = CheckOutputs("fp32", {{value, -4}, {2, 0.5}}, kReference);
    EXPECT_EQ(check.outcome(), Outcome::DIFFERS);
    EXPECT_THAT(BrokenOutputRule(check), HasSubstr("not finite"));
    EXPECT_TRUE(std::isfinite(check.difference()));
  }
  const double huge = std::numeric_limits<double>::max();
  const v1::OutputCheck check = CheckOutputs("fp32", {{huge, -4}, {2, 0.5}}, {{1e-3, 0}, {0, 0}});
  EXPECT_EQ(check.outcome(), Outcome::DIFFERS);
  EXPECT_TRUE(std::isfinite(check.difference()));
}

TEST(OutputCheckTest, AnotherNumberOfOutputsDiffers) {
  EXPECT_THAT(BrokenOutputRule(CheckOutputs("fp32", {{1, -4}}, kReference)),
              HasSubstr("outputs for 1 pictures, not for 2"));
  EXPECT_THAT(BrokenOutputRule(CheckOutputs("fp32", {{1, -4}, {2}}, kReference)),
              HasSubstr("1 outputs for a picture, not 2"));
}

TEST(OutputCheckTest, ZeroReferenceProvesNothing) {
  const Logits zero = {{0, 0}, {0, 0}};
  EXPECT_EQ(CheckOutputs("fp32", zero, zero).outcome(), Outcome::PROVES_NOTHING);
  EXPECT_EQ(CheckOutputs("fp32", {{std::nan(""), 0}, {0, 0}}, zero).outcome(), Outcome::DIFFERS);
}

TEST(OutputCheckTest, ReferenceThatIsTheSameForAllPicturesProvesNothing) {
  const Logits constant = {{1, 2}, {1.0001, 2}};
  const v1::OutputCheck check = CheckOutputs("fp32", constant, constant);
  EXPECT_EQ(check.outcome(), Outcome::PROVES_NOTHING);
  EXPECT_THAT(check.note(), HasSubstr("the same for all pictures"));
  EXPECT_EQ(CheckOutputs("fp32", {{1, 3}, {1, 2}}, constant).outcome(), Outcome::DIFFERS)
      << "but a wrong engine is seen";
}

TEST(OutputCheckTest, NothingToCompareWithIsNoCheck) {
  EXPECT_EQ(CheckOutputs("fp32", {{1}}, {}).outcome(), Outcome::NOT_CHECKED);
}

TEST(OutputCheckTest, WorseOfTwoIsKept) {
  v1::OutputCheck agrees, differs, nothing;
  agrees.set_outcome(Outcome::AGREES);
  agrees.set_difference(0.5);
  differs.set_outcome(Outcome::DIFFERS);
  nothing.set_outcome(Outcome::PROVES_NOTHING);
  const v1::OutputCheck unchecked = OutputsNotChecked("why");
  EXPECT_EQ(Worse(agrees, differs).outcome(), Outcome::DIFFERS);
  EXPECT_EQ(Worse(differs, unchecked).outcome(), Outcome::DIFFERS);
  EXPECT_EQ(Worse(nothing, unchecked).note(), "why");
  EXPECT_EQ(Worse(agrees, nothing).outcome(), Outcome::PROVES_NOTHING);
  EXPECT_EQ(Worse(nothing, agrees).difference(), 0.5);
}

}  // namespace
}  // namespace squish
