// What lies in a folder, as values: folders by their path, files by path and content. Paths
// are relative to the folder, parts joined by '/'.
#ifndef SQUISH_TESTS_FAULT_CRASH_POINTS_DISK_IMAGE_H_
#define SQUISH_TESTS_FAULT_CRASH_POINTS_DISK_IMAGE_H_

#include <map>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace squish {

struct DiskImage {
  std::set<std::string> folders;
  std::map<std::string, std::string> files;

  bool operator==(const DiskImage&) const = default;
};

// SQLite's shared memory: mapped, made anew from the log when it is absent, and so no part of
// what must be on a disk.
bool IsSharedMemory(absl::string_view path);

// What lies below `folder`, but for shared memory. INTERNAL: it cannot be read.
absl::StatusOr<DiskImage> ReadImage(const std::string& folder);

// Makes `folder`, which must not exist, with the image's content. INTERNAL: it cannot be written.
absl::Status WriteImage(const DiskImage& image, const std::string& folder);

// What of `left` is not in `right` and the other way round, a line each; empty: nothing.
std::string Difference(const DiskImage& left, const DiskImage& right);

}  // namespace squish

#endif  // SQUISH_TESTS_FAULT_CRASH_POINTS_DISK_IMAGE_H_
