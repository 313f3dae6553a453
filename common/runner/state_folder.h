// A runner's folder: who owns it, and who the runner is.
#ifndef SQUISH_COMMON_RUNNER_STATE_FOLDER_H_
#define SQUISH_COMMON_RUNNER_STATE_FOLDER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace squish {

// Holds FOLDER/lock while it lives. The kernel gives the lock back when the process
// ends, however it ends. Movable; not thread-safe.
class FolderLock {
 public:
  // Makes the folder if need be. FAILED_PRECONDITION: another process holds the lock.
  static absl::StatusOr<FolderLock> Take(absl::string_view folder);

  ~FolderLock();
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

// Whether `id` can name a runner: 1 to 64 of [a-z0-9.-].
bool IsRunnerId(absl::string_view id);

// The id in FOLDER/runner_id, drawn from the host's name and chance if there is none
// yet. INVALID_ARGUMENT: the file holds something else.
absl::StatusOr<std::string> KeptRunnerId(absl::string_view folder, absl::string_view host);

}  // namespace squish

#endif  // SQUISH_COMMON_RUNNER_STATE_FOLDER_H_
