#include "common/dataset/built_in_shapes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/base/sha256.h"
#include "common/dataset/shape_outline.h"

namespace squish {
namespace {

bool NoMargin(absl::string_view) { return false; }

v1::BuiltInShapes Spec(uint64_t seed, int train = 100, int val = 100) {
  v1::BuiltInShapes spec;
  spec.set_seed(seed);
  spec.set_train_images(train);
  spec.set_val_images(val);
  return spec;
}

std::vector<std::string> ContentDigests(const v1::BuiltInShapes& spec, int input_size) {
  BuiltInShapesSource source(spec, input_size);
  std::vector<uint8_t> pixels(size_t{3} * input_size * input_size);
  std::vector<std::string> digests;
  for (int i = 0; i < source.train_images() + source.val_images(); ++i) {
    digests.push_back(source.Read(i, NoMargin, absl::MakeSpan(pixels))->content);
  }
  return digests;
}

// Every machine must draw these bytes. Whoever changes a drawing raises the version in
// BuiltInShapesSource::Rules and writes the new digest here.
TEST(BuiltInShapesTest, AreTheSameBytesEverywhere) {
  std::string all;
  for (const int size : {8, 33, 48}) {
    for (const std::string& digest : ContentDigests(Spec(1), size)) all += digest;
  }
  EXPECT_EQ(Sha256Hex(all), "709675e8a67afd109168e41f2aba3accb2b45e1f48cb0ffdbbaa6d4d2c82862d");
}

TEST(BuiltInShapesTest, PicturesFollowFromSeedSplitAndNumberAlone) {
  const std::vector<std::string> some = ContentDigests(Spec(1, 100, 100), 16);
  const std::vector<std::string> more = ContentDigests(Spec(1, 150, 120), 16);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(some[i], more[i]);              // train
    EXPECT_EQ(some[100 + i], more[150 + i]);  // val
  }
  std::set<std::string> different(some.begin(), some.end());
  for (const std::string& digest : ContentDigests(Spec(2, 100, 100), 16)) different.insert(digest);
  EXPECT_EQ(different.size(), 400u) << "two pictures are equal";
}

TEST(BuiltInShapesTest, ClassesHaveEqualParts) {
  BuiltInShapesSource source(Spec(1, 250, 120), 8);
  std::vector<uint8_t> pixels(3 * 8 * 8);
  std::vector<int> train(10), val(10);
  for (int i = 0; i < 250; ++i) ++train[source.Read(i, NoMargin, absl::MakeSpan(pixels))->label];
  for (int i = 0; i < 120; ++i) ++val[source.Read(250 + i, NoMargin, absl::MakeSpan(pixels))->label];
  EXPECT_THAT(train, testing::Each(25));
  EXPECT_THAT(val, testing::Each(12));
}

TEST(ShapeOutlineTest, EveryOutlineLiesInTheUnitCircleAndFillsAGoodPartOfIt) {
  ASSERT_EQ(OutlineNames().size(), static_cast<size_t>(kOutlines));
  for (int k = 0; k < kOutlines; ++k) {
    SCOPED_TRACE(OutlineNames()[k]);
    int inside = 0, circle = 0;
    for (int y = -150; y <= 150; ++y) {
      for (int x = -150; x <= 150; ++x) {
        const Point p = {x / 100.0, y / 100.0};
        const bool in_circle = p.x * p.x + p.y * p.y <= 1.0;
        const bool in_shape = DistanceOutside(static_cast<Outline>(k), p) <= 0.0;
        EXPECT_FALSE(in_shape && p.x * p.x + p.y * p.y > 1.02) << p.x << " " << p.y;
        inside += in_shape;
        circle += in_circle;
      }
    }
    EXPECT_GT(inside, 0.25 * circle);
    EXPECT_LT(inside, 0.8 * circle);
  }
}

}  // namespace
}  // namespace squish
