#include "jetson-agent/device_class.h"

#include <sys/utsname.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "jetson-agent/telemetry/system_files.h"

namespace squish {
namespace {

constexpr size_t kMaximumModelLength = 40;
constexpr size_t kMaximumCpuinfoBytes = 4 << 20;  // A kibibyte or two for each of many cores.

// Letters and digits in lower case, everything else as single dashes.
std::string Slug(absl::string_view text) {
  std::string slug;
  for (const char c : text) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c))) {
      slug += absl::ascii_tolower(static_cast<unsigned char>(c));
    } else if (!slug.empty() && slug.back() != '-') {
      slug += '-';
    }
  }
  slug.resize(std::min(slug.size(), kMaximumModelLength));
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  return slug.empty() ? "unknown" : slug;
}

absl::string_view ModelName(absl::string_view cpuinfo) {
  for (const absl::string_view line : absl::StrSplit(cpuinfo, '\n')) {
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (absl::StripAsciiWhitespace(field.first) == "model name") return field.second;
  }
  return "";
}

}  // namespace

std::string JetsonDeviceClass(const v1::BoardInfo& board) {
  const std::string slug = Slug(board.model());
  absl::string_view model = slug;
  absl::ConsumePrefix(&model, "nvidia-");
  absl::ConsumeSuffix(&model, "-developer-kit");
  if (!absl::StartsWith(model, "jetson-")) return "";
  std::vector<absl::string_view> release = absl::StrSplit(board.l4t(), '.');
  if (release.size() > 2) release.resize(2);
  return absl::StrCat(model, "/l4t-",
                      board.l4t().empty() ? "unknown" : absl::StrJoin(release, "."));
}

std::string DeviceClassFrom(absl::string_view machine, absl::string_view cpuinfo) {
  return absl::StrCat("host-", machine, "/", Slug(ModelName(cpuinfo)));
}

std::string HostDeviceClass(const std::string& system_root, const v1::BoardInfo& board) {
  std::string jetson = JetsonDeviceClass(board);
  if (!jetson.empty()) return jetson;
  utsname names{};
  ::uname(&names);
  return DeviceClassFrom(names.machine,
                         SystemFiles(system_root).Read("/proc/cpuinfo", kMaximumCpuinfoBytes));
}

std::string ChooseDeviceClass(const std::string& configured, const std::string& of_engine,
                              const std::string& system_root, const v1::BoardInfo& board) {
  if (!configured.empty()) return configured;
  return of_engine.empty() ? HostDeviceClass(system_root, board) : of_engine;
}

}  // namespace squish
