// A measurement on a machine whose files the test writes, with an engine that computes
// nothing of interest.
#include "jetson-agent/measurement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "tests/support/checkout.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/engine/test_networks.h"
#include "tests/unit/telemetry/machine_trees.h"

namespace squish {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kCpuTemperature[] = "/sys/class/thermal/thermal_zone1/temp";

// The machine's steady clock, further on by what was waited for; the wall clock jumps by
// years, back and forth, each time that one looks.
class TestClock : public Clock {
 public:
  absl::Time Now() override {
    absl::MutexLock lock(&mutex_);
    years_ = years_ > 0 ? -30 : 30;
    return Clock::System().Now() + years_ * absl::Hours(24 * 365);
  }
  absl::Duration Steady() override {
    absl::MutexLock lock(&mutex_);
    return Clock::System().Steady() + waited_;
  }
  void Advance(absl::Duration by) {
    absl::MutexLock lock(&mutex_);
    waited_ += by;
  }

 private:
  absl::Mutex mutex_;
  int years_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration waited_ ABSL_GUARDED_BY(mutex_);
};

class MeasurementTest : public ::testing::Test {
 protected:
  explicit MeasurementTest(const Tree& tree = Tx1OnL4t32())
      : machine_(tree), folder_(TemporaryFolder()) {
    inputs_.candidate_path = WriteNetwork(folder_, 0.1).path;
    inputs_.ancestor_path = inputs_.candidate_path;
    v1::MeasurementSpec& protocol = inputs_.protocol;
    protocol.set_batch(2);
    protocol.set_input_size(64);
    protocol.set_threads(1);
    protocol.set_minimum_seconds(0.02);
    protocol.set_minimum_blocks(3);
    protocol.set_warmup_seconds(0.005);
    protocol.set_maximum_spread(1e9);
    protocol.set_time_limit_seconds(60);
    inputs_.board.system_root = machine_.root();
    inputs_.board.software = ReadSoftware(machine_.root());
    inputs_.board.pause = [this](absl::Duration pause) {
      clock_.Advance(pause);
      ++pauses_;
      on_pause_();
    };
  }

  absl::StatusOr<v1::MeasureResult> MeasureWith(std::vector<std::string> command) {
    EngineOptions options;
    options.child.command = std::move(command);
    const auto engine = EngineClient::Spawn(options, clock_);
    EXPECT_TRUE(engine.ok()) << engine.status();
    return Measure(**engine, inputs_, clock_, [this](double, std::string note) {
      notes_.push_back(std::move(note));
      on_progress_();
    });
  }
  v1::MeasureResult MeasureOnce() { return MeasureWith({TestProgramPath("fake_engine")}).value(); }

