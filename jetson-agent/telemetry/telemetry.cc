#include "jetson-agent/telemetry/telemetry.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "jetson-agent/telemetry/parse.h"

namespace squish {
namespace {

// So many of each kind go into a sample.
constexpr size_t kMaximumParts = 32;

// Trip points of up to 40 °C are no alarms: firmware of PCs has some at room temperature, or
// at 0 for "none".
constexpr double kLowestTripCelsius = 40;

constexpr int64_t kMostMilli = 1'000'000;  // Of watts, volts and amperes.

// What NVIDIA calls the supply of the module on its boards.
constexpr absl::string_view kInputRails[] = {"VDD_IN", "POM_5V_IN", "5V_IN"};

// Of what is known, in watts.
std::optional<double> Watts(const std::string& milliwatts, const std::string& millivolts,
                            const std::string& milliamperes) {
  const auto read = [](const std::string& path) {
    return path.empty() ? std::nullopt : ParseInteger(ReadSystemFile(path), 0, kMostMilli);
  };
  if (const std::optional<int64_t> power = read(milliwatts)) {
    return static_cast<double>(*power) / 1e3;
  }
  const std::optional<int64_t> voltage = read(millivolts);
  const std::optional<int64_t> current = read(milliamperes);
  if (!voltage.has_value() || !current.has_value()) return std::nullopt;
  const double watts = static_cast<double>(*voltage) * static_cast<double>(*current) / 1e6;
  return watts <= kMostMilli / 1e3 ? std::optional<double>(watts) : std::nullopt;
}

std::string PowerMode(const SystemFiles& files) {
  const std::optional<int64_t> number =
      ParsePowerModeNumber(files.Read("/var/lib/nvpmodel/status"));
  if (!number.has_value()) return "";
  return PowerModeName(*number, files.Read("/etc/nvpmodel.conf", 1 << 20));
}

}  // namespace

v1::BoardInfo ReadSoftware(const std::string& root) {
  const SystemFiles files(root);
  v1::BoardInfo info;
  info.set_model(ParseText(files.Read("/proc/device-tree/model")));
  const PackageVersions packages = ParsePackages(files.Read("/var/lib/dpkg/status", 32 << 20));
  std::string l4t = ParseTegraRelease(files.Read("/etc/nv_tegra_release"));
  info.set_l4t(l4t.empty() ? packages.l4t_core : std::move(l4t));
  info.set_jetpack(packages.jetpack.empty() ? JetPackOf(info.l4t()) : packages.jetpack);
  std::string cuda = ParseCudaText(files.Read("/usr/local/cuda/version.txt"));
  info.set_cuda(cuda.empty() ? ParseCudaJson(files.Read("/usr/local/cuda/version.json", 1 << 16))
                             : std::move(cuda));
  info.set_tensorrt(packages.tensorrt);
  const std::optional<int64_t> memory =
      ParseMemory(files.Read("/proc/meminfo", 1 << 16), "MemTotal");
  if (memory.value_or(0) > 0) info.set_memory_bytes(*memory);
  return info;
}

Telemetry::Telemetry(const std::string& root) : files_(root) {
  FindCpus();
  FindGpu();
  FindZones();
  FindCoolingDevices();
  FindRails();
}

void Telemetry::FindCpus() {
  constexpr absl::string_view kCpus = "/sys/devices/system/cpu";
  for (const std::string& cpu : files_.Numbered(kCpus, "cpu")) {
    const std::string folder = absl::StrCat(kCpus, "/", cpu, "/cpufreq");
    if (!ParseKilohertz(files_.Read(folder + "/scaling_cur_freq")).has_value()) continue;
    cpus_.push_back(
        {files_.Path(folder + "/scaling_cur_freq"), files_.Path(folder + "/scaling_governor"),
         files_.Path(folder + "/scaling_driver"), files_.Path(folder + "/scaling_min_freq"),
         files_.Path(folder + "/scaling_max_freq")});
  }
  // The first core tells for its package, the only one of most machines.
  const std::string count = absl::StrCat(kCpus, "/cpu0/thermal_throttle/package_throttle_count");
  if (ParseInteger(files_.Read(count), 0, INT64_MAX).has_value()) {
    throttle_count_ = files_.Path(count);
  }
}

void Telemetry::FindGpu() {
  std::vector<std::string> folders;
  for (const std::string& name : files_.Names("/sys/class/devfreq")) {
    for (const absl::string_view gpu : {".gpu", ".gp10b", ".gv11b", ".ga10b"}) {
      if (absl::EndsWith(name, gpu)) folders.push_back("/sys/class/devfreq/" + name);
    }
  }
  folders.push_back("/sys/devices/gpu.0/devfreq/57000000.gpu");
  folders.push_back("/sys/devices/57000000.gpu/devfreq/57000000.gpu");
  for (const std::string& folder : folders) {
    // A GPU that is switched off at rest says 0 here; whether it has a governor tells.
    if (ParseText(files_.Read(folder + "/governor")).empty()) continue;
    gpu_ = Clock{files_.Path(folder + "/cur_freq"), files_.Path(folder + "/governor"), "",
                 files_.Path(folder + "/min_freq"), files_.Path(folder + "/max_freq")};
    for (const std::string& load :
         {folder + "/load", folder + "/device/load", std::string("/sys/devices/gpu.0/load"),
          std::string("/sys/devices/57000000.gpu/load")}) {
      if (gpu_load_.empty() && ParseInteger(files_.Read(load), 0, 1000).has_value()) {
        gpu_load_ = files_.Path(load);
      }
    }
    return;
  }
}

void Telemetry::FindZones() {
  constexpr absl::string_view kThermal = "/sys/class/thermal";
  for (const std::string& zone : files_.Numbered(kThermal, "thermal_zone")) {
    const std::string folder = absl::StrCat(kThermal, "/", zone);
    Zone found{ParseText(files_.Read(folder + "/type")), files_.Path(folder + "/temp"), {}};
    // The PMIC's is a constant 100 °C on Tegra X1.
    if (found.name.empty() || absl::StrContains(absl::AsciiStrToLower(found.name), "pmic")) {
      continue;
    }
    for (const std::string& name : files_.Names(folder)) {
      absl::string_view point = name;
      if (!absl::StartsWith(point, "trip_point_")) continue;
      if (!absl::ConsumeSuffix(&point, "_type")) continue;
      if (!IsAlarmType(ParseText(files_.Read(absl::StrCat(folder, "/", name))))) continue;
      const std::optional<double> celsius =
          ParseCelsius(files_.Read(absl::StrCat(folder, "/", point, "_temp")));
      if (celsius.value_or(0) <= kLowestTripCelsius) continue;
      found.trip_celsius = std::min(found.trip_celsius.value_or(*celsius), *celsius);
    }
    zones_.push_back(std::move(found));
    if (zones_.size() == kMaximumParts) return;
  }
}

void Telemetry::FindCoolingDevices() {
  constexpr absl::string_view kThermal = "/sys/class/thermal";
  for (const std::string& device : files_.Numbered(kThermal, "cooling_device")) {
    const std::string folder = absl::StrCat(kThermal, "/", device);
    std::string type = ParseText(files_.Read(folder + "/type"));
    if (!IsThrottleType(type)) continue;
    cooling_.push_back({std::move(type), files_.Path(folder + "/cur_state")});
  }
}

void Telemetry::FindRails() {
  // L4T's own driver, and the kernel's.
  for (const absl::string_view driver : {"ina3221x", "ina3221"}) {
    const std::string chips = absl::StrCat("/sys/bus/i2c/drivers/", driver);
    for (const std::string& chip : files_.Names(chips)) {
      const std::string folder = absl::StrCat(chips, "/", chip);
      for (const std::string& name : files_.Names(folder)) {
        if (name == "iio_device" || absl::StartsWith(name, "iio:device")) {
          FindIioRails(absl::StrCat(folder, "/", name));
          break;  // One is a link to the other.
        }
      }
      for (const std::string& hwmon : files_.Numbered(folder + "/hwmon", "hwmon")) {
        FindHwmonRails(absl::StrCat(folder, "/hwmon/", hwmon));
      }
    }
  }
  if (rails_.size() > kMaximumParts) rails_.resize(kMaximumParts);
  for (const absl::string_view input : kInputRails) {
    for (const Rail& rail : rails_) {
      if (rail.name == input && input_rail_.empty()) input_rail_ = rail.name;
    }
  }
}

void Telemetry::FindIioRails(const std::string& folder) {
  for (int channel = 0; channel < 3; ++channel) {
    const auto path = [&](absl::string_view before, absl::string_view after) {
      return files_.Path(absl::StrCat(folder, "/", before, channel, after));
    };
    std::string name = ParseText(ReadSystemFile(path("rail_name_", "")));
    if (name.empty() || name == "NC") continue;
    rails_.push_back({std::move(name), path("in_power", "_input"), path("in_voltage", "_input"),
                      path("in_current", "_input")});
  }
}

void Telemetry::FindHwmonRails(const std::string& folder) {
  for (int channel = 1; channel <= 3; ++channel) {
    const auto path = [&](absl::string_view kind, absl::string_view what) {
      return files_.Path(absl::StrCat(folder, "/", kind, channel, what));
    };
    std::string name = ParseText(ReadSystemFile(path("in", "_label")));
    if (name.empty() || name == "NC") continue;
    rails_.push_back({std::move(name), "", path("in", "_input"), path("curr", "_input")});
  }
}

void Telemetry::DescribeClocks(v1::BoardInfo& info) const {
  if (!cpus_.empty()) {
    const Clock& cpu = cpus_.front();
    const auto minimum = ParseKilohertz(ReadSystemFile(cpu.minimum));
    const auto maximum = ParseKilohertz(ReadSystemFile(cpu.maximum));
    if (minimum.has_value()) info.set_cpu_minimum_megahertz(*minimum);
    if (maximum.has_value()) info.set_cpu_maximum_megahertz(*maximum);
    info.set_cpu_clock_fixed(IsClockFixed(ParseText(ReadSystemFile(cpu.governor)),
                                          ParseText(ReadSystemFile(cpu.driver)), minimum, maximum));
  }
  if (gpu_.has_value()) {
    const auto minimum = ParseHertz(ReadSystemFile(gpu_->minimum));
    const auto maximum = ParseHertz(ReadSystemFile(gpu_->maximum));
    if (minimum.has_value()) info.set_gpu_minimum_megahertz(*minimum);
    if (maximum.has_value()) info.set_gpu_maximum_megahertz(*maximum);
    info.set_gpu_clock_fixed(
        IsClockFixed(ParseText(ReadSystemFile(gpu_->governor)), "", minimum, maximum));
  }
}

v1::BoardSample Telemetry::Sample() const {
  v1::BoardSample sample;
  std::optional<double> fastest;
  for (const Clock& cpu : cpus_) {
    const std::optional<double> clock = ParseKilohertz(ReadSystemFile(cpu.frequency));
    if (clock.has_value()) fastest = std::max(fastest.value_or(0), *clock);
  }
  if (fastest.has_value()) sample.set_cpu_megahertz(*fastest);
  if (!cpus_.empty()) sample.set_cpu_governor(ParseText(ReadSystemFile(cpus_.front().governor)));
  if (gpu_.has_value()) {
    const std::optional<double> clock = ParseHertz(ReadSystemFile(gpu_->frequency));
    if (clock.has_value()) sample.set_gpu_megahertz(*clock);
    sample.set_gpu_governor(ParseText(ReadSystemFile(gpu_->governor)));
  }
  if (!gpu_load_.empty()) {
    const std::optional<int64_t> load = ParseInteger(ReadSystemFile(gpu_load_), 0, 1000);
    if (load.has_value()) sample.set_gpu_load(static_cast<double>(*load) / 1000);
  }
  for (const Zone& zone : zones_) {
    const std::optional<double> celsius = ParseCelsius(ReadSystemFile(zone.temperature));
    if (!celsius.has_value()) continue;
    v1::ThermalZone& told = *sample.add_zones();
    told.set_name(zone.name);
    told.set_celsius(*celsius);
    if (zone.trip_celsius.has_value()) told.set_trip_celsius(*zone.trip_celsius);
  }
  for (const Cooling& device : cooling_) {
    const int64_t level = ParseInteger(ReadSystemFile(device.level), 0, INT32_MAX).value_or(0);
    if (level == 0 || sample.throttles_size() == kMaximumParts) continue;
    v1::Throttle& told = *sample.add_throttles();
    told.set_name(device.name);
    told.set_level(level);
  }
  if (!throttle_count_.empty()) {
    const std::optional<int64_t> count =
        ParseInteger(ReadSystemFile(throttle_count_), 0, INT64_MAX);
    if (count.has_value()) sample.set_throttle_events(*count);
  }
  return sample;
}

v1::BoardSample Telemetry::FullSample() const {
  v1::BoardSample sample = Sample();
  for (v1::RailPower& rail : ReadRails()) *sample.add_rails() = std::move(rail);
  sample.set_power_mode(PowerMode(files_));
  const std::optional<int64_t> memory =
      ParseMemory(files_.Read("/proc/meminfo", 1 << 16), "MemAvailable");
  if (memory.has_value()) sample.set_memory_available_bytes(*memory);
  return sample;
}

std::vector<v1::RailPower> Telemetry::ReadRails() const {
  std::vector<v1::RailPower> told;
  for (const Rail& rail : rails_) {
    const std::optional<double> watts = Watts(rail.milliwatts, rail.millivolts, rail.milliamperes);
    if (!watts.has_value()) continue;
    told.emplace_back();
    told.back().set_name(rail.name);
    told.back().set_watts(*watts);
  }
  return told;
}

}  // namespace squish
