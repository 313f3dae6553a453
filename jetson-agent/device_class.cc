#include "jetson-agent/device_class.h"

#include <sys/utsname.h>

#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace squish {
namespace {

constexpr size_t kMaximumModelLength = 40;

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

std::string DeviceClassFrom(absl::string_view machine, absl::string_view cpuinfo) {
  return absl::StrCat("host-", machine, "/", Slug(ModelName(cpuinfo)));
}

std::string HostDeviceClass() {
  utsname names{};
  ::uname(&names);
  std::ostringstream cpuinfo;  // Of /proc: has no size, so that ReadFile will not do.
  cpuinfo << std::ifstream("/proc/cpuinfo").rdbuf();
  return DeviceClassFrom(names.machine, cpuinfo.str());
}

std::string ChooseDeviceClass(const std::string& configured, const std::string& of_engine) {
  if (!configured.empty()) return configured;
  return of_engine.empty() ? HostDeviceClass() : of_engine;
}

}  // namespace squish