  const MachineTree machine_;
  const std::string folder_;
  TestClock clock_;
  MeasurementInputs inputs_;
  int pauses_ = 0;
  std::vector<std::string> notes_;
  std::function<void()> on_pause_ = [] {};
  std::function<void()> on_progress_ = [] {};
};

class PcMeasurementTest : public MeasurementTest {
 protected:
  PcMeasurementTest() : MeasurementTest(Pc()) {}
};

class UnknownMachineMeasurementTest : public MeasurementTest {
 protected:
  UnknownMachineMeasurementTest() : MeasurementTest(Tree()) {}
};

TEST_F(MeasurementTest, TellsTheBoardBeforeMeanwhileAndAfter) {
  const v1::MeasureResult result = MeasureOnce();
  EXPECT_EQ(result.verdict(), v1::MeasureResult::VALID) << result.DebugString();
  const v1::BoardReport& board = result.board();
  EXPECT_EQ(board.info().l4t(), "32.7.1");
  EXPECT_TRUE(board.info().gpu_clock_fixed());
  EXPECT_EQ(board.before().power_mode(), "MAXN");
  EXPECT_THAT(board.before().rails(), SizeIs(3));
  EXPECT_THAT(board.after().rails(), SizeIs(3));
  EXPECT_EQ(board.during().samples(), result.block_images_per_second_size() / 2)
      << "one in the middle of each group";
  EXPECT_EQ(board.during().cpu_lowest_megahertz(), 1734);
  EXPECT_EQ(board.during().hottest_celsius(), 41.5);
  EXPECT_EQ(board.tries(), 1);
  EXPECT_EQ(board.cooling_seconds(), 0);
}

TEST_F(MeasurementTest, ImagesPerJouleAreOfARunByItself) {
  const v1::MeasureResult result = MeasureOnce();
  ASSERT_TRUE(result.board().has_energy()) << result.DebugString();
  const v1::BoardEnergy& energy = result.board().energy();
  EXPECT_EQ(energy.input_rail(), "VDD_IN");
  EXPECT_GE(energy.readings(), 1);
  // Another run of the same network: about as fast, at 9.5 W.
  EXPECT_GT(energy.images_per_joule(), 0);
  EXPECT_TRUE(std::isfinite(energy.images_per_joule()));
}

TEST_F(MeasurementTest, EnergyIsLeftOutWhereTimeIsNearlyUp) {
  inputs_.protocol.set_time_limit_seconds(2.9);
  EXPECT_FALSE(MeasureOnce().board().has_energy());
}

TEST_F(MeasurementTest, HotBoardIsLeftToCoolAndMeasuredAgain) {
  machine_.Remove("/sys/bus/i2c");
  bool was_hot = false;
  on_progress_ = [&] {
    if (!was_hot) machine_.Write(kCpuTemperature, "98000\n");
    was_hot = true;
  };
  on_pause_ = [&] {
    if (pauses_ == 5) machine_.Write(kCpuTemperature, "45000\n");
    if (pauses_ == 7) machine_.Write(kCpuTemperature, "44000\n");
  };
  const v1::MeasureResult result = MeasureOnce();
  EXPECT_EQ(result.verdict(), v1::MeasureResult::VALID) << result.DebugString();
  EXPECT_THAT(result.reasons(), IsEmpty());
  EXPECT_EQ(result.board().tries(), 2);
  EXPECT_EQ(pauses_, 7) << "until the hottest zone is within 3 °C of the 41.5 before";
  EXPECT_EQ(result.board().cooling_seconds(), 7);
  EXPECT_LT(result.board().during().hottest_celsius(), 50) << "of the second try";
  EXPECT_THAT(notes_, Contains("cooling down from 98 to 44 °C"));
}

TEST_F(MeasurementTest, BoardThatStaysHotIsInvalidWithinItsTime) {
  on_progress_ = [&] { machine_.Write(kCpuTemperature, "98000\n"); };
  const v1::MeasureResult result = MeasureOnce();
  EXPECT_EQ(result.verdict(), v1::MeasureResult::INVALID);
  EXPECT_THAT(result.reasons(),
              Contains("the thermal zone CPU-therm is at 98.0 °C; its trip point is 97.0 °C"));
  EXPECT_EQ(result.board().tries(), 1);
  EXPECT_GE(pauses_, 50);
  EXPECT_LE(pauses_, 60) << "the time limit is 60 s";
}

TEST_F(MeasurementTest, ClockThatFallsIsMeasuredThreeTimesAtMost) {
  int megahertz = 1700;
  on_progress_ = [&] {
    machine_.Write("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "0");
    for (const char* cpu : {"cpu1", "cpu2", "cpu3"}) {
      machine_.Write(absl::StrCat("/sys/devices/system/cpu/", cpu, "/cpufreq/scaling_cur_freq"),
                     absl::StrCat(megahertz -= 100, "000\n"));
    }
  };
  const v1::MeasureResult result = MeasureOnce();
  EXPECT_EQ(result.verdict(), v1::MeasureResult::INVALID);
  EXPECT_THAT(result.reasons(), Contains(HasSubstr("the CPU's clock fell by")));
  EXPECT_EQ(result.board().tries(), BoardMonitor::kMaximumTries);
  EXPECT_EQ(pauses_, 0) << "it is not hot";
}

TEST_F(MeasurementTest, EngineThatEndsWhileTheBoardCoolsIsAFailure) {
  on_progress_ = [&] { machine_.Write(kCpuTemperature, "98000\n"); };
  EngineOptions options;
  options.child.command = {TestProgramPath("fake_engine")};
  const auto engine = EngineClient::Spawn(options, clock_);
  ASSERT_TRUE(engine.ok());
  on_pause_ = [&] { (*engine)->Kill(); };
  const absl::Status status =
      Measure(**engine, inputs_, clock_, [this](double, std::string) { on_progress_(); }).status();
  EXPECT_TRUE(absl::IsAborted(status)) << status;
}

TEST_F(MeasurementTest, WallClockThatJumpsChangesNothing) {
  machine_.Remove("/sys/bus/i2c");
  const absl::Time now = clock_.Now();
  EXPECT_GT(absl::AbsDuration(clock_.Now() - now), absl::Hours(24 * 365)) << "it does jump";
  const v1::MeasureResult result = MeasureOnce();
  EXPECT_EQ(result.verdict(), v1::MeasureResult::VALID) << result.DebugString();
  EXPECT_GT(result.wall_seconds(), 0);
  EXPECT_LT(result.wall_seconds(), 60);
}

TEST_F(MeasurementTest, OfASyntheticEngineTheBoardTellsNothing) {
  on_progress_ = [&] { machine_.Write(kCpuTemperature, "98000\n"); };
  const v1::MeasureResult result =
      MeasureWith({TestProgramPath("fake_engine"), "run", "synthetic"}).value();
  EXPECT_EQ(result.verdict(), v1::MeasureResult::VALID) << result.DebugString();
  EXPECT_FALSE(result.has_board());
}

// Everything takes ten milliseconds.
class SlowClock : public Clock {
 public:
  absl::Time Now() override { return Clock::System().Now(); }
  absl::Duration Steady() override { return absl::Milliseconds(10) * ++looks_; }

 private:
  int looks_ = 0;
};

TEST(BoardMonitorTest, SampleThatTakesLongIsNotTakenBetweenBlocks) {
  const MachineTree machine(Tx1OnL4t32());
  BoardOptions options;
  options.system_root = machine.root();
  v1::MeasureResult result;
  SlowClock slow;
  FakeClock quick;
  for (Clock* clock : {static_cast<Clock*>(&slow), static_cast<Clock*>(&quick)}) {
    BoardMonitor monitor(options, false, *clock);
    monitor.Begin();
    monitor.Sample();
    monitor.Judge(result);
    monitor.Report(result);
    EXPECT_EQ(result.board().during().samples(), clock == &quick ? 1 : 0);
    EXPECT_TRUE(result.board().before().has_cpu_megahertz());
    EXPECT_TRUE(result.board().after().has_cpu_megahertz());
  }
}

TEST_F(PcMeasurementTest, ClockMayWanderUnderAGovernor) {
  bool slow = false;
  on_progress_ = [&] {
    machine_.Write("/sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq",
                   (slow = !slow) ? "3300000" : "4200000");
  };
  const v1::MeasureResult result = MeasureOnce();
  EXPECT_EQ(result.verdict(), v1::MeasureResult::VALID) << result.DebugString();
  EXPECT_FALSE(result.board().has_energy());
}

TEST_F(UnknownMachineMeasurementTest, NothingIsJudgedAndClocksAreNotKnown) {
  const v1::MeasureResult result = MeasureOnce();
  EXPECT_EQ(result.verdict(), v1::MeasureResult::VALID) << result.DebugString();
  EXPECT_TRUE(result.has_board());
  EXPECT_FALSE(result.board().during().has_cpu_highest_megahertz());
  EXPECT_GT(result.board().during().samples(), 0);
}

}  // namespace
}  // namespace squish
