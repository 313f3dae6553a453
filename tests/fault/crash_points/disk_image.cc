#include "tests/fault/crash_points/disk_image.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace squish {

bool IsSharedMemory(absl::string_view path) { return absl::EndsWith(path, "-shm"); }

absl::StatusOr<DiskImage> ReadImage(const std::string& folder) {
  DiskImage image;
  std::error_code error;
  std::filesystem::recursive_directory_iterator entries(folder, error);
  for (; !error && entries != std::filesystem::end(entries); entries.increment(error)) {
    const std::string path =
        std::filesystem::path(entries->path()).lexically_relative(folder).string();
    if (entries->is_directory()) {
      image.folders.insert(path);
    } else if (!IsSharedMemory(path)) {
      SQUISH_ASSIGN_OR_RETURN(image.files[path], ReadFile(entries->path().string()));
    }
  }
  if (error) return ErrnoStatus(error.value(), "cannot list", folder);
  return image;
}

absl::Status WriteImage(const DiskImage& image, const std::string& folder) {
  SQUISH_RETURN_IF_ERROR(MakeFolder(folder));
  // In the order of their paths, a folder comes before what is in it.
  for (const std::string& path : image.folders) {
    SQUISH_RETURN_IF_ERROR(MakeFolder(JoinPath(folder, path)));
  }
  for (const auto& [path, content] : image.files) {
    std::ofstream file(JoinPath(folder, path), std::ios::binary);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    file.close();
    if (!file) return absl::InternalError(absl::StrCat("cannot write ", JoinPath(folder, path)));
  }
  return absl::OkStatus();
}

std::string Difference(const DiskImage& left, const DiskImage& right) {
  std::string lines;
  const auto one_way = [&lines](const DiskImage& here, const DiskImage& there,
                                absl::string_view where) {
    for (const std::string& path : here.folders) {
      if (there.folders.count(path) == 0) absl::StrAppend(&lines, where, ": folder ", path, "\n");
    }
    for (const auto& [path, content] : here.files) {
      if (there.files.count(path) == 0) absl::StrAppend(&lines, where, ": file ", path, "\n");
    }
  };
  one_way(left, right, "only left");
  one_way(right, left, "only right");
  for (const auto& [path, content] : left.files) {
    const auto other = right.files.find(path);
    if (other == right.files.end() || other->second == content) continue;
    absl::StrAppend(&lines, "differs: file ", path, " (", content.size(), " and ",
                    other->second.size(), " bytes)\n");
  }
  return lines;
}

}  // namespace squish
