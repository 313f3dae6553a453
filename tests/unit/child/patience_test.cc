#include "common/child/patience.h"

#include "gtest/gtest.h"

namespace squish {
namespace {

constexpr absl::Duration kStart = absl::Hours(7);  // Of a steady clock: any.

TEST(PatienceTest, IsOverWhenTheLimitHasPassed) {
  Patience patience(absl::Seconds(2), kStart);
  EXPECT_FALSE(patience.IsOver(kStart + absl::Milliseconds(900)));
  EXPECT_EQ(patience.left(), absl::Milliseconds(1100));
  EXPECT_FALSE(patience.IsOver(kStart + absl::Milliseconds(1800)));
  EXPECT_TRUE(patience.IsOver(kStart + absl::Milliseconds(2000)));
  EXPECT_TRUE(patience.IsOver(kStart + absl::Milliseconds(2001)));
}

TEST(PatienceTest, WithoutALimitIsOverAtOnceOrNever) {
  EXPECT_TRUE(Patience(absl::ZeroDuration(), kStart).IsOver(kStart));
  Patience endless(absl::InfiniteDuration(), kStart);
  EXPECT_FALSE(endless.IsOver(kStart + absl::Hours(1000)));
  EXPECT_EQ(endless.left(), absl::InfiniteDuration());
}

TEST(PatienceTest, SuspendedTimeDoesNotCount) {
  Patience patience(absl::Seconds(3), kStart);
  absl::Duration now = kStart + absl::Milliseconds(200);
  EXPECT_FALSE(patience.IsOver(now));
  now += absl::Hours(10);  // As when a cluster suspends the job over night.
  EXPECT_FALSE(patience.IsOver(now));
  EXPECT_EQ(patience.left(), absl::Milliseconds(2800) - Patience::kMostBetweenLooks);
  now += absl::Hours(10);
  EXPECT_FALSE(patience.IsOver(now));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(patience.IsOver(now += absl::Milliseconds(200)));
  EXPECT_TRUE(patience.IsOver(now += absl::Milliseconds(200)));
}

}  // namespace
}  // namespace squish
