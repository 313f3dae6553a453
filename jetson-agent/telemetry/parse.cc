#include "jetson-agent/telemetry/parse.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace squish {
namespace {

constexpr double kLowestMegahertz = 1;
constexpr double kHighestMegahertz = 10'000;

// The longest beginning of digits and dots, such as "8.2.1" of "8.2.1-1+cuda10.2"; it has a
// digit at both ends.
std::string VersionAt(absl::string_view text) {
  size_t end = 0;
  while (end < text.size() && (absl::ascii_isdigit(static_cast<unsigned char>(text[end])) ||
                               (text[end] == '.' && end > 0))) {
    ++end;
  }
  while (end > 0 && text[end - 1] == '.') --end;
  return end <= kMaximumTextBytes ? std::string(text.substr(0, end)) : "";
}

// What is behind `key` on a line that begins with it.
absl::string_view ValueOf(absl::string_view line, absl::string_view key) {
  if (!absl::ConsumePrefix(&line, key)) return "";
  return absl::StripAsciiWhitespace(line);
}

}  // namespace

std::optional<int64_t> ParseInteger(absl::string_view text, int64_t least, int64_t most) {
  int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < least || value > most) return std::nullopt;
  return value;
}

std::optional<double> ParseKilohertz(absl::string_view text) {
  const std::optional<int64_t> value =
      ParseInteger(text, static_cast<int64_t>(1e3 * kLowestMegahertz),
                   static_cast<int64_t>(1e3 * kHighestMegahertz));
  if (!value.has_value()) return std::nullopt;
  return static_cast<double>(*value) / 1e3;
}

std::optional<double> ParseHertz(absl::string_view text) {
  const std::optional<int64_t> value =
      ParseInteger(text, static_cast<int64_t>(1e6 * kLowestMegahertz),
                   static_cast<int64_t>(1e6 * kHighestMegahertz));
  if (!value.has_value()) return std::nullopt;
  return static_cast<double>(*value) / 1e6;
}

std::optional<double> ParseCelsius(absl::string_view text) {
  const std::optional<int64_t> value = ParseInteger(text, -39'999, 200'000);
  if (!value.has_value()) return std::nullopt;
  return static_cast<double>(*value) / 1e3;
}

std::string ParseText(absl::string_view text) {
  const size_t end = text.find_first_of(absl::string_view("\n\0", 2));
  text = absl::StripAsciiWhitespace(text.substr(0, end));
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isprint(static_cast<unsigned char>(c));
  });
  return printable && text.size() <= kMaximumTextBytes ? std::string(text) : "";
}

std::string ParseTegraRelease(absl::string_view text) {
  constexpr absl::string_view kRevision = "REVISION:";
  if (!absl::ConsumePrefix(&text, "# R")) return "";
  const std::string release = VersionAt(text);
  const absl::string_view line = text.substr(0, text.find('\n'));
  const size_t at = line.find(kRevision);
  if (release.empty() || at == absl::string_view::npos) return "";
  const std::string revision =
      VersionAt(absl::StripLeadingAsciiWhitespace(line.substr(at + kRevision.size())));
  if (revision.empty()) return "";
  return ParseText(absl::StrCat(release, ".", revision));
}

std::string JetPackOf(absl::string_view l4t) {
  static constexpr std::pair<absl::string_view, absl::string_view> kReleases[] = {
      {"28.1", "3.1"},     {"28.2", "3.2"},     {"32.1", "4.2"},     {"32.2", "4.2.1"},
      {"32.2.1", "4.2.2"}, {"32.2.3", "4.2.3"}, {"32.3.1", "4.3"},   {"32.4.3", "4.4"},
      {"32.4.4", "4.4.1"}, {"32.5", "4.5"},     {"32.5.1", "4.5.1"}, {"32.6.1", "4.6"},
      {"32.7.1", "4.6.1"}, {"32.7.2", "4.6.2"}, {"32.7.3", "4.6.3"}, {"32.7.4", "4.6.4"}};
  const std::vector<absl::string_view> parts = absl::StrSplit(l4t, '.');
  if (parts.size() == 3) absl::ConsumeSuffix(&l4t, ".0");
  for (const auto& [release, jetpack] : kReleases) {
    if (l4t == release) return std::string(jetpack);
  }
  return "";
}

