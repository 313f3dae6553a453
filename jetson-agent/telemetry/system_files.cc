#include "jetson-agent/telemetry/system_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/file.h"

namespace squish {
namespace {

constexpr int kMaximumEntries = 4096;
constexpr size_t kMaximumNumbered = 256;

// Appends to `content` until the end; false when there is more than `maximum_bytes`.
bool ReadAll(int file, size_t maximum_bytes, std::string& content) {
  char buffer[4096];  // Of sysfs and procfs one read gives all of a small file.
  while (content.size() <= maximum_bytes) {
    const ssize_t read = ::read(file, buffer, sizeof(buffer));
    if (read < 0 && errno == EINTR) continue;
    if (read < 0) return false;
    if (read == 0) return true;
    content.append(buffer, static_cast<size_t>(read));
  }
  return false;
}

}  // namespace

std::string ReadSystemFile(const std::string& path, size_t maximum_bytes) {
  // O_NONBLOCK: to open a FIFO waits for its writer otherwise.
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return "";
  std::string content;
  struct stat info;
  const bool read =
      ::fstat(file, &info) == 0 && S_ISREG(info.st_mode) && ReadAll(file, maximum_bytes, content);
  ::close(file);
  return read ? content : "";
}

std::string SystemFiles::Path(absl::string_view path) const {
  return JoinPath(root_, absl::StripPrefix(path, "/"));
}

std::vector<std::string> SystemFiles::Names(absl::string_view folder) const {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(Path(folder).c_str()), ::closedir);
  if (open == nullptr) return names;
  for (int i = 0; i < kMaximumEntries; ++i) {
    const dirent* const entry = ::readdir(open.get());
    if (entry == nullptr) break;
    const absl::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> SystemFiles::Numbered(absl::string_view folder,
                                               absl::string_view prefix) const {
  std::vector<std::pair<uint32_t, std::string>> found;
  for (std::string& name : Names(folder)) {
    absl::string_view rest = name;
    uint32_t number = 0;
    if (!absl::ConsumePrefix(&rest, prefix) || !absl::SimpleAtoi(rest, &number)) continue;
    if (rest != absl::StrCat(number)) continue;
    found.emplace_back(number, std::move(name));
  }
  std::sort(found.begin(), found.end());
  if (found.size() > kMaximumNumbered) found.resize(kMaximumNumbered);
  std::vector<std::string> names;
  for (auto& [number, name] : found) names.push_back(std::move(name));
  return names;
}

}  // namespace squish
