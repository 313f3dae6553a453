#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "worker/trainer/augmentation.h"

namespace squish {
namespace {

// Labels 0, 1, 2 in shares 1 : 2 : 5, in blocks.
std::vector<int> UnequalLabels(int unit) {
  std::vector<int> labels;
  for (const auto& [label, share] : {std::pair{0, 1}, std::pair{1, 2}, std::pair{2, 5}}) {
    labels.insert(labels.end(), unit * share, label);
  }
  return labels;
}

std::vector<int> Epoch(PictureOrder& order, int epoch, int pictures) {
  std::vector<int> indices;
  for (int i = 0; i < pictures; ++i) indices.push_back(order.At(int64_t{1} * epoch * pictures + i));
  return indices;
}

TEST(PictureOrderTest, EveryEpochHoldsEveryPictureOnceInAnotherOrder) {
  const std::vector<int> labels = UnequalLabels(25);
  PictureOrder order(1, labels);
  const std::vector<int> first = Epoch(order, 0, 200), second = Epoch(order, 1, 200);
  EXPECT_NE(first, second);
  EXPECT_EQ(Epoch(order, 0, 200), first) << "the order depends on what was asked before";
  for (std::vector<int> epoch : {first, second}) {
    std::sort(epoch.begin(), epoch.end());
    for (int i = 0; i < 200; ++i) ASSERT_EQ(epoch[i], i);
  }
  PictureOrder other(2, labels);
  EXPECT_NE(Epoch(other, 0, 200), first);
}

TEST(PictureOrderTest, EveryRunOfPicturesHoldsEachClassInItsShare) {
  const std::vector<int> labels = UnequalLabels(25);
  PictureOrder order(1, labels);
  const std::vector<int> epoch = Epoch(order, 3, 200);
  for (int start = 0; start + 40 <= 200; ++start) {
    std::vector<int> counts(3);
    for (int i = start; i < start + 40; ++i) ++counts[labels[epoch[i]]];
    EXPECT_NEAR(counts[0], 5, 1) << start;
    EXPECT_NEAR(counts[1], 10, 1) << start;
    EXPECT_NEAR(counts[2], 25, 1) << start;
  }
}

TEST(PictureOrderTest, ClassesOfOneSizeComeInRandomOrder) {
  std::vector<int> labels;
  for (int i = 0; i < 100; ++i) labels.push_back(i % 10);
  PictureOrder order(1, labels);
  const std::vector<int> epoch = Epoch(order, 0, 100);
  std::vector<std::vector<int>> rounds;
  for (int round = 0; round < 10; ++round) {
    rounds.emplace_back();
    for (int i = 0; i < 10; ++i) rounds.back().push_back(labels[epoch[10 * round + i]]);
  }
  std::sort(rounds.begin(), rounds.end());
  EXPECT_EQ(std::unique(rounds.begin(), rounds.end()), rounds.end());
}

}  // namespace
}  // namespace squish
