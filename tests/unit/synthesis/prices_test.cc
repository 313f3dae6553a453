#include "worker/synthesis/prices.h"

#include <vector>

#include "common/genome/ancestors.h"
#include "common/genome/cost.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/random_genome.h"
#include "tests/unit/synthesis/synthesis_fixtures.h"

namespace squish {
namespace {

using ::testing::DoubleEq;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kParameters = v1::EnvironmentSpec::PARAMETERS;
constexpr auto kMacs = v1::EnvironmentSpec::MACS;
constexpr auto kTime = v1::EnvironmentSpec::TIME;

// Three filters a, four b and two of the head, with 6, 16 and 10 parameters.
Genome ThreeConvs() {
  return *Genome::Create({{"input", {}, Input{1}},
                          {"a", {0}, Conv2d{1, 1, 0, {0, 1, 2}}},
                          {"relu", {1}, Relu{}},
                          {"b", {2}, Conv2d{1, 1, 0, {0, 1, 2, 3}}},
                          {"head", {3}, Conv2d{1, 1, 0, {0, 1}}},
                          {"pool", {4}, GlobalAveragePool{}}});
}

std::vector<v1::LayerTime> Profile(
    const std::vector<std::pair<std::string, double>>& milliseconds) {
  std::vector<v1::LayerTime> profile;
  for (const auto& [layer, time] : milliseconds) {
    profile.emplace_back();
    profile.back().set_layer(layer);
    profile.back().set_milliseconds(time);
  }
  return profile;
}

std::vector<double> AllOf(const Genome& genome) {
  std::vector<double> channels;
  for (const FilterGroup& group : genome.groups()) {
    channels.push_back(genome.conv(group.layers[0]).filters());
  }
  return channels;
}

TEST(PricesTest, OfParametersAndMacsAddUpToTheGenomesOwn) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    const Genome genome = RandomGenome(seed);
    const int size = SmallestInputSize(genome) + static_cast<int>(seed % 5);
    EXPECT_EQ(PriceOf(genome, *PricesOf(genome, kParameters, 0, {}), AllOf(genome)),
              static_cast<double>(CountParameters(genome)));
    EXPECT_EQ(PriceOf(genome, *PricesOf(genome, kMacs, size, {}), AllOf(genome)),
              static_cast<double>(ComputeCost(genome, size)->macs));
  }
}

TEST(PricesTest, AreThoseOfNarrowerGenomesToo) {
  const Genome whole = *SqueezeNetV11(10), narrow = *SqueezeNetV11(10, 0.3);
  EXPECT_EQ(PriceOf(whole, *PricesOf(whole, kMacs, 64, {}), AllOf(narrow)),
            static_cast<double>(ComputeCost(narrow, 64)->macs));
}

TEST(PricesTest, TimeFollowsFiltersAndInputs) {
  const Genome genome = ThreeConvs();
  const auto prices = PricesOf(
      genome, kTime, 0, Profile({{"a", 3}, {"relu", 0.6}, {"b", 12}, {"head", 8}, {"pool", 0.2}}));
  ASSERT_TRUE(prices.ok()) << prices.status();
  EXPECT_THAT(PriceOf(genome, *prices, {3, 4, 2}), DoubleNear(23.8, 1e-12));
  // Two thirds of a, half of b: 2 + 0.4 + 12 · 2/3 · 1/2 + 8 · 1/2 + 0.2.
  EXPECT_THAT(PriceOf(genome, *prices, {2, 2, 2}), DoubleNear(10.6, 1e-12));
}

TEST(PricesTest, OfAFilterIncludeWhatItFeeds) {
  const Genome genome = ThreeConvs();
  // One of a: 2, and 4 weights of b. One of b: 4, and 2 of the head. One of the head: 5.
  EXPECT_THAT(PricesOfFilters(genome, *PricesOf(genome, kParameters, 0, {})),
              ElementsAre(6, 6, 5));
  const auto prices =
      PricesOf(genome, kTime, 0, Profile({{"a", 3}, {"b", 12}, {"head", 8}}));
  EXPECT_THAT(PricesOfFilters(genome, *prices), ElementsAre(DoubleEq(5), DoubleEq(5), DoubleEq(4)));
}

TEST(PricesTest, ProfilesThatDoNotFitAreRefused) {
  const auto refusal = [](const std::vector<std::pair<std::string, double>>& times) {
    const auto prices = PricesOf(ThreeConvs(), kTime, 0, Profile(times));
    EXPECT_EQ(prices.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(prices.status().message());
  };
  EXPECT_THAT(refusal({}), HasSubstr("no time of the layer 'a'"));
  EXPECT_THAT(refusal({{"a", 1}, {"b", 1}}), HasSubstr("no time of the layer 'head'"));
  EXPECT_THAT(refusal({{"a", 1}, {"b", 1}, {"head", 1}, {"c", 1}}), HasSubstr("a layer 'c'"));
  EXPECT_THAT(refusal({{"a", 1}, {"a", 1}}), HasSubstr("twice"));
  EXPECT_THAT(refusal({{"a", -1}}), HasSubstr("-1 ms"));
}

TEST(PricesTest, PicturesThatAreTooSmallAreRefused) {
  EXPECT_EQ(PricesOf(*SqueezeNetV11(10), kMacs, 4, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace squish
