#include "tests/fault/crash_points/recorded_disk.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cassert>
#include <cstdarg>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"

namespace squish {
namespace {

std::atomic<RecordedDisk*> recording = nullptr;

template <typename Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

RecordedDisk::RecordedDisk(std::string folder, const DiskModel& before, uint64_t seed)
    : folder_(std::move(folder)),
      files_(before.files()),
      folders_(before.folders()),
      next_file_(before.next_file()),
      random_(seed) {
  [[maybe_unused]] RecordedDisk* const other = recording.exchange(this);
  assert(other == nullptr);
}

RecordedDisk::~RecordedDisk() { recording = nullptr; }

size_t RecordedDisk::size() const {
  absl::MutexLock lock(&mutex_);
  return operations_.size();
}

std::optional<std::string> RecordedDisk::Inside(const char* path) const {
  if (folder_ == path) return "";
  if (!absl::StartsWith(path, folder_) || path[folder_.size()] != '/' || IsSharedMemory(path)) {
    return std::nullopt;
  }
  return path + folder_.size() + 1;
}

DiskOperation& RecordedDisk::Note(DiskOperation::Kind kind, std::string path) {
  DiskOperation& operation = operations_.emplace_back();
  operation.kind = kind;
  operation.path = std::move(path);
  return operation;
}

template <typename Call>
int RecordedDisk::Open(const char* path, int flags, Call call) {
  const std::optional<std::string> inside = Inside(path);
  if (!inside.has_value()) return call();
  absl::MutexLock lock(&mutex_);
  const int fd = call();
  if (fd < 0) return fd;
  if (inside->empty() || folders_.count(*inside) > 0) {
    opened_[fd] = {*inside, -1};
    return fd;
  }
  auto file = files_.find(*inside);
  if (file == files_.end()) {
    file = files_.emplace(*inside, next_file_++).first;
    Note(DiskOperation::Kind::kMakeFile, *inside).file = file->second;
  } else if ((flags & O_TRUNC) != 0) {
    Note(DiskOperation::Kind::kResize, *inside).file = file->second;
  }
  opened_[fd] = {*inside, file->second};
  return fd;
}

template <typename Call>
int RecordedDisk::Close(int fd, Call call) {
  absl::MutexLock lock(&mutex_);
  opened_.erase(fd);
  return call();
}

template <typename Call>
ssize_t RecordedDisk::Write(int fd, const void* bytes, std::optional<int64_t> offset, Call call) {
  absl::MutexLock lock(&mutex_);
  const auto opened = opened_.find(fd);
  const ssize_t count = call();
  if (count <= 0 || opened == opened_.end()) return count;
  DiskOperation& operation = Note(DiskOperation::Kind::kWrite, opened->second.path);
  operation.file = opened->second.file;
  // Where the descriptor stands is after what was written.
  operation.offset = offset.has_value() ? *offset : ::lseek(fd, 0, SEEK_CUR) - count;
  operation.bytes.assign(static_cast<const char*>(bytes), static_cast<size_t>(count));
  return count;
}

template <typename Call>
int RecordedDisk::Resize(int fd, int64_t size, Call call) {
  absl::MutexLock lock(&mutex_);
  const auto opened = opened_.find(fd);
  const int result = call();
  if (result != 0 || opened == opened_.end()) return result;
  DiskOperation& operation = Note(DiskOperation::Kind::kResize, opened->second.path);
  operation.file = opened->second.file;
  operation.offset = size;
  return result;
}

template <typename Call>
int RecordedDisk::Sync(int fd, Call call) {
  absl::MutexLock lock(&mutex_);
  const auto opened = opened_.find(fd);
  const int result = call();
  if (result != 0 || opened == opened_.end()) return result;
  const bool is_folder = opened->second.file < 0;
  Note(is_folder ? DiskOperation::Kind::kSyncFolder : DiskOperation::Kind::kSyncFile,
       opened->second.path)
      .file = opened->second.file;
  return result;
}

template <typename Call>
int RecordedDisk::Rename(const char* from, const char* to, Call call) {
  const std::optional<std::string> old_path = Inside(from), new_path = Inside(to);
  if (!old_path.has_value() && !new_path.has_value()) return call();
  absl::MutexLock lock(&mutex_);
  const int result = call();
  if (result != 0) return result;
  // From elsewhere, or to there: the store does neither.
  assert(old_path.has_value() && new_path.has_value());
  files_[*new_path] = files_.at(*old_path);
  files_.erase(*old_path);
  Note(DiskOperation::Kind::kRename, *old_path).new_path = *new_path;
  return result;
}

template <typename Call>
int RecordedDisk::Remove(const char* path, Call call) {
  const std::optional<std::string> inside = Inside(path);
  if (!inside.has_value()) return call();
  absl::MutexLock lock(&mutex_);
  const int result = call();
  if (result != 0) return result;
  assert(folders_.count(*inside) == 0);
  files_.erase(*inside);
  Note(DiskOperation::Kind::kRemove, *inside);
  return result;
}

template <typename Call>
int RecordedDisk::MakeFolder(const char* path, Call call) {
  const std::optional<std::string> inside = Inside(path);
  if (!inside.has_value()) return call();
  absl::MutexLock lock(&mutex_);
  const int result = call();
  if (result != 0) return result;
  folders_.insert(*inside);
  Note(DiskOperation::Kind::kMakeFolder, *inside);
  return result;
}

ssize_t RecordedDisk::Random(void* bytes, size_t count) {
  absl::MutexLock lock(&mutex_);
  auto* next = static_cast<unsigned char*>(bytes);
  for (size_t i = 0; i < count; ++i) next[i] = static_cast<unsigned char>(random_() >> 56);
  return static_cast<ssize_t>(count);
}

}  // namespace squish

// In place of libc's. Libraries of this process come here too: a program's definitions go
// before theirs, and before a sanitizer's, which are then called in libc's place.
using squish::Next;
using squish::RecordedDisk;
using squish::recording;

extern "C" {

// The mode is there only when a file may be made.
#define SQUISH_DEFINE_OPEN(name)                                           \
  int name(const char* path, int flags, ...) {                             \
    static const auto next = Next<int (*)(const char*, int, ...)>(#name);  \
    mode_t mode = 0;                                                       \
    if ((flags & O_CREAT) != 0) {                                          \
      va_list arguments;                                                   \
      va_start(arguments, flags);                                          \
      mode = static_cast<mode_t>(va_arg(arguments, unsigned int));         \
      va_end(arguments);                                                   \
    }                                                                      \
    RecordedDisk* const disk = recording;                                  \
    const auto call = [&] { return next(path, flags, mode); };             \
    return disk == nullptr ? call() : disk->Open(path, flags, call);       \
  }
SQUISH_DEFINE_OPEN(open)
SQUISH_DEFINE_OPEN(open64)
#undef SQUISH_DEFINE_OPEN

int close(int fd) {
  static const auto next = Next<decltype(&close)>("close");
  RecordedDisk* const disk = recording;
  const auto call = [&] { return next(fd); };
  return disk == nullptr ? call() : disk->Close(fd, call);
}

ssize_t write(int fd, const void* bytes, size_t count) {
  static const auto next = Next<decltype(&write)>("write");
  RecordedDisk* const disk = recording;
  const auto call = [&] { return next(fd, bytes, count); };
  return disk == nullptr ? call() : disk->Write(fd, bytes, std::nullopt, call);
}

#define SQUISH_DEFINE_PWRITE(name, offset_type)                                  \
  ssize_t name(int fd, const void* bytes, size_t count, offset_type offset) {    \
    static const auto next = Next<decltype(&name)>(#name);                       \
    RecordedDisk* const disk = recording;                                        \
    const auto call = [&] { return next(fd, bytes, count, offset); };            \
    return disk == nullptr ? call() : disk->Write(fd, bytes, offset, call);      \
  }
SQUISH_DEFINE_PWRITE(pwrite, off_t)
SQUISH_DEFINE_PWRITE(pwrite64, off64_t)
#undef SQUISH_DEFINE_PWRITE

#define SQUISH_DEFINE_FTRUNCATE(name, offset_type)                        \
  int name(int fd, offset_type size) noexcept {                           \
    static const auto next = Next<int (*)(int, offset_type)>(#name);      \
    RecordedDisk* const disk = recording;                                 \
    const auto call = [&] { return next(fd, size); };                     \
    return disk == nullptr ? call() : disk->Resize(fd, size, call);       \
  }
SQUISH_DEFINE_FTRUNCATE(ftruncate, off_t)
SQUISH_DEFINE_FTRUNCATE(ftruncate64, off64_t)
#undef SQUISH_DEFINE_FTRUNCATE

#define SQUISH_DEFINE_SYNC(name)                              \
  int name(int fd) {                                          \
    static const auto next = Next<int (*)(int)>(#name);       \
    RecordedDisk* const disk = recording;                     \
    const auto call = [&] { return next(fd); };               \
    return disk == nullptr ? call() : disk->Sync(fd, call);   \
  }
SQUISH_DEFINE_SYNC(fsync)
SQUISH_DEFINE_SYNC(fdatasync)
#undef SQUISH_DEFINE_SYNC

int rename(const char* from, const char* to) noexcept {
  static const auto next = Next<int (*)(const char*, const char*)>("rename");
  RecordedDisk* const disk = recording;
  const auto call = [&] { return next(from, to); };
  return disk == nullptr ? call() : disk->Rename(from, to, call);
}

#define SQUISH_DEFINE_REMOVE(name)                               \
  int name(const char* path) noexcept {                          \
    static const auto next = Next<int (*)(const char*)>(#name);  \
    RecordedDisk* const disk = recording;                        \
    const auto call = [&] { return next(path); };                \
    return disk == nullptr ? call() : disk->Remove(path, call);  \
  }
SQUISH_DEFINE_REMOVE(unlink)
SQUISH_DEFINE_REMOVE(remove)
#undef SQUISH_DEFINE_REMOVE

int mkdir(const char* path, mode_t mode) noexcept {
  static const auto next = Next<int (*)(const char*, mode_t)>("mkdir");
  RecordedDisk* const disk = recording;
  const auto call = [&] { return next(path, mode); };
  return disk == nullptr ? call() : disk->MakeFolder(path, call);
}

ssize_t getrandom(void* bytes, size_t count, unsigned int flags) {
  static const auto next = Next<ssize_t (*)(void*, size_t, unsigned int)>("getrandom");
  RecordedDisk* const disk = recording;
  return disk == nullptr ? next(bytes, count, flags) : disk->Random(bytes, count);
}

}  // extern "C"