std::optional<int64_t> ParsePowerModeNumber(absl::string_view status) {
  for (const absl::string_view word :
       absl::StrSplit(status, absl::ByAnyChar(" \t\n"), absl::SkipEmpty())) {
    const absl::string_view number = ValueOf(word, "pmode:");
    if (!number.empty()) return ParseInteger(number, 0, 9999);
  }
  return std::nullopt;
}

std::string PowerModeName(int64_t number, absl::string_view configuration) {
  const std::string wanted = absl::StrCat("ID=", number);
  for (const absl::string_view line : absl::StrSplit(configuration, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    if (words.size() < 4 || words[0] != "<" || words[1] != "POWER_MODEL" || words[2] != wanted) {
      continue;
    }
    std::string name = ParseText(ValueOf(words[3], "NAME="));
    if (!name.empty()) return name;
  }
  return absl::StrCat("mode ", number);
}

std::string ParseCudaText(absl::string_view text) {
  return VersionAt(ValueOf(text, "CUDA Version "));
}

std::string ParseCudaJson(absl::string_view text) {
  const auto json = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (!json.is_object() || !json.contains("cuda") || !json["cuda"].is_object()) return "";
  const auto version = json["cuda"].find("version");
  if (version == json["cuda"].end() || !version->is_string()) return "";
  return VersionAt(version->get_ref<const std::string&>());
}

PackageVersions ParsePackages(absl::string_view status) {
  PackageVersions found;
  std::string* version = nullptr;  // Where that of the current package goes.
  bool installed = false;
  for (const absl::string_view line : absl::StrSplit(status, '\n')) {
    if (absl::StartsWith(line, "Package:")) {
      const absl::string_view name = ValueOf(line, "Package:");
      const absl::string_view number = absl::StripPrefix(name, "libnvinfer");
      version = name == "nvidia-l4t-core" ? &found.l4t_core
                : name == "nvidia-jetpack" ? &found.jetpack
                : number != name && ParseInteger(number, 1, 1000) ? &found.tensorrt
                                                                  : nullptr;
      installed = false;
    } else if (version != nullptr && absl::StartsWith(line, "Status:")) {
      installed = absl::EndsWith(line, " installed");
    } else if (version != nullptr && installed && absl::StartsWith(line, "Version:")) {
      *version = VersionAt(ValueOf(line, "Version:"));
    }
  }
  return found;
}

std::optional<int64_t> ParseMemory(absl::string_view meminfo, absl::string_view key) {
  constexpr int64_t kMostKibibytes = int64_t{1} << 50;
  for (const absl::string_view line : absl::StrSplit(meminfo, '\n')) {
    absl::string_view value = ValueOf(line, absl::StrCat(key, ":"));
    if (value.empty() || !absl::ConsumeSuffix(&value, " kB")) continue;
    const std::optional<int64_t> kibibytes = ParseInteger(value, 0, kMostKibibytes);
    if (kibibytes.has_value()) return *kibibytes * 1024;
  }
  return std::nullopt;
}

bool IsClockFixed(absl::string_view governor, absl::string_view driver,
                  std::optional<double> minimum_megahertz,
                  std::optional<double> maximum_megahertz) {
  for (const absl::string_view with_turbo : {"intel", "amd", "acpi"}) {
    if (absl::StartsWith(driver, with_turbo)) return false;
  }
  if (governor == "performance" || governor == "userspace") return true;
  return minimum_megahertz.has_value() && minimum_megahertz == maximum_megahertz;
}

bool IsAlarmType(absl::string_view trip_type) {
  return trip_type == "passive" || trip_type == "hot" || trip_type == "critical";
}

bool IsThrottleType(absl::string_view cooling_type) {
  const std::string type = absl::AsciiStrToLower(cooling_type);
  // Mainline kernels': thermal-cpufreq-0, thermal-devfreq-0; L4T's: cpu-balanced, gpu-balanced,
  // cpu-throttle, …; ACPI's: Processor.
  for (const absl::string_view part : {"cpufreq", "devfreq", "balanced", "throttle"}) {
    if (absl::StrContains(type, part)) return true;
  }
  return type == "processor";
}

}  // namespace squish
