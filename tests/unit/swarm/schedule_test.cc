#include "benchmarks/swarm/schedule.h"

#include <gtest/gtest.h>

namespace squish {
namespace {

TEST(ScheduleTest, EventsAreSpreadEvenlyFromTheStart) {
  const Schedule schedule(absl::Seconds(100), /*rate=*/8, /*members=*/3);
  EXPECT_EQ(schedule.DueAt(0), absl::Seconds(100));
  EXPECT_EQ(schedule.DueAt(1), absl::Seconds(100.125));
  EXPECT_EQ(schedule.DueAt(80), absl::Seconds(110));
}

TEST(ScheduleTest, DueTimesDoNotDriftWhereTheIntervalIsNoWholeNumber) {
  const Schedule schedule(absl::ZeroDuration(), /*rate=*/3, /*members=*/1);
  EXPECT_EQ(schedule.DueAt(3'000'000), absl::Seconds(1'000'000));
}

TEST(ScheduleTest, MembersTakeTurns) {
  const Schedule schedule(absl::ZeroDuration(), /*rate=*/1, /*members=*/3);
  EXPECT_EQ(schedule.MemberOf(0), 0);
  EXPECT_EQ(schedule.MemberOf(2), 2);
  EXPECT_EQ(schedule.MemberOf(3), 0);
}

}  // namespace
}  // namespace squish
