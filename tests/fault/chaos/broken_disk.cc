#include "tests/fault/chaos/broken_disk.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <utility>

#include "common/base/file.h"

namespace squish {

absl::StatusOr<std::unique_ptr<BrokenDisk>> BrokenDisk::Make(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus(errno, "cannot create", path);
  void* mapped = MAP_FAILED;
  if (::ftruncate(fd, sizeof(BrokenDiskPage)) == 0) {
    mapped = ::mmap(nullptr, sizeof(BrokenDiskPage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  }
  const int error = errno;
  ::close(fd);
  if (mapped == MAP_FAILED) return ErrnoStatus(error, "cannot map", path);
  return std::unique_ptr<BrokenDisk>(new BrokenDisk(path, new (mapped) BrokenDiskPage{}));
}

BrokenDisk::~BrokenDisk() { ::munmap(page_, sizeof(BrokenDiskPage)); }

std::map<std::string, std::string> BrokenDisk::Environment(const std::string& library,
                                                           const std::string& folder,
                                                           const std::string& kept_results) const {
  std::map<std::string, std::string> environment = {{"LD_PRELOAD", library},
                                                    {"SQUISH_BROKEN_DISK", path_},
                                                    {"SQUISH_BROKEN_DISK_FOLDER", folder}};
  if (!kept_results.empty()) environment["SQUISH_KEPT_RESULTS"] = kept_results;
  return environment;
}

void BrokenDisk::Break(int error, int writes_before) {
  page_->writes_before = writes_before;
  page_->error = error;
}

void BrokenDisk::Mend() { page_->error = 0; }

}  // namespace squish
