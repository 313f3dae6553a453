// Whole-file reading and writing with clear errors, and writes that survive a
// power cut. All functions are thread-safe; paths are local.
#ifndef SQUISH_COMMON_BASE_FILE_H_
#define SQUISH_COMMON_BASE_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace squish {

// The status of a failed system call: `action` and `path` in the message, the code
// from errno (NOT_FOUND, PERMISSION_DENIED, ALREADY_EXISTS, RESOURCE_EXHAUSTED for
// a full disk, else INTERNAL).
absl::Status ErrnoStatus(int error, absl::string_view action, absl::string_view path);

// The content of a file of at most `maximum_bytes`. RESOURCE_EXHAUSTED when it is
// larger, INVALID_ARGUMENT when it is no regular file, else as ErrnoStatus.
absl::StatusOr<std::string> ReadFile(absl::string_view path,
                                     int64_t maximum_bytes = int64_t{1} << 30);

// Writes beside `path`, syncs, renames over it and syncs the folder: after OK the
// content is on disk; before, the old content is whole.
absl::Status WriteFileDurably(absl::string_view path, absl::string_view content);

// Gives a synced file another name on its file system, and syncs the folder of that name. Errors
// as ErrnoStatus.
absl::Status RenameDurably(absl::string_view from, absl::string_view to);

// Makes a folder and its parents (mode 0755). OK when it exists.
absl::Status MakeFolder(absl::string_view path);

// Syncs a folder's entries to disk.
absl::Status SyncFolder(absl::string_view path);

// a/b, without doubled slashes.
std::string JoinPath(absl::string_view folder, absl::string_view name);

// The folder that holds this executable, for finding the programs beside it.
std::string ExecutableFolder();

}  // namespace squish

#endif  // SQUISH_COMMON_BASE_FILE_H_
