#include "common/export/reference.h"

#include <functional>
#include <limits>
#include <utility>

#include "common/genome/ancestors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace squish {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kSide = 32;

Network Example(int input_size = kSide) {
  Genome genome = *SqueezeNetV11(2, 0.1);
  TensorMap weights = FreshWeights(genome, 1, 0, 0);
  Network network{std::move(genome), std::move(weights), {"cat", "dog"}, {}};
  network.preprocessing.set_input_size(input_size);
  return network;
}

Tensor Counting(std::vector<int64_t> shape) {
  int64_t size = 1;
  for (const int64_t side : shape) size *= side;
  Tensor tensor{std::move(shape), std::vector<float>(size)};
  for (int64_t i = 0; i < size; ++i) tensor.values[i] = static_cast<float>(i) / 8.0f;
  return tensor;
}

std::vector<ReferenceOutputs> Outputs() {
  return {{kSide, Counting({3, 3, kSide, kSide}), Counting({3, 2})},
          {100, Counting({3, 3, 100, 100}), Counting({3, 2})}};
}

TEST(ReferenceTest, SizesAreTheNetworksAndAHundredButNotTwiceTheSame) {
  EXPECT_THAT(ReferenceSizes(64), ElementsAre(64, 100));
  EXPECT_THAT(ReferenceSizes(100), ElementsAre(100));
}

TEST(ReferenceTest, WhatWasWrittenIsReadBack) {
  const auto read = ReferenceFromSafetensors(ReferenceToSafetensors(Outputs()), Example());
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), 2u);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ((*read)[i].size, Outputs()[i].size);
    EXPECT_EQ((*read)[i].pictures, Outputs()[i].pictures);
    EXPECT_EQ((*read)[i].logits, Outputs()[i].logits);
  }
}

TEST(ReferenceTest, ANetworkOfAHundredPixelsHasOneSize) {
  const auto read =
      ReferenceFromSafetensors(ReferenceToSafetensors({Outputs()[1]}), Example(/*input_size=*/100));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->size(), 1u);
}

struct Damage {
  const char* name;
  std::function<void(std::vector<ReferenceOutputs>&)> damage;
  const char* message;
};

class BadReferenceTest : public testing::TestWithParam<Damage> {};

TEST_P(BadReferenceTest, IsRefusedAndNamed) {
  std::vector<ReferenceOutputs> outputs = Outputs();
  GetParam().damage(outputs);
  const auto read = ReferenceFromSafetensors(ReferenceToSafetensors(outputs), Example());
  EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(read.status().message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadReferenceTest,
    testing::Values(
        Damage{"ASizeIsMissing", [](auto& outputs) { outputs.pop_back(); }, "has no input.100"},
        Damage{"AnotherSize", [](auto& outputs) { outputs[0].size = 48; }, "has no input.32"},
        Damage{"AnotherSide",
               [](auto& outputs) {
                 outputs[0].pictures = Counting({3, 3, 32, 31});
               },
               "input.32 is 3×3×32×31, not N×3×32×32"},
        Damage{"OtherChannels",
               [](auto& outputs) {
                 outputs[0].pictures = Counting({3, 4, 32, 32});
               },
               "input.32"},
        Damage{"OtherClasses",
               [](auto& outputs) {
                 outputs[1].logits = Counting({3, 7});
               },
               "logits.100 is 3×7"},
        Damage{"AnotherRank", [](auto& outputs) { outputs[1].logits = Counting({6}); },
               "logits.100"},
        Damage{"NoPictures",
               [](auto& outputs) {
                 outputs[0].pictures = Counting({0, 3, 32, 32});
                 outputs[0].logits = Counting({0, 2});
               },
               "input.32"},
        Damage{"AnotherCount",
               [](auto& outputs) {
                 outputs[0].logits = Counting({2, 2});
               },
               "3 pictures of 32 pixels and outputs for 2"},
        Damage{"NotFinite",
               [](auto& outputs) {
                 outputs[0].logits.values[1] = std::numeric_limits<float>::infinity();
               },
               "logits.32"}),
    [](const auto& info) { return info.param.name; });

TEST(ReferenceTest, WhatIsNoSafetensorsIsRefused) {
  EXPECT_EQ(ReferenceFromSafetensors("", Example()).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace squish
