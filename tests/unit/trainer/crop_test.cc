#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "worker/trainer/augmentation.h"

namespace squish {
namespace {

using testing::ElementsAre;

TEST(WindowColumnsTest, ReflectsAtBothEdgesWithoutRepeatingThem) {
  EXPECT_THAT(WindowColumns(5, 0, false), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(WindowColumns(5, -2, false), ElementsAre(2, 1, 0, 1, 2));
  EXPECT_THAT(WindowColumns(5, 2, false), ElementsAre(2, 3, 4, 3, 2));
  EXPECT_THAT(WindowColumns(5, 4, false), ElementsAre(4, 3, 2, 1, 0));
  EXPECT_THAT(WindowColumns(5, -4, false), ElementsAre(4, 3, 2, 1, 0));
  EXPECT_THAT(WindowColumns(1, 0, false), ElementsAre(0));
}

TEST(WindowColumnsTest, MirroredIsTheSameWindowReadBackwards) {
  for (int shift = -6; shift <= 6; ++shift) {
    std::vector<int> columns = WindowColumns(7, shift, false);
    std::reverse(columns.begin(), columns.end());
    EXPECT_EQ(WindowColumns(7, shift, true), columns);
  }
}

TEST(DrawCropTest, EveryShiftAndBothSidesAreEquallyLikely) {
  v1::Recipe recipe;
  recipe.set_flip(true);
  recipe.set_shift(2);
  std::map<int, int> down, right;
  int mirrored = 0;
  constexpr int kDraws = 20'000;
  for (int i = 0; i < kDraws; ++i) {
    const Crop crop = DrawCrop(recipe, 7, i);
    ++down[crop.down];
    ++right[crop.right];
    mirrored += crop.mirrored;
  }
  // Five standard deviations: 283 of 4,000 and 354 of 10,000.
  for (int shift = -2; shift <= 2; ++shift) {
    EXPECT_NEAR(down[shift], kDraws / 5, 283);
    EXPECT_NEAR(right[shift], kDraws / 5, 283);
  }
  EXPECT_EQ(down.size(), 5u);
  EXPECT_EQ(right.size(), 5u);
  EXPECT_NEAR(mirrored, kDraws / 2, 354);
}

TEST(DrawCropTest, WithoutShiftAndFlipThePictureStays) {
  v1::Recipe recipe;
  recipe.set_flip(false);
  recipe.set_shift(0);
  for (int i = 0; i < 100; ++i) {
    const Crop crop = DrawCrop(recipe, 7, i);
    EXPECT_EQ(crop.down, 0);
    EXPECT_EQ(crop.right, 0);
    EXPECT_FALSE(crop.mirrored);
  }
}

TEST(DrawCropTest, DependsOnSeedAndPosition) {
  v1::Recipe recipe;
  recipe.set_flip(true);
  recipe.set_shift(100);
  EXPECT_EQ(DrawCrop(recipe, 1, 5).down, DrawCrop(recipe, 1, 5).down);
  EXPECT_NE(DrawCrop(recipe, 1, 5).down, DrawCrop(recipe, 1, 6).down);
  EXPECT_NE(DrawCrop(recipe, 1, 5).down, DrawCrop(recipe, 2, 5).down);
}

}  // namespace
}  // namespace squish
