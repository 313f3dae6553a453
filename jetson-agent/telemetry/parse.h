// What files below /sys, /proc, /etc and /var say about a board. Pure: text in, value out.
// Everything that is not what it should be (no number, out of range, empty, binary) is not
// known: no value, or an empty string. No function fails otherwise.
#ifndef SQUISH_JETSON_AGENT_TELEMETRY_PARSE_H_
#define SQUISH_JETSON_AGENT_TELEMETRY_PARSE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace squish {

// A name, a version, a governor longer than this is not known.
inline constexpr size_t kMaximumTextBytes = 64;

// A decimal integer from `least` to `most`, with white space around it at most.
std::optional<int64_t> ParseInteger(absl::string_view text, int64_t least, int64_t most);

// Of files in kHz (cpufreq) and Hz (devfreq). 1 to 10,000 MHz.
std::optional<double> ParseKilohertz(absl::string_view text);
std::optional<double> ParseHertz(absl::string_view text);

// Of files in thousandths of a degree. Above -40 °C, at most 200: a sensor that is off says
// -256.
std::optional<double> ParseCelsius(absl::string_view text);

// The first line of `text`, up to a NUL, as device tree files end with: 1 to
// kMaximumTextBytes printable ASCII characters.
std::string ParseText(absl::string_view text);

// /etc/nv_tegra_release: "# R32 (release), REVISION: 7.1, GCID: …" is "32.7.1".
std::string ParseTegraRelease(absl::string_view text);

// The JetPack that came with an L4T, for boards without the package nvidia-jetpack; empty
// where several did or none is known. Of those that run on a TX1, from NVIDIA's JetPack
// archive.
std::string JetPackOf(absl::string_view l4t);

// /var/lib/nvpmodel/status: "pmode:0002" is 2.
std::optional<int64_t> ParsePowerModeNumber(absl::string_view status);

// The name of mode `number` in /etc/nvpmodel.conf: "< POWER_MODEL ID=2 NAME=MAXQ >"; "mode 2"
// where there is none.
std::string PowerModeName(int64_t number, absl::string_view configuration);

// CUDA's version.txt ("CUDA Version 10.2.300") or, from CUDA 11 on, version.json.
std::string ParseCudaText(absl::string_view text);
std::string ParseCudaJson(absl::string_view text);

// Versions of installed packages, without what Debian and NVIDIA append to them.
struct PackageVersions {
  std::string l4t_core;  // nvidia-l4t-core
  std::string jetpack;   // nvidia-jetpack
  std::string tensorrt;  // libnvinfer7, libnvinfer8, …
};

// /var/lib/dpkg/status. O(bytes).
PackageVersions ParsePackages(absl::string_view status);

// /proc/meminfo: the bytes behind "MemTotal" or another key.
std::optional<int64_t> ParseMemory(absl::string_view meminfo, absl::string_view key);

// Whether a clock stays where it is: the governor keeps it there ("performance",
// "userspace"), or it has no choice. Not where the driver leaves turbo to the processor, as
// on PCs; `driver` is cpufreq's.
bool IsClockFixed(absl::string_view governor, absl::string_view driver,
                  std::optional<double> minimum_megahertz, std::optional<double> maximum_megahertz);

// Whether a trip point of that type is an alarm: the kernel then slows processors down
// ("passive", "hot") or ends everything ("critical"). At an "active" one it turns a fan.
bool IsAlarmType(absl::string_view trip_type);

// Whether a cooling device of that type slows a processor down, as opposed to fans, screens
// and radios.
bool IsThrottleType(absl::string_view cooling_type);

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_TELEMETRY_PARSE_H_
