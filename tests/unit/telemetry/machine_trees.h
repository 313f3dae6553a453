// Machines as the files of /sys, /proc, /etc, /var and /usr show them. Their shape (which
// paths there are, in which form) is that of NVIDIA's documentation and of public tools that
// read the same files; the figures in them are typical ones. None was recorded from a board.
#ifndef SQUISH_TESTS_UNIT_TELEMETRY_MACHINE_TREES_H_
#define SQUISH_TESTS_UNIT_TELEMETRY_MACHINE_TREES_H_

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "tests/support/temporary_folder.h"

namespace squish {

using Tree = std::map<std::string, std::string>;  // Content by path.

// A temporary folder with a machine's files in it.
class MachineTree {
 public:
  explicit MachineTree(const Tree& tree = {}) {
    for (const auto& [path, content] : tree) Write(path, content);
  }
  MachineTree(const MachineTree&) = delete;
  MachineTree& operator=(const MachineTree&) = delete;

  const std::string& root() const { return root_; }
  std::string Path(const std::string& path) const { return root_ + path; }

  void Write(const std::string& path, const std::string& content) const {
    std::filesystem::create_directories(std::filesystem::path(Path(path)).parent_path());
    std::ofstream(Path(path), std::ios::trunc) << content;
  }
  void Remove(const std::string& path) const { std::filesystem::remove_all(Path(path)); }

