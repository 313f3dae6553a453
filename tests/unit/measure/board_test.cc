#include "jetson-agent/measure/board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace squish {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

v1::BoardSample At(double cpu_megahertz, double gpu_megahertz = 998.4, double gpu_load = 0.9) {
  v1::BoardSample sample;
  sample.set_cpu_megahertz(cpu_megahertz);
  sample.set_gpu_megahertz(gpu_megahertz);
  sample.set_gpu_load(gpu_load);
  return sample;
}

v1::BoardSample WithZone(double celsius, double trip_celsius) {
  v1::BoardSample sample;
  v1::ThermalZone& zone = *sample.add_zones();
  zone.set_name("CPU-therm");
  zone.set_celsius(celsius);
  zone.set_trip_celsius(trip_celsius);
  return sample;
}

v1::BoardInfo Fixed() {
  v1::BoardInfo info;
  info.set_cpu_clock_fixed(true);
  info.set_gpu_clock_fixed(true);
  return info;
}

std::vector<std::string> Judge(const v1::BoardInfo& info, const v1::BoardSample& before,
                               const std::vector<v1::BoardSample>& during) {
  BoardJudge judge(info, before);
  for (const v1::BoardSample& sample : during) judge.Add(sample);
  EXPECT_EQ(judge.broken(), !judge.BrokenRules().empty());
  return judge.BrokenRules();
}

TEST(BoardJudgeTest, BoardThatKeepsItsClocksBreaksNoRule) {
  EXPECT_THAT(Judge(Fixed(), At(1734), {At(1734), At(1734), At(1734)}), IsEmpty());
}

TEST(BoardJudgeTest, FixedClockThatFallsOneStepIsToldWithItsAmount) {
  EXPECT_THAT(Judge(Fixed(), At(1734), {At(1734), At(1632), At(1734)}),
              ElementsAre("the CPU's clock fell by 5.9 %, from 1734 to 1632 MHz; at most 5 % is "
                          "allowed of a fixed clock"));
  EXPECT_THAT(Judge(Fixed(), At(1734), {At(1734, 998.4), At(1734, 921.6)}),
              ElementsAre(HasSubstr("the GPU's clock fell by 7.7 %")));
}

TEST(BoardJudgeTest, FixedClockCountsAtRestToo) {
  EXPECT_THAT(Judge(Fixed(), At(1734), {At(1428), At(1428)}), SizeIs(1));
}

TEST(BoardJudgeTest, ClockThatAGovernorChoosesIsComparedUnderLoadOnly) {
  EXPECT_THAT(Judge({}, At(4200), {At(3000), At(3100), At(2900)}), IsEmpty()) << "at rest 4.2 GHz";
  EXPECT_THAT(Judge({}, At(800), {At(4200), At(3300), At(4200)}), IsEmpty()) << "21 %: turbo";
  EXPECT_THAT(Judge({}, At(800), {At(4200), At(3000)}),
              ElementsAre("the CPU's clock fell by 28.6 %, from 4200 to 3000 MHz; at most 25 % is "
                          "allowed of one that a governor chooses"));
}

TEST(BoardJudgeTest, ClockThatRisesHasNotFallen) {
  EXPECT_THAT(Judge({}, At(800), {At(1200), At(2400), At(4200)}), IsEmpty());
}

TEST(BoardJudgeTest, GpuThatRestsHasNoClockUnlessItIsFixed) {
  EXPECT_THAT(Judge({}, At(1734, 998.4, 0), {At(1734, 998.4, 0.5), At(1734, 76.8, 0.02)}),
              IsEmpty())
      << "an engine that computes on the processor";
  EXPECT_THAT(Judge({}, At(1734, 76.8, 0), {At(1734, 998.4, 0.5), At(1734, 614.4, 0.5)}),
              SizeIs(1));
  EXPECT_THAT(Judge(Fixed(), At(1734, 998.4, 0), {At(1734, 76.8, 0)}), SizeIs(1));
}

TEST(BoardJudgeTest, WhatIsNotKnownBreaksNoRule) {
  EXPECT_THAT(Judge({}, {}, {{}, {}}), IsEmpty());
  EXPECT_THAT(Judge(Fixed(), At(1734), {{}, {}}), IsEmpty());
  v1::BoardSample no_trip = WithZone(150, 0);
  no_trip.mutable_zones(0)->clear_trip_celsius();
  EXPECT_THAT(Judge({}, {}, {no_trip}), IsEmpty());
}

TEST(BoardJudgeTest, ZoneAtItsTripPointIsAnAlarm) {
  EXPECT_THAT(Judge({}, {}, {WithZone(96.9, 97)}), IsEmpty());
  EXPECT_THAT(Judge({}, {}, {WithZone(50, 97), WithZone(97.5, 97), WithZone(50, 97)}),
              ElementsAre("the thermal zone CPU-therm is at 97.5 °C; its trip point is 97.0 °C"));
}

TEST(BoardJudgeTest, ThrottleFlagsAreAlarms) {
  v1::BoardSample throttled;
  throttled.add_throttles()->set_name("gpu-balanced");
  throttled.mutable_throttles(0)->set_level(2);
  EXPECT_THAT(Judge({}, {}, {throttled}),
              ElementsAre("the board throttles: cooling device gpu-balanced is at level 2"));
}

TEST(BoardJudgeTest, OnlyEventsSinceTheBeginningCount) {
  v1::BoardSample seven, nine;
  seven.set_throttle_events(7);
  nine.set_throttle_events(9);
  EXPECT_THAT(Judge({}, seven, {seven, seven}), IsEmpty());
  EXPECT_THAT(Judge({}, seven, {seven, nine}),
              ElementsAre("the processor throttled 2 times for its heat"));
  EXPECT_THAT(Judge({}, {}, {nine}), IsEmpty()) << "nobody knows since when";
  EXPECT_THAT(Judge({}, nine, {seven}), IsEmpty());
}

TEST(BoardJudgeTest, ReasonsAreFewHoweverMuchIsWrong) {
  v1::BoardSample wrong = At(100, 100);
  wrong.set_throttle_events(1'000'000);
  for (int i = 0; i < 32; ++i) {
    *wrong.add_zones() = WithZone(120, 97).zones(0);
    wrong.add_throttles()->set_level(1);
  }
  v1::BoardSample before = At(1734);
  before.set_throttle_events(0);
  EXPECT_THAT(Judge(Fixed(), before, {wrong, wrong, wrong}), SizeIs(7));
}

TEST(BoardJudgeTest, SummaryHoldsTheRangeOfClocksAndTheHottestZone) {
  BoardJudge judge({}, At(800));
  judge.Add(At(4000));
  v1::BoardSample hot = At(3900, 614.4);
  *hot.add_zones() = WithZone(71.5, 97).zones(0);
  judge.Add(hot);
  judge.Add({});
  const v1::BoardBlocks& summary = judge.summary();
  EXPECT_EQ(summary.samples(), 3);
  EXPECT_EQ(summary.cpu_lowest_megahertz(), 3900);
  EXPECT_EQ(summary.cpu_highest_megahertz(), 4000);
  EXPECT_EQ(summary.gpu_lowest_megahertz(), 614.4);
  EXPECT_EQ(summary.gpu_highest_megahertz(), 998.4);
  EXPECT_EQ(summary.hottest_celsius(), 71.5);
}

}  // namespace
}  // namespace squish
