// What holds for every genome, tried on random ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/genome/cost.h"
#include "common/genome/genome.h"
#include "common/genome/shapes.h"
#include "tests/support/random_genome.h"

namespace squish {
namespace {

constexpr uint64_t kGenomes = 400;

// A channel named by where it came from in the ancestor: layer and lineage index.
using AncestralChannel = std::pair<int, int>;

std::vector<AncestralChannel> Ancestral(const Genome& genome,
                                        const std::vector<Genome::ChannelOrigin>& origins) {
  std::vector<AncestralChannel> channels;
  for (const auto& origin : origins) {
    channels.emplace_back(origin.layer, genome.IsConv(origin.layer)
                                            ? genome.conv(origin.layer).lineage[origin.filter]
                                            : origin.filter);
  }
  return channels;
}

bool Survives(const Genome& child, const AncestralChannel& channel) {
  if (!child.IsConv(channel.first)) return true;
  const std::vector<int>& lineage = child.conv(channel.first).lineage;
  return std::binary_search(lineage.begin(), lineage.end(), channel.second);
}

TEST(GenomePropertyTest, TheGeneratorDrawsWhatItPromises) {
  std::map<std::string, int> seen;
  std::set<std::string> digests;
  for (uint64_t seed = 0; seed < kGenomes; ++seed) {
    const Genome genome = RandomGenome(seed);
    digests.insert(genome.Digest());
    int concats = 0;
    for (const Layer& layer : genome.layers()) {
      if (const auto* conv = std::get_if<Conv2d>(&layer.operation)) {
        ++seen[conv->kernel % 2 == 0 ? "even kernel" : "odd kernel"];
        seen["stride above 1"] += conv->stride > 1;
        seen["gap in lineage"] += conv->lineage.back() >= conv->filters();
      }
      if (std::holds_alternative<Concat>(layer.operation)) {
        ++concats;
        for (const int input : layer.inputs) {
          seen["concat of concat"] += std::holds_alternative<Concat>(genome.layer(input).operation);
        }
      }
      seen["pool"] += std::holds_alternative<MaxPool>(layer.operation);
    }
    seen["several concats"] += concats > 1;
    EXPECT_LE(SmallestInputSize(genome), 64) << seed;
    EXPECT_EQ(genome, RandomGenome(seed));
  }
  EXPECT_EQ(digests.size(), kGenomes);
  for (const char* what : {"even kernel", "odd kernel", "stride above 1", "gap in lineage",
                           "concat of concat", "pool", "several concats"}) {
    EXPECT_GE(seen[what], 40) << what;
  }
}

TEST(GenomePropertyTest, JsonRoundTrips) {
  for (uint64_t seed = 0; seed < kGenomes; ++seed) {
    const Genome genome = RandomGenome(seed);
    const auto read = Genome::FromJson(genome.Json());
    ASSERT_TRUE(read.ok()) << seed << ": " << read.status();
    EXPECT_EQ(read->layers(), genome.layers()) << seed;
    EXPECT_EQ(read->Digest(), genome.Digest()) << seed;
    EXPECT_EQ(read->ArchitectureDigest(), genome.ArchitectureDigest()) << seed;
  }
}

TEST(GenomePropertyTest, EveryConvolutionIsInExactlyOneGroup) {
  for (uint64_t seed = 0; seed < kGenomes; ++seed) {
    const Genome genome = RandomGenome(seed);
    std::vector<int> members;
    int last_first = -1;
    for (const FilterGroup& group : genome.groups()) {
      ASSERT_FALSE(group.layers.empty());
      EXPECT_GT(group.layers.front(), last_first) << "groups come by first layer";
      last_first = group.layers.front();
      bool has_head = false;
      for (const int layer : group.layers) {
        EXPECT_EQ(genome.conv(layer).lineage, genome.conv(group.layers.front()).lineage);
        has_head |= layer == genome.head();
        members.push_back(layer);
      }
      EXPECT_EQ(group.prunable, !has_head);
    }
    std::sort(members.begin(), members.end());
    EXPECT_EQ(members, genome.convs()) << seed;
  }
}

TEST(GenomePropertyTest, OriginsAreAsManyAsChannels) {
  for (uint64_t seed = 0; seed < kGenomes; ++seed) {
    const Genome genome = RandomGenome(seed);
    for (int i = 0; i < genome.size(); ++i) {
      const auto outputs = genome.OutputOrigins(i);
      ASSERT_EQ(static_cast<int>(outputs.size()), genome.OutputChannels(i)) << seed;
      std::vector<Genome::ChannelOrigin> inputs;
      for (const int input : genome.layer(i).inputs) {
        const auto part = genome.OutputOrigins(input);
        inputs.insert(inputs.end(), part.begin(), part.end());
      }
      ASSERT_EQ(genome.InputOrigins(i), inputs) << seed;
      ASSERT_EQ(static_cast<int>(inputs.size()), genome.InputChannels(i)) << seed;
      for (const auto& origin : outputs) {
        ASSERT_TRUE(origin.layer == 0 || genome.IsConv(origin.layer)) << seed;
        ASSERT_LT(origin.filter, genome.OutputChannels(origin.layer)) << seed;
      }
    }
  }
}

// The invariant that inheritance of weights stands on: what goes into a layer of the
// child is what went into the parent's, less the channels whose filter died.
TEST(GenomePropertyTest, PrunedInputsAreTheSurvivorsOfTheParentsInputsInOrder) {
  for (uint64_t seed = 0; seed < kGenomes; ++seed) {
    Genome parent = RandomGenome(seed);
    for (uint64_t generation = 0; generation < 3; ++generation) {
      const auto child = parent.Prune(RandomKeep(parent, 1000 * generation + seed));
      ASSERT_TRUE(child.ok()) << seed << ": " << child.status();
      for (int i = 0; i < parent.size(); ++i) {
        std::vector<AncestralChannel> expected = Ancestral(parent, parent.InputOrigins(i));
        std::erase_if(expected, [&](const auto& channel) { return !Survives(*child, channel); });
        ASSERT_EQ(Ancestral(*child, child->InputOrigins(i)), expected)
            << "seed " << seed << ", layer " << parent.layer(i).name;
      }
      parent = *child;
    }
  }
}

TEST(GenomePropertyTest, PruningKeepsExactlyThePositions) {
  for (uint64_t seed = 0; seed < kGenomes; ++seed) {
    const Genome parent = RandomGenome(seed);
    const auto keep = RandomKeep(parent, seed);
    const Genome child = *parent.Prune(keep);
    EXPECT_EQ(child.classes(), parent.classes());
    for (const int conv : parent.convs()) {
      std::vector<int> expected;
      for (const int position : keep[conv]) expected.push_back(parent.conv(conv).lineage[position]);
      if (keep[conv].empty()) expected = parent.conv(conv).lineage;
      EXPECT_EQ(child.conv(conv).lineage, expected) << seed;
    }
  }
}

TEST(GenomePropertyTest, PruningNeverCostsMoreAndNeverChangesSizes) {
  for (uint64_t seed = 0; seed < kGenomes; ++seed) {
    const Genome parent = RandomGenome(seed);
    const Genome child = *parent.Prune(RandomKeep(parent, seed));
    for (const int extra : {0, 1, 2, 7}) {
      const int size = SmallestInputSize(parent) + extra;
      const auto before = ComputeShapes(parent, size), after = ComputeShapes(child, size);
      ASSERT_TRUE(before.ok()) << seed << ": " << before.status();
      ASSERT_TRUE(after.ok()) << seed << ": " << after.status();
      for (int i = 0; i < parent.size(); ++i) {
        EXPECT_EQ((*before)[i].height, (*after)[i].height) << seed;
        EXPECT_EQ((*before)[i].width, (*after)[i].width) << seed;
      }
      EXPECT_EQ(after->back(), (Shape{child.classes(), 1, 1}));
      EXPECT_LE(ComputeCost(child, size)->macs, ComputeCost(parent, size)->macs);
    }
    EXPECT_LE(CountParameters(child), CountParameters(parent));
  }
}

TEST(GenomePropertyTest, PrunedGenomesRoundTrip) {
  for (uint64_t seed = 0; seed < kGenomes; ++seed) {
    const Genome parent = RandomGenome(seed);
    const Genome child = *parent.Prune(RandomKeep(parent, seed));
    const auto read = Genome::FromJson(child.Json());
    ASSERT_TRUE(read.ok()) << seed << ": " << read.status();
    EXPECT_EQ(*read, child);
  }
}

}  // namespace
}  // namespace squish
