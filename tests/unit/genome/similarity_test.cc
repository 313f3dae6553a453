#include "common/genome/similarity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "common/genome/ancestors.h"
#include "tests/support/random_genome.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

// Two prunable layers and a head of two.
Genome Chain(std::vector<int> first, std::vector<int> second,
             const std::string& name_of_second = "b") {
  return *Genome::Create({{"input", {}, Input{3}},
                          {"a", {0}, Conv2d{3, 1, 1, std::move(first)}},
                          {name_of_second, {1}, Conv2d{1, 1, 0, std::move(second)}},
                          {"head", {2}, Conv2d{1, 1, 0, {0, 1}}},
                          {"gap", {3}, GlobalAveragePool{}}});
}

TEST(SimilarityTest, IsTheShareOfClustersThatBothHaveByHand) {
  // a: {0, 1, 2} and {1, 2, 3} share 2 of 4; b: {5} and {5, 6} share 1 of 2; the head, which
  // cannot be pruned, does not count: (2 + 1) / (4 + 2).
  EXPECT_EQ(*ArchitecturalSimilarity(Chain({0, 1, 2}, {5}), Chain({1, 2, 3}, {5, 6})), 0.5);
}

TEST(SimilarityTest, IsOneForTheSameAndZeroForNothingInCommon) {
  EXPECT_EQ(*ArchitecturalSimilarity(Chain({0, 7}, {3}), Chain({0, 7}, {3})), 1.0);
  EXPECT_EQ(*ArchitecturalSimilarity(Chain({0, 2}, {1, 3}), Chain({1, 3}, {0, 2})), 0.0);
}

TEST(SimilarityTest, IsOfLineageAndNotOfCounts) {
  const Genome a = Chain({0, 1}, {0, 1}), b = Chain({0, 1}, {2, 3});
  EXPECT_EQ(a.ArchitectureDigest(), b.ArchitectureDigest());
  EXPECT_EQ(*ArchitecturalSimilarity(a, b), 2.0 / 6.0);
}

TEST(SimilarityTest, OfAnAncestorIsTheShareThatIsLeft) {
  const Genome ancestor = *SqueezeNetV11(10);
  std::vector<std::vector<int>> keep(ancestor.size());
  int left = 0, all = 0;
  for (const FilterGroup& group : ancestor.groups()) {
    const int filters = ancestor.conv(group.layers[0]).filters();
    if (!group.prunable) continue;
    for (int i = 0; i < filters; i += 2) keep[group.layers[0]].push_back(i);
    left += (filters + 1) / 2;
    all += filters;
  }
  EXPECT_EQ(*ArchitecturalSimilarity(ancestor, *ancestor.Prune(keep)),
            static_cast<double>(left) / all);
}

// Against the definition, with sets.
TEST(SimilarityTest, OfRandomSiblingsIsWhatTheSetsSay) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const Genome parent = RandomGenome(seed);
    const Genome a = *parent.Prune(RandomKeep(parent, 2 * seed));
    const Genome b = *parent.Prune(RandomKeep(parent, 2 * seed + 1));
    std::set<std::pair<int, int>> of_a, either;
    int both = 0;
    for (const FilterGroup& group : parent.groups()) {
      if (!group.prunable) continue;
      for (const int i : a.conv(group.layers[0]).lineage) of_a.emplace(group.layers[0], i);
    }
    either = of_a;
    for (const FilterGroup& group : parent.groups()) {
      if (!group.prunable) continue;
      for (const int i : b.conv(group.layers[0]).lineage) {
        both += static_cast<int>(of_a.count({group.layers[0], i}));
        either.emplace(group.layers[0], i);
      }
    }
    const double expected = either.empty() ? 1.0 : both / static_cast<double>(either.size());
    EXPECT_EQ(*ArchitecturalSimilarity(a, b), expected) << "seed " << seed;
    EXPECT_EQ(*ArchitecturalSimilarity(b, a), expected) << "seed " << seed;
  }
}

TEST(SimilarityTest, OfNetworksWithOtherLayersIsRefused) {
  const auto other_name = ArchitecturalSimilarity(Chain({0}, {0}), Chain({0}, {0}, "c"));
  EXPECT_EQ(other_name.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(other_name.status().message()), HasSubstr("b: "));
  const auto other_count = ArchitecturalSimilarity(Chain({0}, {0}), *SqueezeNetV11(2));
  EXPECT_EQ(other_count.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(other_count.status().message()), HasSubstr("with 2 and 25"));
}

TEST(MeanSimilarityTest, IsTheMeanOverAllPairs) {
  // {0, 1} and {0, 1}: 1. {0, 1} and {1, 2}, twice: with b (2 shared) they share 1 + 2 of
  // 3 + 2. (1 + 0.6 + 0.6) / 3.
  const Genome a = Chain({0, 1}, {0, 1}), b = Chain({1, 2}, {0, 1});
  EXPECT_DOUBLE_EQ(*MeanArchitecturalSimilarity({a, b, a}), 2.2 / 3);
  EXPECT_EQ(*MeanArchitecturalSimilarity({a, b}), 0.6);
}

TEST(MeanSimilarityTest, NeedsAPairOfOneAncestor) {
  for (const std::vector<Genome>& genomes : std::vector<std::vector<Genome>>{
           {}, {Chain({0}, {0})}, {Chain({0}, {0}), *SqueezeNetV11(2)}}) {
    EXPECT_EQ(MeanArchitecturalSimilarity(genomes).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace squish
