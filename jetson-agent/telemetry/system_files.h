// Small files below a root, as the kernel and the distribution keep them, read so that
// nothing that lies there can hurt: a folder, a FIFO or a device in the place of a file, a
// file without end. What cannot be read is not there.
//
// Thread-safe: it holds nothing but the root's name.
#ifndef SQUISH_JETSON_AGENT_TELEMETRY_SYSTEM_FILES_H_
#define SQUISH_JETSON_AGENT_TELEMETRY_SYSTEM_FILES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace squish {

// The content of a regular file of at most `maximum_bytes` (which sysfs files do not tell
// ahead), read without ever waiting; empty when there is none.
std::string ReadSystemFile(const std::string& path, size_t maximum_bytes = 4096);

class SystemFiles {
 public:
  // `root` is "/" but for tests.
  explicit SystemFiles(std::string root) : root_(std::move(root)) {}

  // Where `path`, which begins with a slash, is below the root.
  std::string Path(absl::string_view path) const;

  std::string Read(absl::string_view path, size_t maximum_bytes = 4096) const {
    return ReadSystemFile(Path(path), maximum_bytes);
  }

  // The names in a folder that are `prefix` and a number, by number: thermal_zone2 before
  // thermal_zone10. At most 256, found among the first 4,096 entries.
  std::vector<std::string> Numbered(absl::string_view folder, absl::string_view prefix) const;

  // All names in a folder, sorted; of the first 4,096 entries. None where there is no folder.
  std::vector<std::string> Names(absl::string_view folder) const;

 private:
  const std::string root_;
};

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_TELEMETRY_SYSTEM_FILES_H_
