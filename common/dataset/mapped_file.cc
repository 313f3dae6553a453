#include "common/dataset/mapped_file.h"

#include <sys/mman.h>

#include <cerrno>
#include <utility>

#include "common/base/file.h"

namespace squish {

absl::StatusOr<MappedFile> MappedFile::Map(int fd, int64_t bytes, bool writable,
                                           absl::string_view path) {
  const int protection = PROT_READ | (writable ? PROT_WRITE : 0);
  void* data = ::mmap(nullptr, static_cast<size_t>(bytes), protection, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) return ErrnoStatus(errno, "cannot map", path);
  return MappedFile(static_cast<uint8_t*>(data), bytes);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, static_cast<size_t>(bytes_));
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

absl::string_view MappedFile::view() const {
  return {reinterpret_cast<const char*>(data_), static_cast<size_t>(bytes_)};
}

}  // namespace squish
