#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "worker/trainer/augmentation.h"

namespace squish {
namespace {

using testing::ElementsAre;

constexpr int kSide = 12;

TEST(WindowColumnsTest, ReflectsAtBothEdgesWithoutRepeatingThem) {
  EXPECT_THAT(WindowColumns(5, 0, 5, false), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(WindowColumns(5, -2, 5, false), ElementsAre(2, 1, 0, 1, 2));
  EXPECT_THAT(WindowColumns(5, 2, 5, false), ElementsAre(2, 3, 4, 3, 2));
  EXPECT_THAT(WindowColumns(5, 4, 5, false), ElementsAre(4, 3, 2, 1, 0));
  EXPECT_THAT(WindowColumns(5, -4, 5, false), ElementsAre(4, 3, 2, 1, 0));
  EXPECT_THAT(WindowColumns(1, 0, 1, false), ElementsAre(0));
}

TEST(WindowColumnsTest, ASmallerWindowLiesWhereItBegins) {
  EXPECT_THAT(WindowColumns(9, 3, 4, false), ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(WindowColumns(9, 3, 4, true), ElementsAre(6, 5, 4, 3));
  EXPECT_THAT(WindowColumns(9, -2, 4, false), ElementsAre(2, 1, 0, 1));
  EXPECT_THAT(WindowColumns(9, 7, 4, true), ElementsAre(6, 7, 8, 7));
}

TEST(WindowColumnsTest, MirroredIsTheSameWindowReadBackwards) {
  for (int shift = -6; shift <= 6; ++shift) {
    std::vector<int> columns = WindowColumns(7, shift, 7, false);
    std::reverse(columns.begin(), columns.end());
    EXPECT_EQ(WindowColumns(7, shift, 7, true), columns);
  }
}

TEST(DrawCropTest, EveryShiftAndBothSidesAreEquallyLikely) {
  v1::Recipe recipe;
  recipe.set_crop_area(1);
  recipe.set_flip(true);
  recipe.set_shift(2);
  std::map<int, int> down, right;
  int mirrored = 0;
  constexpr int kDraws = 20'000;
  for (int i = 0; i < kDraws; ++i) {
    const Crop crop = DrawCrop(recipe, 7, i, kSide, kSide);
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
  recipe.set_crop_area(1);
  recipe.set_flip(false);
  recipe.set_shift(0);
  for (int i = 0; i < 100; ++i) {
    const Crop crop = DrawCrop(recipe, 7, i, kSide, kSide);
    EXPECT_EQ(crop.down, 0);
    EXPECT_EQ(crop.right, 0);
    EXPECT_FALSE(crop.mirrored);
  }
}

TEST(DrawCropTest, DependsOnSeedAndPosition) {
  v1::Recipe recipe;
  recipe.set_crop_area(1);
  recipe.set_flip(true);
  recipe.set_shift(100);
  EXPECT_EQ(DrawCrop(recipe, 1, 5, 200, 200).down, DrawCrop(recipe, 1, 5, 200, 200).down);
  EXPECT_NE(DrawCrop(recipe, 1, 5, 200, 200).down, DrawCrop(recipe, 1, 6, 200, 200).down);
  EXPECT_NE(DrawCrop(recipe, 1, 5, 200, 200).down, DrawCrop(recipe, 2, 5, 200, 200).down);
}

TEST(DrawCropTest, OfALargerPictureTheMiddleIsShifted) {
  v1::Recipe recipe;
  recipe.set_crop_area(1);
  recipe.set_flip(true);
  recipe.set_shift(4);
  for (int i = 0; i < 100; ++i) {
    const Crop large = DrawCrop(recipe, 7, i, 256, 224), same = DrawCrop(recipe, 7, i, 224, 224);
    EXPECT_EQ(large.down, same.down + 16);
    EXPECT_EQ(large.right, same.right + 16);
    EXPECT_EQ(large.mirrored, same.mirrored);
    EXPECT_EQ(large.height, 0);
    EXPECT_EQ(large.width, 0);
  }
}

// --- Resized crops --------------------------------------------------------------

class ResizedCropTest : public testing::Test {
 protected:
  static constexpr int kDraws = 20'000, kPicture = 1000;

  ResizedCropTest() {
    recipe_.set_flip(true);
    recipe_.set_shift(4);
    recipe_.set_crop_area(0.35);
  }

  Crop Draw(int64_t position, uint64_t seed = 7) const {
    return DrawCrop(recipe_, seed, position, kPicture, 64);
  }

  v1::Recipe recipe_;
};

TEST_F(ResizedCropTest, LieInsideThePictureWithShareAndAspectInRange) {
  int mirrored = 0;
  for (int i = 0; i < kDraws; ++i) {
    const Crop crop = Draw(i);
    ASSERT_GE(crop.down, 0);
    ASSERT_GE(crop.right, 0);
    ASSERT_GE(crop.height, 1);
    ASSERT_GE(crop.width, 1);
    ASSERT_LE(crop.down + crop.height, kPicture);
    ASSERT_LE(crop.right + crop.width, kPicture);
    // Sides are rounded to whole pixels, of at least 500.
    const double aspect = static_cast<double>(crop.width) / crop.height;
    EXPECT_GE(aspect, 0.75 * 0.998);
    EXPECT_LE(aspect, 4.0 / 3.0 * 1.002);
    EXPECT_GE(1e-6 * crop.width * crop.height, 0.35 * 0.998);
    mirrored += crop.mirrored;
  }
  EXPECT_NEAR(mirrored, kDraws / 2, 354);  // Five standard deviations.
}

TEST_F(ResizedCropTest, ShareIsUniformAndAspectLogUniformWhereAllOfThemFit) {
  // Up to 3/4 of the area no window sticks out, whatever its aspect.
  double shares = 0, logs = 0;
  int small = 0, wide = 0, fitting = 0;
  for (int i = 0; i < kDraws; ++i) {
    const Crop crop = Draw(i);
    const double share = 1e-6 * crop.width * crop.height;
    if (share > 0.74) continue;
    ++fitting;
    shares += share;
    small += share < (0.35 + 0.74) / 2;
    logs += std::log(static_cast<double>(crop.width) / crop.height);
    wide += crop.width > crop.height;
  }
  ASSERT_GT(fitting, 9000);
  // Five standard deviations of means over 9,000 draws.
  EXPECT_NEAR(shares / fitting, 0.545, 0.006);
  EXPECT_NEAR(small / static_cast<double>(fitting), 0.5, 0.027);
  EXPECT_NEAR(logs / fitting, 0, 0.009);
  EXPECT_NEAR(wide / static_cast<double>(fitting), 0.5, 0.027);
}

TEST_F(ResizedCropTest, EveryPlaceThatFitsIsEquallyLikely) {
  double down = 0, right = 0;
  for (int i = 0; i < kDraws; ++i) {
    const Crop crop = Draw(i);
    down += (crop.down + 0.5) / (kPicture - crop.height + 1);
    right += (crop.right + 0.5) / (kPicture - crop.width + 1);
  }
  EXPECT_NEAR(down / kDraws, 0.5, 0.0103);  // Five standard deviations.
  EXPECT_NEAR(right / kDraws, 0.5, 0.0103);
}

TEST_F(ResizedCropTest, DependOnSeedAndPositionAlone) {
  EXPECT_EQ(Draw(5).width, Draw(5).width);
  EXPECT_NE(Draw(5).width, Draw(6).width);
  EXPECT_NE(Draw(5).width, Draw(5, 8).width);
  // Known values: the same on every machine.
  const Crop crop = Draw(0);
  EXPECT_THAT((std::vector<int>{crop.down, crop.right, crop.height, crop.width}),
              ElementsAre(11, 20, 943, 713));
}

TEST_F(ResizedCropTest, AreTheWholePictureWhereNoDrawFits) {
  recipe_.set_crop_area(0.9999);  // Only nearly square windows fit.
  int whole = 0;
  for (int i = 0; i < 100; ++i) {
    const Crop crop = Draw(i);
    EXPECT_GE(crop.height, 998);
    whole += crop.height == kPicture && crop.width == kPicture && crop.down == 0 &&
             crop.right == 0;
  }
  EXPECT_GE(whole, 90);
}

TEST_F(ResizedCropTest, OfAOnePixelPictureAreThatPixel) {
  recipe_.set_crop_area(0.05);
  for (int i = 0; i < 100; ++i) {
    const Crop crop = DrawCrop(recipe_, 7, i, 1, 1);
    EXPECT_THAT((std::vector<int>{crop.down, crop.right, crop.height, crop.width}),
                ElementsAre(0, 0, 1, 1));
  }
}

TEST(WholePictureTest, IsResizedOnlyWhereItIsLarger) {
  EXPECT_EQ(WholePicture(64, 64).height, 0);
  const Crop crop = WholePicture(74, 64);
  EXPECT_THAT((std::vector<int>{crop.down, crop.right, crop.height, crop.width}),
              ElementsAre(0, 0, 74, 74));
  EXPECT_FALSE(crop.mirrored);
}

// --- Colour -----------------------------------------------------------------------

TEST(DrawColourTest, FactorsAreUniformInTheirRangeAndIndependent) {
  v1::Recipe recipe;
  recipe.set_colour(0.4);
  constexpr int kDraws = 20'000;
  double sums[3] = {}, products[3] = {};
  for (int i = 0; i < kDraws; ++i) {
    const Colour colour = DrawColour(recipe, 7, i);
    const double factors[3] = {colour.brightness - 1.0, colour.contrast - 1.0,
                               colour.saturation - 1.0};
    for (int k = 0; k < 3; ++k) {
      ASSERT_LE(std::abs(factors[k]), 0.4 + 1e-6);
      sums[k] += factors[k];
      products[k] += factors[k] * factors[(k + 1) % 3];
    }
  }
  for (int k = 0; k < 3; ++k) {  // Five standard deviations.
    EXPECT_NEAR(sums[k] / kDraws, 0, 5 * 0.231 / std::sqrt(kDraws));
    EXPECT_NEAR(products[k] / kDraws, 0, 5 * 0.0533 / std::sqrt(kDraws));
  }
}

TEST(DrawColourTest, DependsOnSeedAndPosition) {
  v1::Recipe recipe;
  recipe.set_colour(0.4);
  EXPECT_EQ(DrawColour(recipe, 1, 5).contrast, DrawColour(recipe, 1, 5).contrast);
  EXPECT_NE(DrawColour(recipe, 1, 5).contrast, DrawColour(recipe, 1, 6).contrast);
  EXPECT_NE(DrawColour(recipe, 1, 5).contrast, DrawColour(recipe, 2, 5).contrast);
}

TEST(DrawColourTest, WithoutColourThePictureStays) {
  v1::Recipe recipe;
  recipe.set_colour(0);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(DrawColour(recipe, 7, i).IsPlain());
}

}  // namespace
}  // namespace squish
