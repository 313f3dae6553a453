#include "jetson-agent/telemetry/telemetry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/unit/telemetry/machine_trees.h"

namespace squish {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::string> ZoneNames(const v1::BoardSample& sample) {
  std::vector<std::string> names;
  for (const v1::ThermalZone& zone : sample.zones()) names.push_back(zone.name());
  return names;
}

v1::BoardInfo Describe(const MachineTree& machine) {
  v1::BoardInfo info = ReadSoftware(machine.root());
  Telemetry(machine.root()).DescribeClocks(info);
  return info;
}

TEST(TelemetryTest, Tx1OnL4t32TellsWhatItIs) {
  const MachineTree machine(Tx1OnL4t32());
  const v1::BoardInfo info = Describe(machine);
  EXPECT_EQ(info.model(), "NVIDIA Jetson TX1 Developer Kit");
  EXPECT_EQ(info.l4t(), "32.7.1");
  EXPECT_EQ(info.jetpack(), "4.6.1");
  EXPECT_EQ(info.cuda(), "10.2.300");
  EXPECT_EQ(info.tensorrt(), "8.2.1");
  EXPECT_EQ(info.memory_bytes(), 4059476LL * 1024);
  EXPECT_TRUE(info.cpu_clock_fixed());
  EXPECT_TRUE(info.gpu_clock_fixed());
  EXPECT_EQ(info.cpu_maximum_megahertz(), 1734);
  EXPECT_EQ(info.gpu_maximum_megahertz(), 998.4);
}

TEST(TelemetryTest, Tx1OnL4t32TellsHowItIs) {
  const MachineTree machine(Tx1OnL4t32());
  const v1::BoardSample sample = Telemetry(machine.root()).FullSample();
  EXPECT_EQ(sample.cpu_megahertz(), 1734);
  EXPECT_EQ(sample.gpu_megahertz(), 998.4);
  EXPECT_EQ(sample.cpu_governor(), "schedutil");
  EXPECT_EQ(sample.gpu_governor(), "nvhost_podgov");
  EXPECT_TRUE(sample.has_gpu_load());
  EXPECT_THAT(ZoneNames(sample),
              ElementsAre("AO-therm", "CPU-therm", "GPU-therm", "PLL-therm", "thermal-fan-est"))
      << "without the PMIC and the sensor that is off";
  EXPECT_EQ(sample.zones(1).celsius(), 38);
  EXPECT_EQ(sample.zones(1).trip_celsius(), 97) << "the lower of passive and critical";
  EXPECT_FALSE(sample.zones(2).has_trip_celsius()) << "active trip points are no alarm";
  EXPECT_THAT(sample.throttles(), IsEmpty()) << "a fan throttles nothing";
  ASSERT_THAT(sample.rails(), SizeIs(3));
  EXPECT_EQ(sample.rails(0).name(), "VDD_IN");
  EXPECT_EQ(sample.rails(0).watts(), 9.5);
  EXPECT_EQ(sample.power_mode(), "MAXN");
  EXPECT_EQ(sample.memory_available_bytes(), 2900480LL * 1024);
  EXPECT_EQ(Telemetry(machine.root()).input_rail(), "VDD_IN");
}

TEST(TelemetryTest, SampleBetweenBlocksLeavesOutWhatTakesLong) {
  const MachineTree machine(Tx1OnL4t32());
  const v1::BoardSample sample = Telemetry(machine.root()).Sample();
  EXPECT_TRUE(sample.has_cpu_megahertz());
  EXPECT_THAT(sample.rails(), IsEmpty());
  EXPECT_EQ(sample.power_mode(), "");
  EXPECT_FALSE(sample.has_memory_available_bytes());
}

TEST(TelemetryTest, Tx1OnL4t28HasOtherPathsAndNoPowerMode) {
  const MachineTree machine(Tx1OnL4t28());
  const v1::BoardInfo info = Describe(machine);
  EXPECT_EQ(info.model(), "jetson_tx1");
  EXPECT_EQ(info.l4t(), "28.2.0");
  EXPECT_EQ(info.jetpack(), "3.2") << "by its L4T";
  EXPECT_EQ(info.cuda(), "9.0.252");
  EXPECT_EQ(info.tensorrt(), "4.1.3");
  EXPECT_FALSE(info.cpu_clock_fixed());
  EXPECT_FALSE(info.gpu_clock_fixed());
  const v1::BoardSample sample = Telemetry(machine.root()).FullSample();
  EXPECT_EQ(sample.gpu_megahertz(), 76.8);
  EXPECT_EQ(sample.gpu_load(), 0.125);
  ASSERT_THAT(sample.rails(), SizeIs(1));
  EXPECT_DOUBLE_EQ(sample.rails(0).watts(), 5.7) << "19 V · 0.3 A, where power is not told";
  EXPECT_EQ(sample.power_mode(), "");
  EXPECT_FALSE(sample.has_memory_available_bytes());
}

TEST(TelemetryTest, RailsOfNewerKernelsAreBelowHwmon) {
  const std::string hwmon = "/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3/";
  const MachineTree machine({{hwmon + "in1_label", "VDD_IN\n"},
                             {hwmon + "in1_input", "5000\n"},
                             {hwmon + "curr1_input", "1200\n"},
                             {hwmon + "in2_label", "NC\n"},
                             {hwmon + "in3_label", "VDD_SOC\n"},
                             {hwmon + "in3_input", "5000\n"},
                             {hwmon + "in7_label", "sum of shunt voltages\n"}});
  const Telemetry telemetry(machine.root());
  const std::vector<v1::RailPower> rails = telemetry.ReadRails();
  ASSERT_THAT(rails, SizeIs(1)) << "what tells no current has no power";
  EXPECT_EQ(rails[0].name(), "VDD_IN");
  EXPECT_DOUBLE_EQ(rails[0].watts(), 6);
  EXPECT_EQ(telemetry.input_rail(), "VDD_IN");
}

TEST(TelemetryTest, GpuOfOtherBoardsIsFoundByItsClass) {
  const std::string gpu = "/sys/class/devfreq/17000000.gp10b/";
  const MachineTree machine({{gpu + "governor", "nvhost_podgov\n"},
                             {gpu + "cur_freq", "1300500000\n"},
                             {gpu + "device/load", "1000\n"},
                             {"/sys/class/devfreq/15340000.vic/governor", "wmark\n"}});
  const v1::BoardSample sample = Telemetry(machine.root()).Sample();
  EXPECT_EQ(sample.gpu_megahertz(), 1300.5);
  EXPECT_EQ(sample.gpu_load(), 1);
}

TEST(TelemetryTest, PcTellsClocksTemperaturesAndCountsOfThrottling) {
  const MachineTree machine(Pc());
  const v1::BoardInfo info = Describe(machine);
  EXPECT_EQ(info.model(), "");
  EXPECT_EQ(info.l4t(), "");
  EXPECT_FALSE(info.cpu_clock_fixed()) << "turbo";
  const v1::BoardSample sample = Telemetry(machine.root()).FullSample();
  EXPECT_EQ(sample.cpu_megahertz(), 3900) << "the fastest core's";
  EXPECT_EQ(sample.throttle_events(), 7);
  EXPECT_THAT(ZoneNames(sample), ElementsAre("acpitz", "x86_pkg_temp"));
  EXPECT_FALSE(sample.zones(0).has_trip_celsius()) << "0 °C is no trip point";
  EXPECT_THAT(sample.throttles(), IsEmpty());
  EXPECT_THAT(sample.rails(), IsEmpty());
}

TEST(TelemetryTest, OfAnEmptyRootNothingIsKnown) {
  for (const std::string& root : {MachineTree().root(), std::string("/nonexistent")}) {
    EXPECT_EQ(ReadSoftware(root).ByteSizeLong(), 0u);
    const Telemetry telemetry(root);
    v1::BoardInfo info;
    telemetry.DescribeClocks(info);
    EXPECT_EQ(info.ByteSizeLong(), 0u) << info.DebugString();
    EXPECT_EQ(telemetry.FullSample().ByteSizeLong(), 0u);
    EXPECT_EQ(telemetry.input_rail(), "");
  }
}

TEST(TelemetryTest, CoolingDeviceAtWorkIsAThrottle) {
  const MachineTree machine(Tx1OnL4t32());
  const Telemetry telemetry(machine.root());
  machine.Write("/sys/class/thermal/cooling_device1/cur_state", "3\n");
  const v1::BoardSample sample = telemetry.Sample();
  ASSERT_THAT(sample.throttles(), SizeIs(1));
  EXPECT_EQ(sample.throttles(0).name(), "cpu-balanced");
  EXPECT_EQ(sample.throttles(0).level(), 3);
}

TEST(TelemetryTest, WhatVanishesMeanwhileIsNotKnownAndComesBack) {
  const MachineTree machine(Tx1OnL4t32());
  const Telemetry telemetry(machine.root());
  const std::string clock = std::string(kTx1GpuFolder) + "/cur_freq";
  machine.Remove(clock);
  EXPECT_FALSE(telemetry.Sample().has_gpu_megahertz());
  machine.Write(clock, "76800000\n");
  EXPECT_EQ(telemetry.Sample().gpu_megahertz(), 76.8);
}

// What may lie in the place of any file.
struct Nonsense {
  const char* name;
  std::function<void(const std::string&)> put;  // In the place of a file that is gone.
};

void WriteContent(const std::string& path, const std::string& content) {
  std::ofstream(path) << content;
}

class NonsenseTest : public ::testing::TestWithParam<Nonsense> {};

// All files at once, then each by itself, both before the files are found and after.
TEST_P(NonsenseTest, IsNotKnownAndHurtsNothing) {
  for (const Tree& tree : {Tx1OnL4t32(), Tx1OnL4t28(), Pc()}) {
    const MachineTree machine(tree);
    const Telemetry before(machine.root());
    for (const auto& [path, content] : tree) {
      machine.Remove(path);
      GetParam().put(machine.Path(path));
      const v1::BoardSample sample = before.FullSample();
      for (const v1::ThermalZone& zone : sample.zones()) EXPECT_LE(zone.celsius(), 200);
      for (const v1::RailPower& rail : sample.rails()) EXPECT_GE(rail.watts(), 0);
      Telemetry(machine.root()).FullSample();
    }
    // A number may still pass for a name.
    v1::BoardSample sample = before.FullSample();
    sample.clear_cpu_governor();
    sample.clear_gpu_governor();
    EXPECT_EQ(sample.ByteSizeLong(), 0u) << sample.DebugString();
    v1::BoardInfo info = Describe(machine);
    info.clear_model();
    EXPECT_EQ(info.ByteSizeLong(), 0u) << info.DebugString();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Files, NonsenseTest,
    ::testing::Values(
        Nonsense{"empty", [](auto& path) { WriteContent(path, ""); }},
        Nonsense{"newlines", [](auto& path) { WriteContent(path, "\n\n\n"); }},
        Nonsense{"negative", [](auto& path) { WriteContent(path, "-9223372036854775808\n"); }},
        Nonsense{"huge", [](auto& path) { WriteContent(path, "9223372036854775808\n"); }},
        Nonsense{"endless_digits", [](auto& path) { WriteContent(path, std::string(5000, '9')); }},
        Nonsense{"binary",
                 [](auto& path) { WriteContent(path, std::string("\x7f" "ELF\0\xff\xfe\n", 8)); }},
        Nonsense{"folder", [](auto& path) { ASSERT_EQ(::mkdir(path.c_str(), 0755), 0); }},
        Nonsense{"fifo", [](auto& path) { ASSERT_EQ(::mkfifo(path.c_str(), 0644), 0); }},
        Nonsense{"endless_device",
                 [](auto& path) { ASSERT_EQ(::symlink("/dev/zero", path.c_str()), 0); }},
        Nonsense{"link_to_itself",
                 [](auto& path) { ASSERT_EQ(::symlink(path.c_str(), path.c_str()), 0); }}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(ReadSystemFileTest, FileThatIsTooLargeIsNotRead) {
  const MachineTree machine(
      {{"/small", std::string(4096, 'x')}, {"/large", std::string(4097, 'x')}});
  EXPECT_EQ(ReadSystemFile(machine.Path("/small")).size(), 4096u);
  EXPECT_EQ(ReadSystemFile(machine.Path("/large")), "");
}

TEST(SystemFilesTest, NumberedNamesAreInTheOrderOfNumbers) {
  const MachineTree machine({{"/d/zone10/x", ""}, {"/d/zone2/x", ""}, {"/d/zone02/x", ""},
                             {"/d/zone/x", ""}, {"/d/zone-1/x", ""}, {"/d/other3/x", ""}});
  EXPECT_THAT(SystemFiles(machine.root()).Numbered("/d", "zone"), ElementsAre("zone2", "zone10"));
  EXPECT_THAT(SystemFiles(machine.root()).Numbered("/nowhere", "zone"), IsEmpty());
}

}  // namespace
}  // namespace squish
