#include "coordinator/jobs/straggling.h"

#include "gtest/gtest.h"

namespace squish {
namespace {

std::vector<absl::Duration> Done(std::vector<int> seconds) {
  std::vector<absl::Duration> durations;
  for (const int one : seconds) durations.push_back(absl::Seconds(one));
  return durations;
}

TEST(StragglingTest, IsThreeTimesTheMedian) {
  EXPECT_FALSE(IsStraggling(absl::Seconds(60), Done({20, 10, 500}), 4));
  EXPECT_TRUE(IsStraggling(absl::Seconds(61), Done({20, 10, 500}), 4));
}

TEST(StragglingTest, OfWhatIsShortAnywayThereIsNone) {
  EXPECT_FALSE(IsStraggling(absl::Seconds(30), Done({1, 1}), 3));
  EXPECT_TRUE(IsStraggling(absl::Seconds(31), Done({1, 1}), 3));
}

TEST(StragglingTest, HalfOfThePeersAndTwoAreDone) {
  EXPECT_FALSE(IsStraggling(absl::Hours(1), Done({10}), 2));
  EXPECT_FALSE(IsStraggling(absl::Hours(1), Done({10, 10}), 5));
  EXPECT_TRUE(IsStraggling(absl::Hours(1), Done({10, 10}), 4));
  EXPECT_FALSE(IsStraggling(absl::Hours(1), {}, 1));
}

}  // namespace
}  // namespace squish
