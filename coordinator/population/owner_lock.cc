#include "coordinator/population/owner_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"

namespace squish {
namespace {

// "process 123" from the lock file, or "another process" when it does not say.
std::string HolderOf(int fd) {
  char text[32];
  const ssize_t size = ::pread(fd, text, sizeof(text), 0);
  int64_t pid = 0;
  if (size > 0 && absl::SimpleAtoi(absl::string_view(text, static_cast<size_t>(size)), &pid)) {
    return absl::StrCat("process ", pid);
  }
  return "another process";
}

}  // namespace

OwnerLock::OwnerLock(int fd, std::string lock_path, bool made)
    : fd_(fd), lock_path_(std::move(lock_path)), made_(made) {}

OwnerLock::~OwnerLock() { ::close(fd_); }

absl::StatusOr<std::unique_ptr<OwnerLock>> OwnerLock::Take(const std::string& path) {
  const std::string lock_path = absl::StrCat(path, ".lock");
  bool made = true;
  int fd = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0 && errno == EEXIST) {
    made = false;
    fd = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  }
  if (fd < 0) return ErrnoStatus(errno, "cannot open", lock_path);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    const std::string holder = HolderOf(fd);
    ::close(fd);
    if (error != EWOULDBLOCK) return ErrnoStatus(error, "cannot lock", lock_path);
    return absl::FailedPreconditionError(
        absl::StrCat("the population ", path, " belongs to a coordinator that is running (", holder,
                     "); stop that one first, or name another file with --population"));
  }
  auto lock = std::unique_ptr<OwnerLock>(new OwnerLock(fd, lock_path, made));
  const std::string pid = absl::StrCat(::getpid(), "\n");
  if (::ftruncate(fd, 0) != 0 ||
      ::pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return ErrnoStatus(errno, "cannot write", lock_path);
  }
  return lock;
}

void OwnerLock::Retract() {
  if (made_) ::unlink(lock_path_.c_str());
}

}  // namespace squish
