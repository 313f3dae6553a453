// What is loaded before a program whose disk is to fail (broken_disk.h). It links nothing of
// ours, allocates nothing and logs nothing: it runs inside every write of its program, also
// before main.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/fault/chaos/broken_disk_page.h"

namespace {

squish::BrokenDiskPage* page = nullptr;
char folder[4096] = "";       // As it was named, as in paths that the program makes of it, …
char real_folder[4096] = "";  // … and as the kernel calls it.
char kept_results[4096] = "";

void CopySetting(const char* name, char (&to)[4096]) {
  const char* value = std::getenv(name);
  if (value != nullptr && std::strlen(value) < sizeof to) std::strcpy(to, value);
}

__attribute__((constructor)) void Begin() {
  CopySetting("SQUISH_BROKEN_DISK_FOLDER", folder);
  CopySetting("SQUISH_KEPT_RESULTS", kept_results);
  if (::realpath(folder, real_folder) == nullptr) real_folder[0] = '\0';
  const char* path = std::getenv("SQUISH_BROKEN_DISK");
  if (path == nullptr) return;
  const int fd = ::open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* mapped =
      ::mmap(nullptr, sizeof(squish::BrokenDiskPage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (mapped != MAP_FAILED) page = static_cast<squish::BrokenDiskPage*>(mapped);
}

template <typename Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

bool IsBelow(const char* path, const char* above) {
  const size_t length = std::strlen(above);
  return length > 0 && std::strncmp(path, above, length) == 0 && path[length] == '/';
}

bool IsOnDisk(const char* path) { return IsBelow(path, folder) || IsBelow(path, real_folder); }

bool IsOnDisk(int fd) {
  struct stat info;
  if (fd <= 2 || ::fstat(fd, &info) != 0 || (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))) {
    return false;
  }
  char link[64], path[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = ::readlink(link, path, sizeof path - 1);
  if (length < 0) return false;
  path[length] = '\0';
  return IsOnDisk(path);
}

// Whether this call is to fail; errno is then set. `takes_room`: also when the disk is full.
template <typename File>
bool Fails(File file, bool takes_room) {
  if (page == nullptr) return false;
  const int error = page->error;
  if (error == 0 || (error == ENOSPC && !takes_room) || !IsOnDisk(file)) return false;
  if (page->writes_before.fetch_sub(1) > 0) return false;
  ++page->failed;
  errno = error;
  return true;
}

// Below a spool; not what is still being written.
bool IsResult(const char* path) {
  const char* dot = std::strrchr(path, '.');
  return kept_results[0] != '\0' && dot != nullptr && std::strcmp(dot, ".pb") == 0 &&
         std::strstr(path, "/spool/") != nullptr;
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* bytes, size_t count) {
  static const auto next = Next<decltype(&write)>("write");
  return Fails(fd, true) ? -1 : next(fd, bytes, count);
}

ssize_t writev(int fd, const struct iovec* pieces, int count) {
  static const auto next = Next<decltype(&writev)>("writev");
  return Fails(fd, true) ? -1 : next(fd, pieces, count);
}

ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
  static const auto next = Next<decltype(&pwrite)>("pwrite");
  return Fails(fd, true) ? -1 : next(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void* bytes, size_t count, off64_t offset) {
  static const auto next = Next<decltype(&pwrite64)>("pwrite64");
  return Fails(fd, true) ? -1 : next(fd, bytes, count, offset);
}

int ftruncate(int fd, off_t length) noexcept {
  static const auto next = Next<decltype(&ftruncate)>("ftruncate");
  return Fails(fd, true) ? -1 : next(fd, length);
}

int ftruncate64(int fd, off64_t length) noexcept {
  static const auto next = Next<decltype(&ftruncate64)>("ftruncate64");
  return Fails(fd, true) ? -1 : next(fd, length);
}

int fsync(int fd) {
  static const auto next = Next<decltype(&fsync)>("fsync");
  return Fails(fd, false) ? -1 : next(fd);
}

int fdatasync(int fd) {
  static const auto next = Next<decltype(&fdatasync)>("fdatasync");
  return Fails(fd, false) ? -1 : next(fd);
}

int rename(const char* from, const char* to) noexcept {
  static const auto next = Next<decltype(&rename)>("rename");
  return Fails(to, false) ? -1 : next(from, to);
}

int unlink(const char* path) noexcept {
  static const auto next = Next<decltype(&unlink)>("unlink");
  static const auto move = Next<decltype(&rename)>("rename");
  if (!IsResult(path)) return next(path);
  char kept[8192];
  std::snprintf(kept, sizeof kept, "%s%s", kept_results, std::strrchr(path, '/'));
  return move(path, kept);
}

}  // extern "C"
