#include "common/dataset/selection_split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/base/random.h"
#include "common/base/sha256.h"

namespace squish {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<TrainingPicture> Pictures(std::vector<int> class_sizes) {
  std::vector<TrainingPicture> pictures;
  for (size_t label = 0; label < class_sizes.size(); ++label) {
    for (int i = 0; i < class_sizes[label]; ++i) {
      pictures.push_back({static_cast<int>(label), Sha256Hex(absl::StrCat(label, " ", i))});
    }
  }
  return pictures;
}

TEST(SelectionSplitTest, HoldsOutTheFifthOfEveryClassWithTheSmallestDigests) {
  const std::vector<std::string> names = {"a", "b", "c"};
  const std::vector<TrainingPicture> pictures = Pictures({10, 11, 2});
  const std::vector<bool> held_out = HeldOutForSelection(pictures, names).value();
  std::vector<int> counts(3);
  std::vector<std::string> largest_held(3), smallest_kept(3, "g");
  for (size_t i = 0; i < pictures.size(); ++i) {
    const auto& [label, content] = pictures[i];
    counts[label] += held_out[i];
    if (held_out[i]) {
      largest_held[label] = std::max(largest_held[label], content);
    } else {
      smallest_kept[label] = std::min(smallest_kept[label], content);
    }
  }
  EXPECT_THAT(counts, ElementsAre(2, 3, 1));
  for (int label = 0; label < 3; ++label) EXPECT_LT(largest_held[label], smallest_kept[label]);
}

TEST(SelectionSplitTest, DoesNotDependOnTheOrderOfPictures) {
  const std::vector<std::string> names = {"a", "b"};
  const std::vector<TrainingPicture> pictures = Pictures({37, 23});
  const std::vector<bool> held_out = HeldOutForSelection(pictures, names).value();
  const std::vector<int> order = RandomStream(RandomDomain::kShuffle, {1}).Permutation(60);
  std::vector<TrainingPicture> shuffled;
  for (const int i : order) shuffled.push_back(pictures[i]);
  const std::vector<bool> shuffled_held_out = HeldOutForSelection(shuffled, names).value();
  for (int i = 0; i < 60; ++i) EXPECT_EQ(shuffled_held_out[i], held_out[order[i]]);
}

TEST(SelectionSplitTest, EqualContentNeverStraddlesTheSplit) {
  // Ten pictures of which the four smallest are equal: two are called for.
  const std::vector<TrainingPicture> pictures = {{0, "1"}, {0, "1"}, {0, "1"}, {0, "1"}, {0, "5"},
                                                 {0, "6"}, {0, "7"}, {0, "8"}, {0, "9"}, {0, "a"},
                                                 // Under another label too, where it is large.
                                                 {1, "0"}, {1, "00"}, {1, "1"}};
  const std::vector<bool> held_out = HeldOutForSelection(pictures, {"a", "b"}).value();
  EXPECT_THAT(held_out, ElementsAre(true, true, true, true, false, false, false, false, false,
                                    false, true, false, true));
}

TEST(SelectionSplitTest, ClassWithNothingLeftToTrainOnIsNamed) {
  const auto empty = HeldOutForSelection(Pictures({5, 0}), {"cat", "dog"});
  EXPECT_EQ(empty.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(empty.status().message()), HasSubstr("'dog' has 0 training pictures"));
  const auto single = HeldOutForSelection(Pictures({1, 5}), {"cat", "dog"});
  EXPECT_THAT(std::string(single.status().message()), HasSubstr("'cat' has 1 training"));
}

}  // namespace
}  // namespace squish
