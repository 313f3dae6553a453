#include "worker/trainer/predictions.h"

#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace squish {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<Prediction> Predicted(absl::Span<const float> logits, int classes,
                                  absl::Span<const int> labels) {
  const auto predictions = Predict(logits, classes, labels);
  EXPECT_TRUE(predictions.ok()) << predictions.status();
  return predictions.ok() ? *predictions : std::vector<Prediction>{};
}

TEST(PredictTest, ThePredictedClassIsThatOfTheLargestLogitAndTiesGoToTheLowest) {
  const auto predictions =
      Predicted({0.0f, 3.0f, 1.0f, 2.0f, 2.0f, 2.0f, -5.0f, -7.0f, -4.0f}, 3, {0, 1, 2});
  ASSERT_EQ(predictions.size(), 3u);
  EXPECT_EQ(predictions[0].predicted, 1);
  EXPECT_EQ(predictions[1].predicted, 0);
  EXPECT_EQ(predictions[2].predicted, 2);
  EXPECT_EQ(predictions[1].label, 1);
}

TEST(PredictTest, LogLossIsThatOfTheLabelsSoftmax) {
  const auto predictions = Predicted({1.0f, 2.0f, 3.0f, 1.0f, 2.0f, 3.0f}, 3, {2, 0});
  const double sum = std::exp(1.0) + std::exp(2.0) + std::exp(3.0);
  EXPECT_NEAR(predictions[0].log_loss, -std::log(std::exp(3.0) / sum), 1e-14);
  EXPECT_NEAR(predictions[1].log_loss, -std::log(std::exp(1.0) / sum), 1e-14);
}

TEST(PredictTest, LogLossIsBoundedAndNeverBelowZero) {
  const float huge = std::numeric_limits<float>::max();
  const auto predictions = Predicted({0.0f, huge, 0.0f, huge, -huge, huge}, 2, {0, 1, 0});
  EXPECT_NEAR(predictions[0].log_loss, -std::log(1e-12), 1e-12);
  EXPECT_EQ(predictions[1].log_loss, 0);
  EXPECT_NEAR(predictions[2].log_loss, -std::log(1e-12), 1e-12);
}

TEST(PredictTest, OutputsThatAreNotFiniteAreRefused) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const auto predictions = Predict({1.0f, 2.0f, 1.0f, bad}, 2, {0, 0});
    EXPECT_EQ(predictions.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(predictions.status().message()), HasSubstr("picture 1"));
  }
}

TEST(PredictTest, AnotherNumberOfOutputsIsRefused) {
  EXPECT_EQ(Predict({1.0f, 2.0f, 3.0f}, 2, {0, 1}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(SummariseTest, FiguresAreOverAllPicturesAndBalancedOverClasses) {
  // Class 0: three right, one taken for 1. Class 1: one of two right. Class 2: none there.
  const std::vector<Prediction> predictions = {{0, 0, 0.25}, {0, 0, 0.25}, {0, 0, 0.25},
                                               {0, 1, 1.0},  {1, 1, 0.25}, {1, 2, 4.0}};
  const v1::Evaluation evaluation = Summarise(predictions, 3);
  EXPECT_EQ(evaluation.images(), 6);
  EXPECT_DOUBLE_EQ(evaluation.accuracy(), 4.0 / 6);
  EXPECT_DOUBLE_EQ(evaluation.balanced_accuracy(), (0.75 + 0.5) / 2);
  EXPECT_DOUBLE_EQ(evaluation.log_loss(), 6.0 / 6);
  EXPECT_THAT(evaluation.confusion(), ElementsAre(3, 1, 0, 0, 1, 1, 0, 0, 0));
}

TEST(SummariseTest, NothingIsNoFigure) {
  const v1::Evaluation evaluation = Summarise({}, 2);
  EXPECT_EQ(evaluation.images(), 0);
  EXPECT_EQ(evaluation.accuracy(), 0);
  EXPECT_EQ(evaluation.confusion_size(), 4);
}

TEST(PredictionsCsvTest, WhatWouldBreakALineIsQuoted) {
  const std::vector<Prediction> predictions = {{0, 1, 0.1}, {1, 1, 2}};
  const std::vector<std::string> names = {"cat, black", "the \"dog\""};
  const std::string csv = PredictionsCsv(predictions, names, [](int index) {
    return index == 0 ? std::string("val/a\nb.jpg") : std::string("val/plain é.jpg");
  });
  EXPECT_EQ(csv,
            "picture,class,predicted,log_loss\n"
            "\"val/a\nb.jpg\",\"cat, black\",\"the \"\"dog\"\"\",0.1\n"
            "val/plain é.jpg,\"the \"\"dog\"\"\",\"the \"\"dog\"\"\",2\n");
}

TEST(PredictionsCsvTest, ALogLossIsReadBackToTheLastBit) {
  const double log_loss = 0.1 + 0.2;
  const std::string csv =
      PredictionsCsv(std::vector<Prediction>{{0, 0, log_loss}}, std::vector<std::string>{"a"},
                     [](int) { return std::string("p"); });
  EXPECT_THAT(csv, HasSubstr("p,a,a,0.30000000000000004\n"));
}

}  // namespace
}  // namespace squish
