#include "worker/synthesis/mating.h"

#include <algorithm>
#include <cmath>

#include "common/base/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/random_genome.h"
#include "tests/unit/synthesis/synthesis_fixtures.h"

namespace squish {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Layer a with filters of `a`, which the head of two classes reads.
Genome TwoConvs(std::vector<int> a) {
  return *Genome::Create({{"input", {}, Input{1}},
                          {"a", {0}, Conv2d{1, 1, 0, std::move(a)}},
                          {"head", {1}, Conv2d{1, 1, 0, {0, 1}}},
                          {"pool", {2}, GlobalAveragePool{}}});
}

Parent MakeParent(std::vector<int> lineage, std::vector<float> a, std::vector<float> head) {
  const auto filters = static_cast<int64_t>(lineage.size());
  Network network{TwoConvs(std::move(lineage)), {}, {"x", "y"}, {}};
  network.weights["a.weight"] = {{filters, 1, 1, 1}, a};
  for (float& value : a) value *= 10;
  network.weights["a.bias"] = {{filters}, std::move(a)};
  network.weights["head.weight"] = {{2, filters, 1, 1}, std::move(head)};
  network.weights["head.bias"] = {{2}, {0, 0}};
  return {std::move(network), std::nullopt};
}

v1::SynthesisSpec Spec(int mates, double tagging) {
  v1::SynthesisSpec spec;
  spec.set_strength(v1::SynthesisSpec::L1);
  spec.set_minimum_filters(1);
  spec.set_mates(mates);
  spec.set_tagging(tagging);
  return spec;
}

Candidate MateOf(const std::vector<Parent>& parents, const v1::SynthesisSpec& spec) {
  return *Mate(parents, spec, /*seed=*/5, Key(2, 1));
}

const std::vector<int>& LineageOfA(const Candidate& candidate) {
  return candidate.network.genome.conv(1).lineage;
}

TEST(MateTest, OneParentIsTheCandidate) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Network parent = RandomNetwork(RandomGenome(seed), seed);
    const Candidate candidate = MateOf({{parent, std::nullopt}}, Spec(1, 0));
    EXPECT_EQ(candidate.network.genome.Digest(), parent.genome.Digest());
    EXPECT_EQ(WeightsDigest(candidate.network.weights), WeightsDigest(parent.weights));
  }
}

TEST(MateTest, StrengthsOfOneParentAreSumsOfMagnitudesOrTheirNorms) {
  const Parent parent = MakeParent({0, 1, 2}, {-2, 0.5, 0}, {0, 0, 0, 0, 0, 0});
  v1::SynthesisSpec spec = Spec(1, 0);
  EXPECT_THAT(MateOf({parent}, spec).strengths[0], ElementsAre(2, 0.5, 0));
  spec.set_truncation(0.5);
  EXPECT_THAT(MateOf({parent}, spec).strengths[0], ElementsAre(2, 0.5, 0)) << "those at it count";
  spec.set_truncation(0.75);
  EXPECT_THAT(MateOf({parent}, spec).strengths[0], ElementsAre(2, 0, 0));

  const Network wide = RandomNetwork(RandomGenome(3), 3);
  spec.set_truncation(0);
  spec.set_strength(v1::SynthesisSpec::L2);
  const Strengths l2 = MateOf({{wide, std::nullopt}}, spec).strengths;
  for (size_t g = 0; g < l2.size(); ++g) {
    if (!wide.genome.groups()[g].prunable) continue;
    std::vector<double> squares(l2[g].size(), 0.0);
    for (const int layer : wide.genome.groups()[g].layers) {
      const auto& values = wide.weights.at(wide.genome.layer(layer).name + ".weight").values;
      const size_t synapses = values.size() / squares.size();
      for (size_t i = 0; i < values.size(); ++i) {
        squares[i / synapses] += static_cast<double>(values[i]) * values[i];
      }
    }
    for (size_t c = 0; c < squares.size(); ++c) EXPECT_DOUBLE_EQ(l2[g][c], std::sqrt(squares[c]));
  }
}

TEST(MateTest, SeveralParentsMultiplyTheirWeights) {
  const std::vector<Parent> parents = {MakeParent({0, 1}, {4, -1}, {1, 1, 1, 1}),
                                       MakeParent({0, 1}, {-9, 0}, {1, 1, 1, 1})};
  v1::SynthesisSpec spec = Spec(2, 1);
  // √(4 · 9) and √(1 · 0).
  EXPECT_THAT(MateOf(parents, spec).strengths[0], ElementsAre(DoubleNear(6, 1e-12), 0));
  spec.add_shares(3);
  spec.add_shares(1);
  EXPECT_THAT(MateOf(parents, spec).strengths[0],
              ElementsAre(DoubleNear(std::pow(4, 0.75) * std::pow(9, 0.25), 1e-12), 0));
}

