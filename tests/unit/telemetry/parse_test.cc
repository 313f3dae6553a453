#include "jetson-agent/telemetry/parse.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace squish {
namespace {

TEST(ParseIntegerTest, TakesANumberInItsRangeAndNothingElse) {
  EXPECT_EQ(ParseInteger("42\n", 0, 100), 42);
  EXPECT_EQ(ParseInteger("-7", -10, 0), -7);
  for (const std::string& nonsense :
       {std::string(""), std::string("\n"), std::string("101"), std::string("-1"),
        std::string("4 2"), std::string("42 kHz"), std::string("0x10"), std::string("1e2"),
        std::string("<unsupported>"), std::string("99999999999999999999999"),
        std::string("4\0002", 3), std::string("\xff\xfe\x00\x01", 4), std::string(4096, '9')}) {
    EXPECT_EQ(ParseInteger(nonsense, 0, 100), std::nullopt) << nonsense;
  }
}

TEST(ParseClockTest, IsInMegahertzWhateverTheFileCountsIn) {
  EXPECT_EQ(ParseKilohertz("1734000\n"), 1734);
  EXPECT_EQ(ParseHertz("998400000\n"), 998.4);
  EXPECT_EQ(ParseKilohertz("0"), std::nullopt) << "a core that is off";
  EXPECT_EQ(ParseHertz("0"), std::nullopt) << "a GPU that is off";
  EXPECT_EQ(ParseKilohertz("10000001"), std::nullopt);
  EXPECT_EQ(ParseHertz("-998400000"), std::nullopt);
}

TEST(ParseCelsiusTest, SensorThatIsOffIsNotKnown) {
  EXPECT_EQ(ParseCelsius("41500\n"), 41.5);
  EXPECT_EQ(ParseCelsius("-5000"), -5);
  EXPECT_EQ(ParseCelsius("-256000"), std::nullopt);
  EXPECT_EQ(ParseCelsius("-40000"), std::nullopt);
  EXPECT_EQ(ParseCelsius("200001"), std::nullopt);
}

TEST(ParseTextTest, IsOneShortPrintableLine) {
  EXPECT_EQ(ParseText(" schedutil \nmore"), "schedutil");
  EXPECT_EQ(ParseText(absl::string_view("jetson_tx1\0", 11)), "jetson_tx1");
  EXPECT_EQ(ParseText(std::string(64, 'x')), std::string(64, 'x'));
  EXPECT_EQ(ParseText(std::string(65, 'x')), "");
  EXPECT_EQ(ParseText("\xff\xfe"), "");
  EXPECT_EQ(ParseText("a\tb"), "");
  EXPECT_EQ(ParseText(""), "");
}

TEST(ParseTegraReleaseTest, JoinsReleaseAndRevision) {
  EXPECT_EQ(ParseTegraRelease("# R32 (release), REVISION: 7.1, GCID: 29818004, BOARD: t210ref\n"),
            "32.7.1");
  EXPECT_EQ(ParseTegraRelease("# R28 (release), REVISION: 2.0, GCID: 10567845"), "28.2.0");
  EXPECT_EQ(ParseTegraRelease("# R24 (release), REVISION: 2.1, GCID: 8028265"), "24.2.1");
  for (const char* nonsense :
       {"", "# R", "# R32", "# R32 (release), REVISION: x", "R32 (release), REVISION: 7.1",
        "# R32 (release)\nREVISION: 7.1", "# R.7 (release), REVISION: 1"}) {
    EXPECT_EQ(ParseTegraRelease(nonsense), "") << nonsense;
  }
}

TEST(JetPackOfTest, KnowsThoseOfTheTx1) {
  EXPECT_EQ(JetPackOf("32.7.1"), "4.6.1");
  EXPECT_EQ(JetPackOf("32.5.0"), "4.5");
  EXPECT_EQ(JetPackOf("28.2.0"), "3.2");
  EXPECT_EQ(JetPackOf("99.1"), "");
  EXPECT_EQ(JetPackOf(""), "");
}

TEST(PowerModeTest, IsTheNameOfTheNumberInTheStatusFile) {
  const std::string configuration =
      "# < POWER_MODEL ID=1 NAME=COMMENTED >\n< POWER_MODEL ID=10 NAME=TEN >\n"
      "< POWER_MODEL ID=1 NAME=MAXQ >\n< PM_CONFIG DEFAULT=0 >\n";
  EXPECT_EQ(ParsePowerModeNumber("pmode:0001"), 1);
  EXPECT_EQ(ParsePowerModeNumber("pmode:0002 fmode:quiet\n"), 2);
  EXPECT_EQ(PowerModeName(1, configuration), "MAXQ");
  EXPECT_EQ(PowerModeName(3, configuration), "mode 3");
  EXPECT_EQ(PowerModeName(1, "< POWER_MODEL ID=1 NAME=\xff >"), "mode 1");
  for (const char* nonsense : {"", "pmode:", "pmode:x", "pmode:-1", "pmode:99999", "mode:1"}) {
    EXPECT_EQ(ParsePowerModeNumber(nonsense), std::nullopt) << nonsense;
  }
}

TEST(ParseCudaTest, OldAndNewForm) {
  EXPECT_EQ(ParseCudaText("CUDA Version 10.2.300\n"), "10.2.300");
  EXPECT_EQ(ParseCudaText("10.2.300"), "");
  EXPECT_EQ(ParseCudaText("CUDA Version \xff"), "");
  EXPECT_EQ(ParseCudaJson(R"({"cuda":{"name":"CUDA SDK","version":"11.4.19"}})"), "11.4.19");
  for (const char* nonsense : {"", "{", "[]", "{}", R"({"cuda":1})", R"({"cuda":{}})",
                               R"({"cuda":{"version":11}})", R"({"cuda":{"version":"x"}})"}) {
    EXPECT_EQ(ParseCudaJson(nonsense), "") << nonsense;
  }
}

TEST(ParsePackagesTest, OnlyInstalledOnesCount) {
  const PackageVersions versions = ParsePackages(
      "Package: libnvinfer8\nStatus: deinstall ok config-files\nVersion: 8.9.9\n\n"
      "Package: libnvinfer7\nStatus: install ok installed\nArchitecture: arm64\n"
      "Version: 7.1.3-1+cuda10.2\nDescription: x\n Version: 1.1\n\n"
      "Package: libnvinfer-dev\nStatus: install ok installed\nVersion: 6.0\n\n"
      "Package: nvidia-l4t-core\nStatus: install ok installed\nVersion: 32.4.3-20200625213407\n\n"
      "Package: bash\nStatus: install ok installed\nVersion: 5.0\n");
  EXPECT_EQ(versions.tensorrt, "7.1.3");
  EXPECT_EQ(versions.l4t_core, "32.4.3");
  EXPECT_EQ(versions.jetpack, "");
  EXPECT_EQ(ParsePackages("Version: 1\nPackage:\nVersion:\n").l4t_core, "");
  EXPECT_EQ(ParsePackages(std::string(100'000, '\n')).tensorrt, "");
  EXPECT_EQ(ParsePackages(absl::StrCat("Package: nvidia-jetpack\nStatus: install ok installed\n"
                                       "Version: ", std::string(1000, '1'))).jetpack, "");
}

TEST(ParseMemoryTest, IsInBytes) {
  const std::string meminfo = "MemTotal:        4059476 kB\nMemAvailable:    100 kB\n";
  EXPECT_EQ(ParseMemory(meminfo, "MemTotal"), 4059476LL * 1024);
  EXPECT_EQ(ParseMemory(meminfo, "MemAvailable"), 102400);
  EXPECT_EQ(ParseMemory(meminfo, "Mem"), std::nullopt);
  EXPECT_EQ(ParseMemory("MemTotal: -5 kB", "MemTotal"), std::nullopt);
  EXPECT_EQ(ParseMemory("MemTotal: 99999999999999999999 kB", "MemTotal"), std::nullopt);
  EXPECT_EQ(ParseMemory("MemTotal: 5 MB", "MemTotal"), std::nullopt);
}

TEST(IsClockFixedTest, ByGovernorOrForWantOfChoiceButNeverWithTurbo) {
  EXPECT_TRUE(IsClockFixed("performance", "tegra-cpufreq", 102, 1734));
  EXPECT_TRUE(IsClockFixed("userspace", "", std::nullopt, std::nullopt));
  EXPECT_TRUE(IsClockFixed("schedutil", "tegra-cpufreq", 1734, 1734)) << "jetson_clocks";
  EXPECT_FALSE(IsClockFixed("schedutil", "tegra-cpufreq", 102, 1734));
  EXPECT_FALSE(IsClockFixed("", "", std::nullopt, std::nullopt));
  EXPECT_FALSE(IsClockFixed("performance", "intel_pstate", 4200, 4200));
  EXPECT_FALSE(IsClockFixed("performance", "amd-pstate-epp", 400, 4200));
  EXPECT_FALSE(IsClockFixed("performance", "acpi-cpufreq", 400, 4200));
}

TEST(IsThrottleTypeTest, ProcessorsAreToldFromFansAndScreens) {
  for (const char* type : {"cpu-balanced", "gpu-balanced", "thermal-cpufreq-0",
                           "thermal-devfreq-1", "cpu_throttle", "Processor"}) {
    EXPECT_TRUE(IsThrottleType(type)) << type;
  }
  for (const char* type : {"pwm-fan", "Fan", "LCD", "intel_powerclamp", "iwlwifi", ""}) {
    EXPECT_FALSE(IsThrottleType(type)) << type;
  }
}

}  // namespace
}  // namespace squish