 private:
  const std::string root_ = TemporaryFolder();
};

inline constexpr char kTx1GpuFolder[] = "/sys/devices/gpu.0/devfreq/57000000.gpu";

// A Jetson TX1 developer kit on L4T 32.7.1 (kernel 4.9), after `nvpmodel -m 0` and
// `jetson_clocks`, at rest.
inline Tree Tx1OnL4t32() {
  const std::string ina = "/sys/bus/i2c/drivers/ina3221x/1-0040/iio_device/";
  const std::string gpu = absl::StrCat(kTx1GpuFolder, "/");
  Tree tree = {
      {"/proc/device-tree/model", std::string("NVIDIA Jetson TX1 Developer Kit\0", 32)},
      {"/etc/nv_tegra_release",
       "# R32 (release), REVISION: 7.1, GCID: 29818004, BOARD: t210ref, EABI: aarch64, "
       "DATE: Sat Feb 19 17:05:08 UTC 2022\n"},
      {"/proc/meminfo",
       "MemTotal:        4059476 kB\nMemFree:          512000 kB\nMemAvailable:    2900480 kB\n"},
      {"/usr/local/cuda/version.txt", "CUDA Version 10.2.300\n"},
      {"/var/lib/nvpmodel/status", "pmode:0000"},
      {"/etc/nvpmodel.conf",
       "# FORMAT:\n# < PARAM TYPE=PARAM_TYPE NAME=PARAM_NAME >\n"
       "< PARAM TYPE=FILE NAME=CPU_ONLINE >\nCORE_0 /sys/devices/system/cpu/cpu0/online\n"
       "# MAXN is the NONE power model to release all constraints\n"
       "< POWER_MODEL ID=0 NAME=MAXN >\nCPU_ONLINE CORE_0 1\nGPU MAX_FREQ -1\n"
       "< POWER_MODEL ID=1 NAME=5W >\nCPU_ONLINE CORE_0 1\n< PM_CONFIG DEFAULT=0 >\n"},
      {"/var/lib/dpkg/status",
       "Package: libnvinfer-plugin8\nStatus: install ok installed\nVersion: 8.2.1-1+cuda10.2\n\n"
       "Package: libnvinfer8\nStatus: install ok installed\nPriority: optional\n"
       "Version: 8.2.1-1+cuda10.2\nDescription: TensorRT runtime libraries\n\n"
       "Package: nvidia-jetpack\nStatus: install ok installed\nVersion: 4.6.1-b110\n\n"
       "Package: nvidia-l4t-core\nStatus: install ok installed\n"
       "Version: 32.7.1-20220219090344\n"},
      {gpu + "cur_freq", "998400000\n"},
      {gpu + "min_freq", "998400000\n"},
      {gpu + "max_freq", "998400000\n"},
      {gpu + "governor", "nvhost_podgov\n"},
      {"/sys/devices/gpu.0/load", "0\n"},
      {ina + "rail_name_0", "VDD_IN\n"},
      {ina + "rail_name_1", "VDD_GPU\n"},
      {ina + "rail_name_2", "VDD_CPU\n"},
      {ina + "in_power0_input", "9500\n"},
      {ina + "in_power1_input", "3200\n"},
      {ina + "in_power2_input", "1100\n"},
      {ina + "in_voltage0_input", "19000\n"},
      {ina + "in_current0_input", "500\n"},
      {ina + "crit_current_limit_0", "32760 ma\n"},
      {"/sys/class/thermal/cooling_device0/type", "pwm-fan\n"},
      {"/sys/class/thermal/cooling_device0/cur_state", "2\n"},
      {"/sys/class/thermal/cooling_device1/type", "cpu-balanced\n"},
      {"/sys/class/thermal/cooling_device1/cur_state", "0\n"},
  };
  for (const char* cpu : {"cpu0", "cpu1", "cpu2", "cpu3"}) {
    const std::string folder = absl::StrCat("/sys/devices/system/cpu/", cpu, "/cpufreq/");
    tree[folder + "scaling_cur_freq"] = "1734000\n";
    tree[folder + "scaling_min_freq"] = "1734000\n";
    tree[folder + "scaling_max_freq"] = "1734000\n";
    tree[folder + "scaling_governor"] = "schedutil\n";
    tree[folder + "scaling_driver"] = "tegra-cpufreq\n";
  }
  const auto zone = [&tree](int number, const char* type, const char* temperature) {
    const std::string folder = absl::StrCat("/sys/class/thermal/thermal_zone", number, "/");
    tree[folder + "type"] = absl::StrCat(type, "\n");
    tree[folder + "temp"] = absl::StrCat(temperature, "\n");
    return folder;
  };
  zone(0, "AO-therm", "41500");
  std::string cpu = zone(1, "CPU-therm", "38000");
  tree[cpu + "trip_point_0_type"] = "critical\n";
  tree[cpu + "trip_point_0_temp"] = "102500\n";
  tree[cpu + "trip_point_1_type"] = "passive\n";
  tree[cpu + "trip_point_1_temp"] = "97000\n";
  const std::string gpu_zone = zone(2, "GPU-therm", "37500");
  tree[gpu_zone + "trip_point_0_type"] = "active\n";  // Voltage follows temperature here.
  tree[gpu_zone + "trip_point_0_temp"] = "15000\n";
  zone(3, "PLL-therm", "36000");
  zone(4, "PMIC-Die", "100000");
  const std::string fan = zone(5, "thermal-fan-est", "38500");
  tree[fan + "trip_point_0_type"] = "active\n";
  tree[fan + "trip_point_0_temp"] = "51000\n";
  zone(6, "iwlwifi", "-256000");
  return tree;
}

// The same on L4T 28.2 (kernel 4.4), which came with JetPack 3.2: other names, no package of
// L4T, clocks that governors choose.
inline Tree Tx1OnL4t28() {
  const std::string ina = "/sys/bus/i2c/drivers/ina3221x/1-0040/iio:device0/";
  const std::string gpu = "/sys/devices/57000000.gpu/devfreq/57000000.gpu/";
  return {
      {"/proc/device-tree/model", std::string("jetson_tx1\0", 11)},
      {"/etc/nv_tegra_release",
       "# R28 (release), REVISION: 2.0, GCID: 10567845, BOARD: t210ref, EABI: aarch64, "
       "DATE: Fri Mar  2 04:57:01 UTC 2018\n"},
      {"/proc/meminfo", "MemTotal:        4106896 kB\n"},
      {"/usr/local/cuda/version.txt", "CUDA Version 9.0.252\n"},
      {"/var/lib/dpkg/status",
       "Package: libnvinfer4\nStatus: install ok installed\nVersion: 4.1.3-1+cuda9.0\n"},
      {"/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1428000\n"},
      {"/sys/devices/system/cpu/cpu0/cpufreq/scaling_min_freq", "102000\n"},
      {"/sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq", "1734000\n"},
      {"/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "interactive\n"},
      {gpu + "cur_freq", "76800000\n"},
      {gpu + "min_freq", "76800000\n"},
      {gpu + "max_freq", "998400000\n"},
      {gpu + "governor", "nvhost_podgov\n"},
      {"/sys/devices/57000000.gpu/load", "125\n"},
      {ina + "rail_name_0", "VDD_IN\n"},
      {ina + "in_voltage0_input", "19000\n"},
      {ina + "in_current0_input", "300\n"},
      {"/sys/class/thermal/thermal_zone0/type", "AO-therm\n"},
      {"/sys/class/thermal/thermal_zone0/temp", "45000\n"},
      {"/sys/class/thermal/thermal_zone1/type", "Tboard_tegra\n"},
      {"/sys/class/thermal/thermal_zone1/temp", "39000\n"},
  };
}

// A PC with an Intel processor: no device tree, no rails; turbo under any governor.
inline Tree Pc() {
  return {
      {"/proc/meminfo", "MemTotal:       32768000 kB\nMemAvailable:   20000000 kB\n"},
      {"/proc/cpuinfo", "processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz\n"},
      {"/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "800000\n"},
      {"/sys/devices/system/cpu/cpu0/cpufreq/scaling_min_freq", "800000\n"},
      {"/sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq", "4200000\n"},
      {"/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n"},
      {"/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver", "intel_pstate\n"},
      {"/sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count", "7\n"},
      {"/sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "3900000\n"},
      {"/sys/devices/system/cpu/cpufreq/boost", "1\n"},
      {"/sys/class/thermal/thermal_zone0/type", "acpitz\n"},
      {"/sys/class/thermal/thermal_zone0/temp", "27800\n"},
      {"/sys/class/thermal/thermal_zone0/trip_point_0_type", "passive\n"},
      {"/sys/class/thermal/thermal_zone0/trip_point_0_temp", "0\n"},
      {"/sys/class/thermal/thermal_zone1/type", "x86_pkg_temp\n"},
      {"/sys/class/thermal/thermal_zone1/temp", "52000\n"},
      {"/sys/class/thermal/cooling_device0/type", "Processor\n"},
      {"/sys/class/thermal/cooling_device0/cur_state", "0\n"},
      {"/sys/class/thermal/cooling_device1/type", "intel_powerclamp\n"},
      {"/sys/class/thermal/cooling_device1/cur_state", "-1\n"},
  };
}

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_TELEMETRY_MACHINE_TREES_H_