// After the ancestor there is one parent, whatever was wanted.
TEST(MateTest, WhereFewerParentsWereSelectedTheFirstSharesCount) {
  const Parent one = MakeParent({0, 1}, {4, -1}, {1, 1, 1, 1});
  const Parent other = MakeParent({0, 1}, {-9, 0}, {1, 1, 1, 1});
  v1::SynthesisSpec spec = Spec(3, 1);
  for (const double share : {3, 1, 5}) spec.add_shares(share);
  EXPECT_THAT(MateOf({one}, spec).strengths[0], ElementsAre(4, 1));
  EXPECT_THAT(MateOf({one, other}, spec).strengths[0],
              ElementsAre(DoubleNear(std::pow(4, 0.75) * std::pow(9, 0.25), 1e-12), 0));
}

TEST(MateTest, AFilterThatOneParentLacksHasTheOthersStrength) {
  const std::vector<Parent> parents = {MakeParent({0, 2}, {4, 2}, {1, 1, 1, 1}),
                                       MakeParent({0, 1}, {9, 7}, {1, 1, 1, 1})};
  const Candidate candidate = MateOf(parents, Spec(2, 0.5));
  EXPECT_THAT(LineageOfA(candidate), ElementsAre(0, 1, 2));
  EXPECT_THAT(candidate.strengths[0],
              ElementsAre(DoubleNear(6, 1e-12), DoubleNear(7, 1e-12), DoubleNear(2, 1e-12)));
}

TEST(MateTest, WeightsComeFromTheFirstThatHasBothEndsElseTheyAreFresh) {
  const std::vector<Parent> parents = {MakeParent({0, 2}, {1, 2}, {11, 12, 13, 14}),
                                       MakeParent({0, 1}, {3, 4}, {21, 22, 23, 24})};
  const Candidate candidate = MateOf(parents, Spec(2, 0.5));
  EXPECT_THAT(candidate.network.weights.at("a.weight").values, ElementsAre(1, 4, 2));
  EXPECT_THAT(candidate.network.weights.at("a.bias").values, ElementsAre(10, 40, 20));
  EXPECT_THAT(candidate.network.weights.at("head.weight").values,
              ElementsAre(11, 22, 12, 13, 24, 14));

  // Layer b's filter 1 is the second parent's, layer a's filter 1 the first's: no parent has
  // the synapse between them.
  const auto two_layers = [](std::vector<int> a, std::vector<int> b, float value) {
    Genome genome = *Genome::Create({{"input", {}, Input{1}},
                                     {"a", {0}, Conv2d{1, 1, 0, std::move(a)}},
                                     {"b", {1}, Conv2d{1, 1, 0, std::move(b)}},
                                     {"head", {2}, Conv2d{1, 1, 0, {0, 1}}},
                                     {"pool", {3}, GlobalAveragePool{}}});
    Network network = RandomNetwork(genome, 1);
    for (auto& [name, tensor] : network.weights) {
      std::fill(tensor.values.begin(), tensor.values.end(), value);
    }
    return Parent{std::move(network), std::nullopt};
  };
  const Candidate mixed =
      MateOf({two_layers({0, 1}, {0}, 1), two_layers({0}, {0, 1}, 2)}, Spec(2, 0.5));
  const TensorMap fresh = FreshWeights(mixed.network.genome, 5, 2, 1);
  EXPECT_THAT(mixed.network.weights.at("b.weight").values,
              ElementsAre(1, 1, 2, fresh.at("b.weight").values[3]));
}

TEST(MateTest, TaggingAsksForSoManyParents) {
  std::vector<Parent> parents;
  // Filter i is in i + 1 of five parents.
  for (int k = 0; k < 5; ++k) {
    std::vector<int> lineage;
    for (int filter = 4 - k; filter < 5; ++filter) lineage.push_back(filter);
    const size_t count = lineage.size();
    parents.push_back(MakeParent(lineage, std::vector<float>(count, 1),
                                 std::vector<float>(2 * count, 1)));
  }
  const std::vector<std::pair<double, int>> cases = {
      {0.01, 1}, {0.2, 1}, {0.21, 2}, {0.4, 2}, {0.5, 3}, {0.6, 3}, {0.61, 4}, {0.8, 4}, {1, 5}};
  for (const auto& [tagging, needed] : cases) {
    const Candidate candidate = MateOf(parents, Spec(5, tagging));
    EXPECT_EQ(LineageOfA(candidate).size(), 6 - needed) << "Φ " << tagging;
    EXPECT_EQ(LineageOfA(candidate).front(), needed - 1) << "Φ " << tagging;
  }
}

