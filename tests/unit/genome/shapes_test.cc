#include "common/genome/shapes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/genome/ancestors.h"
#include "common/genome/cost.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

// Counts windows one by one: a window is placed when it starts inside the input and
// the one before it did not yet reach the edge.
int CountPoolWindows(int input, int kernel, int stride) {
  if (input - kernel + stride - 1 < 0) return 0;  // torchvision refuses these.
  int windows = 0;
  for (int start = 0; start < input; start += stride) {
    ++windows;
    if (start + kernel >= input) break;
  }
  return windows;
}

TEST(CeilPoolTest, AgreesWithPlacingWindowsOneByOne) {
  for (int input = 1; input <= 130; ++input) {
    for (int kernel = 1; kernel <= 7; ++kernel) {
      for (int stride = 1; stride <= 7; ++stride) {
        ASSERT_EQ(CeilPoolOutput(input, kernel, stride), CountPoolWindows(input, kernel, stride))
            << input << " / " << kernel << " / " << stride;
      }
    }
  }
}

TEST(CeilPoolTest, FloorAndCeilDifferWhereKnown) {
  EXPECT_EQ(CeilPoolOutput(111, 3, 2), 55);  // Floor agrees.
  EXPECT_EQ(CeilPoolOutput(24, 3, 2), 12);   // Floor: 11.
  EXPECT_EQ(CeilPoolOutput(2, 3, 2), 1);     // One window that hangs over.
  EXPECT_EQ(CeilPoolOutput(1, 3, 2), 0);
}

struct Sides {
  int input, conv1, pool1, pool3, pool5;
};

// Sides as torchvision's squeezenet1_1 produces them.
TEST(ShapesTest, SqueezeNetsPoolsAreInCeilMode) {
  const Genome genome = *SqueezeNetV11(10);
  for (const Sides& sides :
       {Sides{224, 111, 55, 27, 13}, Sides{100, 49, 24, 12, 6}, Sides{64, 31, 15, 7, 3},
        Sides{48, 23, 11, 5, 2}, Sides{32, 15, 7, 3, 1}}) {
    const auto shapes = ComputeShapes(genome, sides.input);
    ASSERT_TRUE(shapes.ok()) << shapes.status();
    const auto side_of = [&](const std::string& name) {
      for (int i = 0; i < genome.size(); ++i) {
        if (genome.layer(i).name == name) {
          EXPECT_EQ((*shapes)[i].height, (*shapes)[i].width);
          return (*shapes)[i].height;
        }
      }
      return -1;
    };
    EXPECT_EQ(side_of("features.0"), sides.conv1) << sides.input;
    EXPECT_EQ(side_of("features.2"), sides.pool1) << sides.input;
    EXPECT_EQ(side_of("features.5"), sides.pool3) << sides.input;
    EXPECT_EQ(side_of("features.8"), sides.pool5) << sides.input;
    EXPECT_EQ(shapes->back(), (Shape{10, 1, 1}));
  }
}

TEST(ShapesTest, PicturesTooSmallAreRefusedByTheLayerThatCannot) {
  const Genome genome = *SqueezeNetV11(10);
  const auto shapes = ComputeShapes(genome, 2);
  ASSERT_FALSE(shapes.ok());
  EXPECT_EQ(shapes.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(shapes.status().message()), HasSubstr("features.0"));
  EXPECT_THAT(std::string(ComputeShapes(genome, 4).status().message()), HasSubstr("features.2"));
  EXPECT_FALSE(ComputeCost(genome, 2).ok());
}

TEST(ShapesTest, SizesOutOfRangeAreRefused) {
  const Genome genome = *SqueezeNetV11(10);
  for (const int size : {-1, 0, 8193, 1 << 30})
    EXPECT_FALSE(ComputeShapes(genome, size).ok()) << size;
  EXPECT_TRUE(ComputeShapes(genome, 8192).ok());
}

TEST(ShapesTest, ConcatsOfDifferentSizesAreRefused) {
  const Genome genome = *Genome::Create({{"input", {}, Input{}},
                                         {"a", {0}, Conv2d{1, 1, 0, {0}}},
                                         {"b", {0}, Conv2d{3, 2, 1, {0}}},
                                         {"cat", {1, 2}, Concat{}},
                                         {"head", {3}, Conv2d{1, 1, 0, {0, 1}}},
                                         {"gap", {4}, GlobalAveragePool{}}});
  const auto shapes = ComputeShapes(genome, 8);
  ASSERT_FALSE(shapes.ok());
  EXPECT_THAT(std::string(shapes.status().message()),
              HasSubstr("layer cat: its inputs differ in size: 8×8 and 4×4"));
  EXPECT_TRUE(ComputeShapes(genome, 1).ok()) << "1 and 1 agree";
}

TEST(CostTest, CountsByHand) {
  // 7×7 ─ conv 5 of 3×3/2 padded ─► 4×4 ─ head 2 of 1×1 ─► 4×4
  const Genome genome = *Genome::Create({{"input", {}, Input{}},
                                         {"a", {0}, Conv2d{3, 2, 1, {0, 1, 2, 3, 4}}},
                                         {"head", {1}, Conv2d{1, 1, 0, {0, 1}}},
                                         {"gap", {2}, GlobalAveragePool{}}});
  const Cost cost = *ComputeCost(genome, 7);
  EXPECT_EQ(cost.parameters, (3 * 9 + 1) * 5 + (5 + 1) * 2);
  EXPECT_EQ(cost.bytes, 4 * cost.parameters);
  EXPECT_EQ(cost.macs, 16 * (3 * 9 * 5) + 16 * (5 * 2));
}

TEST(CostTest, TheLargestGenomesDoNotOverflow) {
  std::vector<Layer> layers = {{"input", {}, Input{64}}};
  Conv2d wide{64, 1, 32, {}};
  for (int i = 0; i < 64; ++i) wide.lineage.push_back(i);
  for (int i = 0; i < 60; ++i) layers.push_back({"wide" + std::to_string(i), {i}, wide});
  layers.push_back({"gap", {60}, GlobalAveragePool{}});
  const Genome genome = *Genome::Create(std::move(layers));
  const Cost cost = *ComputeCost(genome, 8192);
  EXPECT_GT(cost.macs, cost.parameters * int64_t{8191} * 8191);
}

}  // namespace
}  // namespace squish
