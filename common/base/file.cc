#include "common/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/base/ids.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

absl::Status WriteAll(int fd, absl::string_view content, absl::string_view path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return ErrnoStatus(errno, "cannot write", path);
    }
    content.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ErrnoStatus(int error, absl::string_view action, absl::string_view path) {
  const std::string message = absl::StrCat(action, " ", path, ": ", std::strerror(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case EEXIST:
      return absl::AlreadyExistsError(message);
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
      return absl::ResourceExhaustedError(message);
    default:
      return absl::InternalError(message);
  }
}

absl::StatusOr<std::string> ReadFile(absl::string_view path, int64_t maximum_bytes) {
  const std::string name(path);
  const Descriptor file(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return ErrnoStatus(errno, "cannot open", path);
  struct stat info;
  if (::fstat(file.get(), &info) != 0) return ErrnoStatus(errno, "cannot examine", path);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a regular file"));
  }
  if (info.st_size > maximum_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(path, " has ", info.st_size,
                                                     " bytes; at most ", maximum_bytes,
                                                     " are read"));
  }
  std::string content(static_cast<size_t>(info.st_size), '\0');
  size_t have = 0;
  while (have < content.size()) {
    const ssize_t count = ::read(file.get(), content.data() + have, content.size() - have);
    if (count < 0) {
      if (errno == EINTR) continue;
      return ErrnoStatus(errno, "cannot read", path);
    }
    if (count == 0) break;  // It shrank meanwhile.
    have += static_cast<size_t>(count);
  }
  content.resize(have);
  return content;
}

absl::Status WriteFileDurably(absl::string_view path, absl::string_view content) {
  const std::string temporary = absl::StrCat(path, ".", RandomHex(8), ".tmp");
  absl::Status status;
  {
    const Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (file.get() < 0) return ErrnoStatus(errno, "cannot create", temporary);
    status = WriteAll(file.get(), content, temporary);
    if (status.ok() && ::fsync(file.get()) != 0) {
      status = ErrnoStatus(errno, "cannot sync", temporary);
    }
  }
  if (status.ok()) status = RenameDurably(temporary, path);
  if (!status.ok()) ::unlink(temporary.c_str());  // Unless it has its name already.
  return status;
}

absl::Status RenameDurably(absl::string_view from, absl::string_view to) {
  const std::string source(from), target(to);
  if (::rename(source.c_str(), target.c_str()) != 0) {
    return ErrnoStatus(errno, "cannot rename to", to);
  }
  const std::string folder = std::filesystem::path(target).parent_path().string();
  return SyncFolder(folder.empty() ? "." : folder);
}

absl::Status MakeFolder(absl::string_view path) {
  std::error_code error;
  std::filesystem::create_directories(std::string(path), error);
  if (error) return ErrnoStatus(error.value(), "cannot make folder", path);
  return absl::OkStatus();
}

absl::Status SyncFolder(absl::string_view path) {
  const std::string name(path);
  const Descriptor folder(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) return ErrnoStatus(errno, "cannot open folder", path);
  if (::fsync(folder.get()) != 0) return ErrnoStatus(errno, "cannot sync folder", path);
  return absl::OkStatus();
}

std::string JoinPath(absl::string_view folder, absl::string_view name) {
  if (folder.empty()) return std::string(name);
  if (folder.back() == '/') return absl::StrCat(folder, name);
  return absl::StrCat(folder, "/", name);
}

std::string ExecutableFolder() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::string(".") : self.parent_path().string();
}

}  // namespace squish