TEST(MateTest, AFloorIsFilledWithWhatMostAndThenTheBestHave) {
  const std::vector<Parent> parents = {MakeParent({0, 6}, {1, 1}, {1, 1, 1, 1}),
                                       MakeParent({1, 5}, {1, 1}, {1, 1, 1, 1}),
                                       MakeParent({2, 5}, {1, 1}, {1, 1, 1, 1})};
  v1::SynthesisSpec spec = Spec(3, 1);
  spec.set_minimum_filters(3);
  // 5 is in two; 0 and 6 are the first parent's.
  EXPECT_THAT(LineageOfA(MateOf(parents, spec)), ElementsAre(0, 5, 6));
  spec.set_minimum_filters(100);
  EXPECT_THAT(LineageOfA(MateOf(parents, spec)), ElementsAre(0, 1, 2, 5, 6));
}

TEST(MateTest, PictureStrengthsAreComparedInUnitsOfEachParentsMean) {
  std::vector<Parent> parents = {MakeParent({0, 1}, {1, 1}, {1, 1, 1, 1}),
                                 MakeParent({0, 2}, {1, 1}, {1, 1, 1, 1})};
  // Means 2 and 20.
  parents[0].strengths = TensorMap{{"a.taylor", {{2}, {1, 3}}}, {"a.activation", {{2}, {0, 0}}}};
  parents[1].strengths = TensorMap{{"a.taylor", {{2}, {30, 10}}}, {"a.activation", {{2}, {4, 4}}}};
  v1::SynthesisSpec spec = Spec(2, 0.5);
  spec.set_strength(v1::SynthesisSpec::TAYLOR);
  EXPECT_THAT(MateOf(parents, spec).strengths[0],
              ElementsAre(DoubleNear(std::sqrt(0.5 * 1.5), 1e-12), DoubleNear(1.5, 1e-12),
                          DoubleNear(0.5, 1e-12)));
  spec.set_strength(v1::SynthesisSpec::ACTIVATION);
  EXPECT_THAT(MateOf(parents, spec).strengths[0], ElementsAre(0, 0, DoubleNear(1, 1e-12)))
      << "what is 0 in one parent is 0";
}

TEST(MateTest, ANetworkMatedWithItselfIsItself) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const Parent parent = {TrainedLike(RandomNetwork(RandomGenome(seed), seed), seed),
                           std::nullopt};
    const Candidate one = MateOf({parent}, Spec(1, 0));
    const Candidate three = MateOf({parent, parent, parent}, Spec(3, 1));
    EXPECT_EQ(three.network.genome.Digest(), one.network.genome.Digest());
    EXPECT_EQ(WeightsDigest(three.network.weights), WeightsDigest(one.network.weights));
    for (size_t g = 0; g < one.strengths.size(); ++g) {
      for (size_t c = 0; c < one.strengths[g].size(); ++c) {
        EXPECT_NEAR(three.strengths[g][c], one.strengths[g][c], 1e-12 * one.strengths[g][c]);
      }
    }
  }
}

TEST(MateTest, ParentsThatDoNotFitAreRefused) {
  const Parent parent = MakeParent({0, 1}, {1, 1}, {1, 1, 1, 1});
  const Parent other = {RandomNetwork(RandomGenome(1), 1), std::nullopt};
  const auto error = [](const std::vector<Parent>& parents, const v1::SynthesisSpec& spec) {
    const auto candidate = Mate(parents, spec, 1, Key(1, 0));
    EXPECT_EQ(candidate.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(candidate.status().message());
  };
  EXPECT_THAT(error({parent, other}, Spec(2, 1)), HasSubstr("same ancestor"));
  v1::SynthesisSpec spec = Spec(2, 1);
  spec.add_shares(1);
  EXPECT_THAT(error({parent, parent}, spec), HasSubstr("1 shares for 2 parents"));
  spec = Spec(1, 0);
  spec.set_strength(v1::SynthesisSpec::TAYLOR);
  EXPECT_THAT(error({parent}, spec), HasSubstr("strengths are missing"));
}

}  // namespace
}  // namespace squish
