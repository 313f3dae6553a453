#include "common/runner/state_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/ids.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

bool IsIdCharacter(char c) {
  return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '.' || c == '-';
}

}  // namespace

absl::StatusOr<FolderLock> FolderLock::Take(absl::string_view folder) {
  SQUISH_RETURN_IF_ERROR(MakeFolder(folder));
  const std::string path = JoinPath(folder, "lock");
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus(errno, "cannot open", path);
  FolderLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return ErrnoStatus(errno, "cannot lock", path);
  return absl::FailedPreconditionError(absl::StrCat(
      "another runner uses the folder ", folder, "; give each its own with --state DIR"));
}

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

FolderLock::FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

bool IsRunnerId(absl::string_view id) {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), IsIdCharacter);
}

absl::StatusOr<std::string> KeptRunnerId(absl::string_view folder, absl::string_view host) {
  const std::string path = JoinPath(folder, "runner_id");
  auto kept = ReadFile(path, 4096);
  if (kept.ok()) {
    const std::string id(absl::StripAsciiWhitespace(*kept));
    if (IsRunnerId(id)) return id;
    return absl::InvalidArgumentError(absl::StrCat(
        path, " holds no runner id (1 to 64 of a-z, 0-9, '.', '-'); remove it and one is drawn"));
  }
  if (!absl::IsNotFound(kept.status())) return kept.status();
  std::string id = absl::AsciiStrToLower(host.substr(0, 40));
  std::replace_if(id.begin(), id.end(), [](char c) { return !IsIdCharacter(c); }, '-');
  absl::StrAppend(&id, id.empty() ? "runner-" : "-", RandomHex(4));
  SQUISH_RETURN_IF_ERROR(WriteFileDurably(path, absl::StrCat(id, "\n")));
  return id;
}

}  // namespace squish
