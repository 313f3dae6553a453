#include "common/dataset/cache_slot.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/file.h"

namespace squish {
namespace {

constexpr absl::Duration kLockPoll = absl::Milliseconds(100);

// Whether `fd` is still the file called `path`: its last maker may have renamed it.
bool IsCalled(int fd, const std::string& path) {
  struct stat open_file, named_file;
  return ::fstat(fd, &open_file) == 0 && ::stat(path.c_str(), &named_file) == 0 &&
         open_file.st_dev == named_file.st_dev && open_file.st_ino == named_file.st_ino;
}

absl::Status LockWaiting(int fd, const std::string& path, const std::function<void()>& waiting) {
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return ErrnoStatus(errno, "cannot lock", path);
    waiting();
    absl::SleepFor(kLockPoll);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<CacheSlot>> CacheSlot::Acquire(
    absl::string_view path, const std::function<void()>& waiting) {
  const std::string partial = absl::StrCat(path, ".partial");
  while (true) {
    const int fd = ::open(partial.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return ErrnoStatus(errno, "cannot create", partial);
    const absl::Status locked = LockWaiting(fd, partial, waiting);
    if (locked.ok() && IsCalled(fd, partial)) {
      return std::unique_ptr<CacheSlot>(new CacheSlot(std::string(path), fd));
    }
    ::close(fd);
    if (!locked.ok()) return locked;
  }
}

CacheSlot::~CacheSlot() {
  // The journal first: without it a partial file is only written over.
  if (!left_) ::unlink(journal_path().c_str());
  if (!published_ && !left_) ::unlink(partial().c_str());
  ::close(fd_);
}

absl::Status CacheSlot::Reserve(int64_t bytes) {
  if (::ftruncate(fd_, 0) != 0) return ErrnoStatus(errno, "cannot empty", partial());
  // Reserved now, so that a full disk is an error here and no SIGBUS later.
  if (const int error = ::posix_fallocate(fd_, 0, bytes); error != 0) {
    return ErrnoStatus(error, absl::StrCat("cannot reserve ", bytes, " bytes for"), partial());
  }
  return absl::OkStatus();
}

absl::Status CacheSlot::Write(int64_t place, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), place);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, "cannot write", partial());
    place += written;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status CacheSlot::CutTo(int64_t bytes) {
  if (::ftruncate(fd_, bytes) != 0) return ErrnoStatus(errno, "cannot cut", partial());
  return absl::OkStatus();
}

int64_t CacheSlot::Size() const {
  struct stat info;
  return ::fstat(fd_, &info) == 0 ? info.st_size : 0;
}

void CacheSlot::LeaveUnfinished(int64_t bytes) { left_ = CutTo(bytes).ok(); }

absl::Status CacheSlot::Publish() {
  if (::rename(partial().c_str(), path_.c_str()) != 0) {
    return ErrnoStatus(errno, "cannot rename to", path_);
  }
  published_ = true;
  return absl::OkStatus();
}

}  // namespace squish
