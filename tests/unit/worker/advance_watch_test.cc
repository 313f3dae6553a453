#include "worker/daemon/advance_watch.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace squish {
namespace {

TEST(AdvanceWatchTest, OnlyARiseOfTheFractionIsAnAdvance) {
  FakeClock clock;
  AdvanceWatch watch("the child", absl::Seconds(10), clock);
  clock.Advance(absl::Seconds(9));
  EXPECT_TRUE(watch.See(0).ok());
  clock.Advance(absl::Seconds(9));
  EXPECT_TRUE(watch.See(0.1).ok());
  clock.Advance(absl::Seconds(10));
  EXPECT_TRUE(watch.See(0.1).ok()) << "not longer than the limit";
  clock.Advance(absl::Seconds(1));
  const absl::Status stuck = watch.See(0.05);
  EXPECT_EQ(stuck.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(stuck.message(), "the child talked but did not advance for 10s");
  EXPECT_TRUE(watch.See(0.2).ok());
}

}  // namespace
}  // namespace squish
