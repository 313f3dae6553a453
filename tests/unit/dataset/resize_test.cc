#include "common/dataset/resize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace squish {
namespace {

using ::testing::Each;
using ::testing::ElementsAreArray;

// A grey picture from one value a pixel.
std::vector<uint8_t> Grey(const std::vector<int>& values) {
  std::vector<uint8_t> pixels;
  for (const int value : values) pixels.insert(pixels.end(), 3, static_cast<uint8_t>(value));
  return pixels;
}

std::vector<uint8_t> Resized(const std::vector<uint8_t>& in, int from, int to) {
  std::vector<uint8_t> out(size_t{3} * to * to);
  SquareResizer(from, to).Resize(in, absl::MakeSpan(out));
  return out;
}

TEST(SquareResizerTest, SameSizeIsACopy) {
  std::vector<uint8_t> in(3 * 5 * 5);
  std::iota(in.begin(), in.end(), 0);
  EXPECT_EQ(Resized(in, 5, 5), in);
}

TEST(SquareResizerTest, ShrinkingAveragesTheAreaUnderAPixel) {
  EXPECT_EQ(Resized(Grey({0, 10, 100, 100,  //
                          20, 30, 100, 101,  //
                          255, 255, 0, 0,    //
                          255, 255, 0, 1}),
                    4, 2),
            Grey({15, 100, 255, 0}));
  // 3 to 2: each covers one and a half source pixels a side, weights 4, 2, 2, 1 in 9.
  EXPECT_EQ(Resized(Grey({90, 0, 0,  //
                          0, 0, 0,   //
                          0, 0, 9}),
                    3, 2),
            Grey({40, 0, 0, 4}));
}

TEST(SquareResizerTest, EnlargingIsLinearBetweenPixelCentres) {
  EXPECT_EQ(Resized(Grey({0, 100, 0, 100}), 2, 4),
            Grey({0, 25, 75, 100, 0, 25, 75, 100, 0, 25, 75, 100, 0, 25, 75, 100}));
  EXPECT_EQ(Resized(Grey({7}), 1, 3), Grey({7, 7, 7, 7, 7, 7, 7, 7, 7}));
}

TEST(SquareResizerTest, FlatPicturesStayFlatAtEverySize) {
  for (const int to : {8, 9, 31, 33, 48, 64, 100}) {
    EXPECT_THAT(Resized(std::vector<uint8_t>(3 * 32 * 32, 201), 32, to), Each(201)) << to;
  }
}

TEST(SquareResizerTest, ChannelsDoNotMix) {
  const std::vector<uint8_t> in = {10, 20, 30, 10, 20, 30, 10, 20, 30, 10, 20, 30};
  EXPECT_EQ(Resized(in, 2, 1), (std::vector<uint8_t>{10, 20, 30}));
}

}  // namespace
}  // namespace squish
