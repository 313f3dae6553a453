#include "worker/trainer/pixels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/base/random.h"

namespace squish {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::FloatNear;

std::vector<uint8_t> RandomPicture(int side, uint64_t seed = 1) {
  const RandomStream stream(RandomDomain::kBuiltInShapes, {seed});
  std::vector<uint8_t> bytes(static_cast<size_t>(side) * side * 3);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(stream.Below(i, 256));
  return bytes;
}

// A picture of one line's worth: side × side pixels, all channels and rows alike.
std::vector<uint8_t> Columns(const std::vector<uint8_t>& line) {
  std::vector<uint8_t> bytes;
  for (size_t y = 0; y < line.size(); ++y) {
    for (const uint8_t value : line) bytes.insert(bytes.end(), 3, value);
  }
  return bytes;
}

std::vector<float> Resized(const std::vector<uint8_t>& picture, int side, const Crop& crop,
                           int input) {
  std::vector<float> planes(static_cast<size_t>(input) * input * 3);
  ResizeWindow(picture.data(), side, crop, input, planes.data());
  return planes;
}

// --- Windows ------------------------------------------------------------------

TEST(CopyWindowTest, IsWhatItsRowsAndColumnsSay) {
  constexpr int kSide = 9;
  const std::vector<uint8_t> picture = RandomPicture(kSide);
  for (const int input : {5, 9}) {
    for (int down = -3; down <= 4; ++down) {
      for (const bool mirrored : {false, true}) {
        const Crop crop{.down = down, .right = 1 - down, .mirrored = mirrored};
        std::vector<uint8_t> window(static_cast<size_t>(input) * input * 3);
        CopyWindow(picture.data(), kSide, crop, input, window.data());
        const auto rows = WindowColumns(kSide, crop.down, input, false);
        const auto columns = WindowColumns(kSide, crop.right, input, mirrored);
        for (int i = 0; i < input * input * 3; ++i) {
          const int row = rows[i / 3 / input], column = columns[i / 3 % input];
          ASSERT_EQ(window[i], picture[(row * kSide + column) * 3 + i % 3]);
        }
      }
    }
  }
}

TEST(ResizeWindowTest, TheWholePictureAtItsOwnSizeIsItself) {
  const std::vector<uint8_t> picture = RandomPicture(7);
  const std::vector<float> planes = Resized(picture, 7, {.height = 7, .width = 7}, 7);
  std::vector<float> split(planes.size());
  SplitChannels(picture.data(), 49, split.data());
  EXPECT_EQ(planes, split);
}

TEST(ResizeWindowTest, InterpolatesBetweenPixelCentresAndHoldsTheEdges) {
  const std::vector<uint8_t> picture = Columns({0, 100, 200, 40});
  // Two pixels to four: at -1/4, 1/4, 3/4 and 5/4 of the window.
  std::vector<float> planes = Resized(picture, 4, {.right = 1, .height = 4, .width = 2}, 4);
  EXPECT_THAT(std::vector<float>(planes.begin(), planes.begin() + 4),
              ElementsAre(100, 125, 175, 200));
  // Four to two: at 1/2 and 5/2.
  planes = Resized(picture, 4, {.height = 4, .width = 4}, 2);
  EXPECT_THAT(std::vector<float>(planes.begin(), planes.begin() + 2), ElementsAre(50, 120));
}

TEST(ResizeWindowTest, MirroredIsTheSameReadBackwards) {
  const std::vector<uint8_t> picture = Columns({0, 100, 200, 40});
  const Crop crop{.right = 1, .mirrored = true, .height = 4, .width = 2};
  const std::vector<float> planes = Resized(picture, 4, crop, 4);
  EXPECT_THAT(std::vector<float>(planes.begin(), planes.begin() + 4),
              ElementsAre(200, 175, 125, 100));
}

TEST(ResizeWindowTest, AgreesWithTheFormulaInBothDirectionsAndAllChannels) {
  constexpr int kSide = 23, kInput = 10;
  const std::vector<uint8_t> picture = RandomPicture(kSide);
  for (const Crop& crop : {Crop{.down = 3, .right = 6, .height = 17, .width = 13},
                           Crop{.down = 20, .right = 22, .height = 3, .width = 1},
                           Crop{.down = 0, .right = 0, .height = 23, .width = 23}}) {
    const std::vector<float> planes = Resized(picture, kSide, crop, kInput);
    const auto place = [](int x, int length) {
      return std::clamp((x + 0.5) * length / kInput - 0.5, 0.0, length - 1.0);
    };
    const auto pixel = [&](int y, int x, int channel) -> double {
      const int row = crop.down + std::min(y, crop.height - 1);
      const int column = crop.right + std::min(x, crop.width - 1);
      return picture[(row * kSide + column) * 3 + channel];
    };
    for (int i = 0; i < kInput * kInput * 3; ++i) {
      const int channel = i / (kInput * kInput);
      const double y = place(i / kInput % kInput, crop.height);
      const double x = place(i % kInput, crop.width);
      const int row = static_cast<int>(y), column = static_cast<int>(x);
      double expected = 0;
      for (const int dy : {0, 1}) {
        for (const int dx : {0, 1}) {
          const double down = dy ? y - row : 1 - (y - row);
          const double right = dx ? x - column : 1 - (x - column);
          expected += down * right * pixel(row + dy, column + dx, channel);
        }
      }
      ASSERT_NEAR(planes[i], expected, 1e-3);
    }
  }
}

// --- Colour -------------------------------------------------------------------

class VaryColourTest : public testing::Test {
 protected:
  static constexpr int kPixels = 37;  // No multiple of anything that is done side by side.

