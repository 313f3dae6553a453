#include "common/genome/genome.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <numeric>
#include <string>
#include <utility>

#include "common/genome/ancestors.h"
#include "common/genome/cost.h"
#include "common/genome/filter_groups.h"

namespace squish {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Conv2d Conv(int filters, int kernel = 1, int stride = 1, int padding = 0) {
  Conv2d conv{kernel, stride, padding, std::vector<int>(filters)};
  std::iota(conv.lineage.begin(), conv.lineage.end(), 0);
  return conv;
}

// Two branches of 3 and 2 filters side by side before a head of 2:
//   0 input ─► 1 a ─┬─► 2 b ─► 3 relu ─┬─► 5 cat ─► 6 head ─► 7 gap
//                   └─► 4 c ───────────┘
std::vector<Layer> Fork() {
  return {
      {"input", {}, Input{3}}, {"a", {0}, Conv(4, 3, 2, 1)},      {"b", {1}, Conv(3)},
      {"b.relu", {2}, Relu{}}, {"c", {1}, Conv(2, 3, 1, 1)},      {"cat", {3, 4}, Concat{}},
      {"head", {5}, Conv(2)},  {"gap", {6}, GlobalAveragePool{}},
  };
}

std::vector<Layer> Changed(const std::function<void(std::vector<Layer>&)>& change) {
  std::vector<Layer> layers = Fork();
  change(layers);
  return layers;
}

void ExpectRefused(std::vector<Layer> layers, const std::string& why) {
  const auto genome = Genome::Create(std::move(layers));
  ASSERT_FALSE(genome.ok()) << "accepted, though " << why;
  EXPECT_EQ(genome.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(genome.status().message()), HasSubstr(why));
}

// --- SqueezeNet v1.1 --------------------------------------------------------

TEST(SqueezeNetTest, CostsWhatThePaperAndTorchvisionSay) {
  const Genome thousand = *SqueezeNetV11(1000);
  const Cost cost = *ComputeCost(thousand, 224);
  EXPECT_EQ(cost.parameters, 1'235'496);
  EXPECT_EQ(cost.bytes, 4 * 1'235'496);
  EXPECT_NEAR(cost.macs * 1e-6, 349.15, 0.005);
  const Genome ten = *SqueezeNetV11(10);
  EXPECT_EQ(CountParameters(ten), 727'626);
  EXPECT_NEAR(ComputeCost(ten, 224)->macs * 1e-6, 263.5, 0.05);
}

TEST(SqueezeNetTest, LayersHaveTorchvisionsNamesAndOrder) {
  const Genome genome = *SqueezeNetV11(10);
  std::vector<std::string> names;
  for (const int conv : genome.convs()) names.push_back(genome.layer(conv).name);
  ASSERT_EQ(names.size(), 26);
  EXPECT_EQ(names.front(), "features.0");
  EXPECT_EQ(names[1], "features.3.squeeze");
  EXPECT_EQ(names[2], "features.3.expand1x1");
  EXPECT_EQ(names[3], "features.3.expand3x3");
  EXPECT_EQ(names[24], "features.12.expand3x3");
  EXPECT_EQ(names.back(), "classifier.1");
  EXPECT_EQ(genome.layer(genome.head()).name, "classifier.1");
  EXPECT_EQ(genome.classes(), 10);
}

TEST(SqueezeNetTest, WidthScalesEveryLayerButTheHead) {
  const Genome tenth = *SqueezeNetV11(10, 0.1);
  EXPECT_EQ(tenth.conv(1).filters(), 6);                 // 64 · 0.1 = 6.4
  EXPECT_EQ(tenth.conv(tenth.convs()[1]).filters(), 2);  // 16 · 0.1 = 1.6
  EXPECT_EQ(tenth.classes(), 10);
  const Genome thinnest = *SqueezeNetV11(10, 1e-9);
  for (const int conv : thinnest.convs()) {
    const int expected = conv == thinnest.head() ? 10 : 1;
    EXPECT_EQ(thinnest.conv(conv).filters(), expected);
  }
}

TEST(SqueezeNetTest, ImpossibleClassesAndWidthsAreRefused) {
  for (const int classes : {-1, 0, 1, 10'001}) EXPECT_FALSE(SqueezeNetV11(classes).ok()) << classes;
  for (const double width : {-1.0, 0.0, 1.0001, 0.0 / 0.0, 1.0 / 0.0}) {
    EXPECT_FALSE(SqueezeNetV11(10, width).ok()) << width;
  }
  EXPECT_TRUE(SqueezeNetV11(2).ok());
  EXPECT_TRUE(SqueezeNetV11(10'000).ok());
}

// --- Checks -----------------------------------------------------------------

TEST(GenomeTest, AForkIsAGenome) {
  const auto genome = Genome::Create(Fork());
  ASSERT_TRUE(genome.ok()) << genome.status();
  EXPECT_THAT(genome->convs(), ElementsAre(1, 2, 4, 6));
  EXPECT_EQ(genome->head(), 6);
  EXPECT_EQ(genome->InputChannels(0), 0);
  EXPECT_EQ(genome->InputChannels(1), 3);
  EXPECT_EQ(genome->OutputChannels(5), 5);
  EXPECT_EQ(genome->InputChannels(6), 5);
  // (3·9+1)·4 + (4+1)·3 + (4·9+1)·2 + (5+1)·2
  EXPECT_EQ(CountParameters(*genome), 112 + 15 + 74 + 12);
}

TEST(GenomeTest, NamesAreChecked) {
  for (const std::string& name :
       {std::string(), std::string("a b"), std::string("a/b"), std::string("ä"),
        std::string("a\"b"), std::string(65, 'x'), std::string("a\0b", 3)}) {
    ExpectRefused(Changed([&](auto& layers) { layers[1].name = name; }), "layer 1: the name");
  }
  ExpectRefused(Changed([](auto& layers) { layers[4].name = "a"; }),
                "layer 4 (a): the name is taken");
  EXPECT_TRUE(
      Genome::Create(Changed([](auto& layers) { layers[1].name = std::string(64, 'x'); })).ok());
}

TEST(GenomeTest, ArityIsChecked) {
  ExpectRefused({}, "1 to 4096 layers, not 0");
  ExpectRefused(std::vector<Layer>(4097, {"x", {}, Input{}}), "not 4097");
  ExpectRefused(Changed([](auto& layers) { layers[0].inputs = {0}; }), "the input has no inputs");
  ExpectRefused(Changed([](auto& layers) { layers[3].operation = Input{}; }), "only layer 0");
  ExpectRefused(Changed([](auto& layers) { layers[0].operation = Relu{}; }), "layer 0 must be");
  ExpectRefused(Changed([](auto& layers) { layers[5].inputs = {3}; }), "at least two inputs");
  ExpectRefused(Changed([](auto& layers) { layers[3].inputs = {}; }),
                "exactly one input, this has 0");
  ExpectRefused(Changed([](auto& layers) { layers[3].inputs = {1, 2}; }), "exactly one input");
}

TEST(GenomeTest, OrderIsChecked) {
  for (const int input : {-1, 3, 4, 8, 1 << 30}) {
    ExpectRefused(Changed([&](auto& layers) { layers[3].inputs = {input}; }),
                  "is not the index of an earlier layer");
  }
}

TEST(GenomeTest, RangesAreChecked) {
  const auto with_conv = [](Conv2d conv) {
    return Changed([&](auto& layers) { layers[1].operation = std::move(conv); });
  };
  ExpectRefused(with_conv(Conv(4, 0)), "kernel is 0");
  ExpectRefused(with_conv(Conv(4, 65)), "kernel is 65");
  ExpectRefused(with_conv(Conv(4, 3, 0)), "stride is 0");
  ExpectRefused(with_conv(Conv(4, 3, 65)), "stride is 65");
  ExpectRefused(with_conv(Conv(4, 3, 1, -1)), "padding is -1");
  ExpectRefused(with_conv(Conv(4, 3, 1, 2)), "padding is 2; it must be 0 to 1");
  ExpectRefused(with_conv(Conv(0)), "it has 0 filters");
  ExpectRefused(with_conv(Conv(65'537)), "it has 65537 filters");
  ExpectRefused(Changed([](auto& layers) { layers[0].operation = Input{0}; }), "channels is 0");
  ExpectRefused(Changed([](auto& layers) { layers[0].operation = Input{65}; }), "channels is 65");
  ExpectRefused(Changed([](auto& layers) { layers[3].operation = MaxPool{0, 1}; }), "kernel is 0");
  ExpectRefused(Changed([](auto& layers) { layers[3].operation = MaxPool{1, 0}; }), "stride is 0");
  ExpectRefused(Changed([](auto& layers) { layers[3].operation = Dropout{1000}; }), "permille");
  ExpectRefused(Changed([](auto& layers) { layers[3].operation = Dropout{-1}; }), "permille");
}

TEST(GenomeTest, LineageIsChecked) {
  const auto with_lineage = [](std::vector<int> lineage) {
    return Changed([&](auto& layers) {
      layers[1].operation = Conv2d{3, 2, 1, std::move(lineage)};
    });
  };
  ExpectRefused(with_lineage({0, 0}), "not strictly increasing at 0");
  ExpectRefused(with_lineage({1, 0}), "not strictly increasing at 0");
  ExpectRefused(with_lineage({-1, 0}), "not strictly increasing at -1");
  ExpectRefused(with_lineage({0, 65'536}), "lineage index is 65536");
  EXPECT_TRUE(Genome::Create(with_lineage({7, 65'535})).ok());
}

TEST(GenomeTest, LayersThatNobodyUsesAreRefused) {
  ExpectRefused(Changed([](auto& layers) {
                  layers[5].inputs = {3, 3};
                }),
                "layer 4 (c): no layer uses it");
  ExpectRefused(Changed([](auto& layers) { layers[7].inputs = {5}; }),
                "layer 6 (head): no layer uses it");
}

TEST(GenomeTest, TheOutputIsTheHeadsAlone) {
  ExpectRefused({{"input", {}, Input{}}, {"gap", {0}, GlobalAveragePool{}}},
                "the output is not that");
  ExpectRefused({{"input", {}, Input{}}, {"conv", {0}, Conv(2)}}, "a GlobalAveragePool is missing");
  ExpectRefused({{"input", {}, Input{}}}, "a GlobalAveragePool is missing");
  // Two convolutions' filters side by side would both be classes.
  ExpectRefused({{"input", {}, Input{}},
                 {"a", {0}, Conv(2)},
                 {"b", {0}, Conv(2)},
                 {"cat", {1, 2}, Concat{}},
                 {"gap", {3}, GlobalAveragePool{}}},
                "the output is not that");
}

TEST(GenomeTest, AHeadBehindTheGlobalPoolIsFineWhenItKeepsTheSize) {
  const auto with_head = [](Conv2d head) {
    return std::vector<Layer>{{"input", {}, Input{}},
                              {"a", {0}, Conv(4, 3)},
                              {"gap", {1}, GlobalAveragePool{}},
                              {"head", {2}, std::move(head)}};
  };
  EXPECT_TRUE(Genome::Create(with_head(Conv(2, 1))).ok());
  EXPECT_TRUE(Genome::Create(with_head(Conv(2, 3, 2, 1))).ok());
  ExpectRefused(with_head(Conv(2, 2, 1, 1)), "not 1×1");
}

TEST(GenomeTest, DoublingConcatsAreRefusedBeforeTheyOverflow) {
  std::vector<Layer> layers = {{"input", {}, Input{}}};
  for (int i = 1; i < 64; ++i) {
    layers.push_back({"cat" + std::to_string(i), {i - 1, i - 1}, Concat{}});
  }
  ExpectRefused(std::move(layers), "channels; at most 262144");
}

TEST(GenomeTest, AbsurdParameterCountsAreRefused) {
  ExpectRefused({{"input", {}, Input{}},
                 {"a", {0}, Conv(65'536, 1)},
                 {"b", {1}, Conv(65'536, 64)},
                 {"gap", {2}, GlobalAveragePool{}}},
                "parameters; at most 1073741824");
}

TEST(GenomeTest, GenomesTooLargeForTheirJsonAreRefused) {
  std::vector<Layer> layers = {{"input", {}, Input{1}}};
  for (int i = 1; i <= 24; ++i) {
    layers.push_back({"one" + std::to_string(i), {2 * i - 2}, Conv(1)});
    layers.push_back({"many" + std::to_string(i), {2 * i - 1}, Conv(65'536)});
  }
  layers.push_back({"head", {48}, Conv(2)});
  layers.push_back({"gap", {49}, GlobalAveragePool{}});
  ExpectRefused(std::move(layers), "bytes as JSON");
}

// --- Origins ----------------------------------------------------------------

TEST(GenomeTest, OriginsFollowConcatOffsets) {
  const Genome genome = *Genome::Create(Fork());
  using Origin = Genome::ChannelOrigin;
  EXPECT_THAT(genome.InputOrigins(1), ElementsAre(Origin{0, 0}, Origin{0, 1}, Origin{0, 2}));
  EXPECT_THAT(genome.InputOrigins(6),
              ElementsAre(Origin{2, 0}, Origin{2, 1}, Origin{2, 2}, Origin{4, 0}, Origin{4, 1}));
  EXPECT_EQ(genome.OutputOrigins(5), genome.InputOrigins(6));
  EXPECT_THAT(genome.OutputOrigins(7), ElementsAre(Origin{6, 0}, Origin{6, 1}));
  EXPECT_TRUE(genome.InputOrigins(0).empty());
}

// --- Pruning ----------------------------------------------------------------

TEST(PruneTest, KeepsTheFiltersAtThePositions) {
  const Genome genome = *Genome::Create(Fork());
  const Genome once = *genome.Prune({{}, {0, 2, 3}, {}, {}, {}, {}, {}, {}});
  EXPECT_THAT(once.conv(1).lineage, ElementsAre(0, 2, 3));
  // Positions count from the parent, lineage from the ancestor.
  const Genome twice = *once.Prune({{}, {1, 2}, {2}, {}, {}, {}, {}, {}});
  EXPECT_THAT(twice.conv(1).lineage, ElementsAre(2, 3));
  EXPECT_THAT(twice.conv(2).lineage, ElementsAre(2));
  EXPECT_EQ(twice.InputChannels(6), 1 + 2);
}

TEST(PruneTest, NothingPrunedIsTheSameGenome) {
  const Genome genome = *SqueezeNetV11(10);
  EXPECT_EQ(*genome.Prune(std::vector<std::vector<int>>(genome.size())), genome);
}

TEST(PruneTest, SqueezeNetsSlicesAreWhereTheConcatPutsThem) {
  const Genome genome = *SqueezeNetV11(10);
  std::vector<std::vector<int>> keep(genome.size());
  const int expand1x1 = genome.convs()[2], expand3x3 = genome.convs()[3];
  const int next_squeeze = genome.convs()[4];
  keep[expand1x1] = {5};
  keep[expand3x3] = {0, 63};
  const Genome child = *genome.Prune(keep);
  EXPECT_EQ(child.InputChannels(next_squeeze), 3);
  EXPECT_EQ(child.InputChannels(expand3x3), genome.InputChannels(expand3x3));
}

TEST(PruneTest, BadPositionsAreRefused) {
  const Genome genome = *Genome::Create(Fork());
  for (const std::vector<int>& bad :
       {std::vector<int>{-1}, {4}, {0, 0}, {1, 0}, {0, 1, 2, 3, 4}, {1 << 30}}) {
    std::vector<std::vector<int>> keep(genome.size());
    keep[1] = bad;
    const auto child = genome.Prune(keep);
    ASSERT_FALSE(child.ok());
    EXPECT_EQ(child.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(child.status().message()), HasSubstr("layer a"));
  }
}

TEST(PruneTest, ListsThatDoNotFitTheGenomeAreRefused) {
  const Genome genome = *Genome::Create(Fork());
  EXPECT_FALSE(genome.Prune({}).ok());
  EXPECT_FALSE(genome.Prune(std::vector<std::vector<int>>(genome.size() + 1)).ok());
  std::vector<std::vector<int>> keep(genome.size());
  keep[3] = {0};
  EXPECT_FALSE(genome.Prune(keep).ok()) << "a ReLU has no filters";
}

TEST(PruneTest, TheClassesStay) {
  const Genome genome = *Genome::Create(Fork());
  std::vector<std::vector<int>> keep(genome.size());
  keep[6] = {1};
  const auto child = genome.Prune(keep);
  ASSERT_FALSE(child.ok());
  EXPECT_THAT(std::string(child.status().message()), HasSubstr("the classes"));
  keep[6] = {0, 1};
  EXPECT_TRUE(genome.Prune(keep).ok());
}

// --- Groups -----------------------------------------------------------------

TEST(FilterGroupsTest, PlainConvolutionsAreGroupsOfTheirOwn) {
  const Genome genome = *Genome::Create(Fork());
  ASSERT_EQ(genome.groups().size(), 4);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_THAT(genome.groups()[i].layers, ElementsAre(genome.convs()[i]));
    EXPECT_EQ(genome.groups()[i].prunable, genome.convs()[i] != genome.head());
  }
}

TEST(FilterGroupsTest, TiedConvolutionsAreOneGroupHoweverTheTiesAreGiven) {
  for (const auto& ties :
       {std::vector<FilterTie>{{1, 5}, {5, 9}}, {{9, 5}, {1, 9}}, {{9, 1}, {5, 1}, {9, 5}}}) {
    const auto groups = GroupFilters({1, 3, 5, 9, 12}, ties);
    ASSERT_EQ(groups.size(), 3);
    EXPECT_THAT(groups[0].layers, ElementsAre(1, 5, 9));
    EXPECT_THAT(groups[1].layers, ElementsAre(3));
    EXPECT_THAT(groups[2].layers, ElementsAre(12));
    EXPECT_TRUE(groups[0].prunable);
    EXPECT_FALSE(groups[2].prunable);
  }
}

TEST(FilterGroupsTest, WhatIsTiedToTheHeadStays) {
  const auto groups = GroupFilters({1, 3, 5}, {{1, 5}});
  ASSERT_EQ(groups.size(), 2);
  EXPECT_THAT(groups[0].layers, ElementsAre(1, 5));
  EXPECT_FALSE(groups[0].prunable);
  EXPECT_TRUE(groups[1].prunable);
}

}  // namespace
}  // namespace squish
