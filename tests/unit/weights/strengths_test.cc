#include "common/weights/strengths.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "common/genome/ancestors.h"
#include "common/weights/safetensors.h"
#include "common/weights/tensors.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

class StrengthsTest : public testing::Test {
 protected:
  StrengthsTest() {
    float next = 0;
    for (const int i : genome_.convs()) {
      const std::string& name = genome_.layer(i).name;
      for (const std::string& tensor : {TaylorName(name), ActivationName(name)}) {
        right_[tensor].shape = {genome_.conv(i).filters()};
        for (int f = 0; f < genome_.conv(i).filters(); ++f) {
          right_[tensor].values.push_back(next++ / 8);
        }
      }
    }
  }

  // What is said of the file with these strengths after the change.
  std::string Error(const std::function<void(TensorMap&)>& change) const {
    TensorMap strengths = right_;
    change(strengths);
    return ErrorOf(SerializeStrengths(strengths));
  }
  std::string ErrorOf(absl::string_view file) const {
    const auto strengths = ReadStrengths(file, genome_);
    EXPECT_EQ(strengths.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(strengths.status().message());
  }

  const Genome genome_ = *SqueezeNetV11(3, 0.1);
  const std::string tensor_ = "features.3.squeeze.taylor";
  TensorMap right_;
};

TEST_F(StrengthsTest, WhatIsWrittenIsReadBack) {
  const auto strengths = ReadStrengths(SerializeStrengths(right_), genome_);
  ASSERT_TRUE(strengths.ok()) << strengths.status();
  EXPECT_EQ(*strengths, right_);
  EXPECT_EQ(strengths->size(), 2 * genome_.convs().size());
}

TEST_F(StrengthsTest, TheFileIsOneOfTensorsAndNothingElse) {
  const std::string file = SerializeStrengths(right_);
  const auto view = ParseSafetensors(file);
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_TRUE(view->metadata.empty());
  EXPECT_EQ(file.find("__metadata__"), std::string::npos);
  EXPECT_EQ(*TensorsFromView(*view), right_);
}

TEST_F(StrengthsTest, TensorsThatDoNotFitTheGenomeAreRefusedByName) {
  EXPECT_THAT(Error([&](auto& s) { s.erase(tensor_); }), HasSubstr(tensor_ + " is missing"));
  EXPECT_THAT(Error([&](auto& s) { s.erase("classifier.1.activation"); }),
              HasSubstr("classifier.1.activation is missing"));
  EXPECT_THAT(Error([&](auto& s) { s["x.taylor"] = s[tensor_]; }),
              HasSubstr("x.taylor belongs to no layer"));
  EXPECT_THAT(Error([&](auto& s) { s["features.3.squeeze.weight"] = s[tensor_]; }),
              HasSubstr("features.3.squeeze.weight belongs to no layer"));
  EXPECT_THAT(Error([&](auto& s) {
                s[tensor_].shape[0] += 1;
                s[tensor_].values.push_back(0);
              }),
              HasSubstr(tensor_ + " is "));
  EXPECT_THAT(Error([&](auto& s) { s[tensor_].shape.push_back(1); }), HasSubstr(tensor_));
  EXPECT_THAT(Error([&](auto& s) { s[tensor_] = {}; }), HasSubstr(tensor_));
  EXPECT_THAT(Error([](auto& s) { s.clear(); }), HasSubstr("is missing"));
}

TEST_F(StrengthsTest, ValuesThatAreNoStrengthsAreRefusedByName) {
  for (const float value : {-1.0f, -1e-30f, std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity()}) {
    const auto change = [&](TensorMap& s) { s[tensor_].values.back() = value; };
    EXPECT_THAT(Error(change), HasSubstr(tensor_)) << value;
    TensorMap strengths = right_;
    change(strengths);
    EXPECT_FALSE(CheckStrengths(genome_, strengths).ok()) << value;
  }
}

TEST_F(StrengthsTest, AnotherTypeOfNumbersIsRefused) {
  std::map<std::string, TensorView> view = ViewOfTensors(right_);
  view[tensor_].dtype = "I32";
  EXPECT_THAT(ErrorOf(SerializeSafetensors({}, view)), HasSubstr("not F32"));
}

TEST_F(StrengthsTest, AFileThatEndsEarlyIsRefusedWhereverItEnds) {
  const std::string file = SerializeStrengths(right_);
  for (size_t size = 0; size < file.size(); size += size < 16 ? 1 : 61) {
    EXPECT_FALSE(ReadStrengths(absl::string_view(file).substr(0, size), genome_).ok()) << size;
  }
  EXPECT_THAT(ErrorOf(""), HasSubstr("safetensors"));
  EXPECT_FALSE(ReadStrengths(file + "x", genome_).ok());
}

TEST_F(StrengthsTest, ThoseOfAChildAreNotItsParents) {
  std::vector<std::vector<int>> keep(genome_.size());
  keep[genome_.convs()[0]] = {0};
  const Genome child = *genome_.Prune(keep);
  EXPECT_FALSE(ReadStrengths(SerializeStrengths(right_), child).ok());
}

}  // namespace
}  // namespace squish