  VaryColourTest() {
    const std::vector<uint8_t> bytes = RandomPicture(10);
    planes_.resize(3 * kPixels);
    SplitChannels(bytes.data(), kPixels, planes_.data());
  }

  std::vector<float> Varied(const Colour& colour) const {
    std::vector<float> planes = planes_;
    VaryColour(colour, kPixels, planes.data());
    return planes;
  }

  static double Grey(const std::vector<float>& planes, int i) {
    return 0.299 * planes[i] + 0.587 * planes[kPixels + i] + 0.114 * planes[2 * kPixels + i];
  }

  std::vector<float> planes_;
};

TEST_F(VaryColourTest, PlainLeavesThePictureAsItIs) {
  const std::vector<float> varied = Varied({});
  for (int i = 0; i < 3 * kPixels; ++i) EXPECT_NEAR(varied[i], planes_[i], 1e-4);
}

TEST_F(VaryColourTest, BrightnessScalesAndIsHeldToTheRange) {
  const std::vector<float> varied = Varied({.brightness = 1.5f});
  for (int i = 0; i < 3 * kPixels; ++i) {
    EXPECT_NEAR(varied[i], std::min(255.0, 1.5 * planes_[i]), 1e-3);
  }
  EXPECT_THAT(Varied({.brightness = 0}), Each(FloatNear(0, 1e-4)));
}

TEST_F(VaryColourTest, ContrastMovesAwayFromTheMeanGreyOfThePicture) {
  double mean = 0;
  for (int i = 0; i < kPixels; ++i) mean += Grey(planes_, i) / kPixels;
  const std::vector<float> varied = Varied({.contrast = 1.4f});
  for (int i = 0; i < 3 * kPixels; ++i) {
    EXPECT_NEAR(varied[i], std::clamp(mean + 1.4 * (planes_[i] - mean), 0.0, 255.0), 1e-3);
  }
  EXPECT_THAT(Varied({.contrast = 0}), Each(FloatNear(static_cast<float>(mean), 1e-3)));
}

TEST_F(VaryColourTest, SaturationMovesAwayFromThePixelsOwnGrey) {
  const std::vector<float> varied = Varied({.saturation = 0.6f});
  for (int i = 0; i < 3 * kPixels; ++i) {
    const double grey = Grey(planes_, i % kPixels);
    EXPECT_NEAR(varied[i], std::clamp(grey + 0.6 * (planes_[i] - grey), 0.0, 255.0), 1e-3);
  }
  const std::vector<float> grey = Varied({.saturation = 0});
  for (int i = 0; i < kPixels; ++i) EXPECT_NEAR(grey[i], grey[kPixels + i], 1e-3);
}

TEST_F(VaryColourTest, BrightnessComesFirstThenContrastThenSaturation) {
  const Colour colour{.brightness = 1.4f, .contrast = 1.3f, .saturation = 0.2f};
  std::vector<float> steps = Varied({.brightness = colour.brightness});
  VaryColour({.contrast = colour.contrast}, kPixels, steps.data());
  VaryColour({.saturation = colour.saturation}, kPixels, steps.data());
  const std::vector<float> varied = Varied(colour);
  for (int i = 0; i < 3 * kPixels; ++i) EXPECT_NEAR(varied[i], steps[i], 1e-3);
}

// --- Normalisation --------------------------------------------------------------

TEST(NormaliserTest, BytesAndPlanesAreScaledByChannelAndInterleaved) {
  v1::Preprocessing preprocessing;
  for (const float mean : {0.485f, 0.456f, 0.406f}) preprocessing.add_mean(mean);
  for (const float deviation : {0.229f, 0.224f, 0.225f}) preprocessing.add_std(deviation);
  const Normaliser normaliser(preprocessing);
  std::vector<uint8_t> bytes;
  for (int i = 0; i < 3 * 256; ++i) bytes.push_back(static_cast<uint8_t>(i / 3 + 85 * (i % 3)));
  std::vector<float> planes(bytes.size()), from_bytes(bytes.size()), from_planes(bytes.size());
  SplitChannels(bytes.data(), 256, planes.data());
  normaliser.Bytes(bytes.data(), 256, from_bytes.data());
  normaliser.Planes(planes.data(), 256, from_planes.data());
  for (int i = 0; i < 3 * 256; ++i) {
    const int channel = i % 3;
    const double level = bytes[i] / 255.0;
    const double value = (level - preprocessing.mean(channel)) / preprocessing.std(channel);
    EXPECT_EQ(from_bytes[i], static_cast<float>(value));
    EXPECT_NEAR(from_planes[i], value, 1e-6);
  }
}

}  // namespace
}  // namespace squish
