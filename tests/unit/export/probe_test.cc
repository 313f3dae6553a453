#include "common/export/probe.h"

#include <limits>

#include "common/genome/ancestors.h"
#include "common/weights/safetensors.h"
#include "common/weights/tensors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

constexpr int kSide = 20;
constexpr int kClasses = 3;

Tensor Counting(std::vector<int64_t> shape) {
  size_t count = 1;
  for (const int64_t side : shape) count *= static_cast<size_t>(side);
  Tensor tensor{std::move(shape), {}};
  for (size_t i = 0; i < count; ++i) tensor.values.push_back(static_cast<float>(i));
  return tensor;
}

class ProbeTest : public testing::Test {
 protected:
  std::string Refusal(const std::string& pictures, const std::string& outputs) const {
    const auto probe = ProbeFromSafetensors(pictures, outputs, kSide, genome_);
    EXPECT_EQ(probe.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(probe.status().message());
  }

  const Genome genome_ = *SqueezeNetV11(kClasses, 0.1);
  const Tensor pictures_ = Counting({kProbePictures, 3, kSide, kSide});
  const Tensor outputs_ = Counting({kProbePictures, kClasses});
};

TEST_F(ProbeTest, ReadsWhatItWrites) {
  const auto probe =
      ProbeFromSafetensors(ProbePicturesToSafetensors(pictures_),
                           ProbeOutputsToSafetensors(outputs_), kSide, genome_);
  ASSERT_TRUE(probe.ok()) << probe.status();
  EXPECT_EQ(probe->size, kSide);
  EXPECT_EQ(probe->pictures, pictures_);
  EXPECT_EQ(probe->logits, outputs_);
}

TEST_F(ProbeTest, TheFilesHoldOneTensorEachUnderItsName) {
  const std::string pictures = ProbePicturesToSafetensors(pictures_);
  const auto view = ParseSafetensors(pictures);
  ASSERT_TRUE(view.ok()) << view.status();
  ASSERT_EQ(view->tensors.size(), 1u);
  EXPECT_EQ(view->tensors.begin()->first, "pictures");
  const std::string outputs = ProbeOutputsToSafetensors(outputs_);
  EXPECT_EQ(ParseSafetensors(outputs)->tensors.begin()->first, "outputs");
}

TEST_F(ProbeTest, WhatIsNoProbeOfTheNetworkIsRefused) {
  const std::string pictures = ProbePicturesToSafetensors(pictures_);
  const std::string outputs = ProbeOutputsToSafetensors(outputs_);
  EXPECT_THAT(Refusal("no file", outputs), HasSubstr("the probe's pictures: "));
  EXPECT_THAT(Refusal(pictures, ""), HasSubstr("the probe's outputs: "));
  EXPECT_THAT(Refusal(outputs, outputs), HasSubstr("there is no tensor 'pictures'"));
  EXPECT_THAT(Refusal(pictures, pictures), HasSubstr("there is no tensor 'outputs'"));
  EXPECT_THAT(Refusal(ProbePicturesToSafetensors(Counting({7, 3, kSide, kSide})), outputs),
              HasSubstr("'pictures' is 7×3×20×20, not 8×3×20×20"));
  EXPECT_THAT(Refusal(pictures, ProbeOutputsToSafetensors(Counting({kProbePictures, 4}))),
              HasSubstr("'outputs' is 8×4, not 8×3"));
  Tensor infinite = outputs_;
  infinite.values[5] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(Refusal(pictures, ProbeOutputsToSafetensors(infinite)), HasSubstr("not finite"));
}

}  // namespace
}  // namespace squish
