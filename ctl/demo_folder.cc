#include "ctl/demo_folder.h"

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

namespace fs = std::filesystem;

// Written first and removed never: a folder with it is a demo's.
constexpr char kMark[] = ".squish-demo";
constexpr char kMarkText[] =
    "This folder was made by `squishctl demo`, which replaces what it made here when it runs "
    "again.\n";

bool IsMadeByDemos(const std::string& name) {
  for (const char* whole : {"individuals.csv", "speeds.csv", "experiment.txtpb", "networks",
                            "state"}) {
    if (name == whole) return true;
  }
  return absl::StartsWith(name, "population.db") || absl::EndsWith(name, ".log");
}

absl::Status Empty(const std::string& folder) {
  std::error_code error;
  std::vector<fs::path> ours;
  for (fs::directory_iterator next(folder, error), end; !error && next != end;
       next.increment(error)) {
    if (IsMadeByDemos(next->path().filename().string())) ours.push_back(next->path());
  }
  for (const fs::path& path : ours) {
    if (!error) fs::remove_all(path, error);
  }
  return error ? ErrnoStatus(error.value(), "cannot empty", folder) : absl::OkStatus();
}

}  // namespace

absl::StatusOr<DemoFolder> DemoFolder::Take(absl::string_view path) {
  const std::string folder(path);
  std::error_code error;
  const bool marked = fs::exists(JoinPath(folder, kMark), error);
  if (fs::exists(folder, error) && !marked && !(fs::is_directory(folder, error) &&
                                                fs::is_empty(folder, error))) {
    return absl::FailedPreconditionError(absl::StrCat(
        folder, " exists and was not made by a demo, so it is left alone; choose another folder "
                "with --out DIR"));
  }
  auto lock = FolderLock::Take(folder);
  if (absl::IsFailedPrecondition(lock.status())) {
    return absl::FailedPreconditionError(absl::StrCat(
        "a demo is running in ", folder, "; wait for it, or choose another folder with --out DIR"));
  }
  SQUISH_RETURN_IF_ERROR(lock.status());
  SQUISH_RETURN_IF_ERROR(WriteFileDurably(JoinPath(folder, kMark), kMarkText));
  SQUISH_RETURN_IF_ERROR(Empty(folder));
  return DemoFolder(folder, *std::move(lock));
}

std::string DemoFolder::File(absl::string_view name) const { return JoinPath(path_, name); }

}  // namespace squish
