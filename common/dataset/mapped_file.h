// A file's bytes in memory. Owns the mapping, not the descriptor.
#ifndef SQUISH_COMMON_DATASET_MAPPED_FILE_H_
#define SQUISH_COMMON_DATASET_MAPPED_FILE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace squish {

// Movable; the bytes stay in place. Concurrent reads are safe.
class MappedFile {
 public:
  // Maps the first `bytes` (> 0) of an open file, shared; `path` is for messages.
  // RESOURCE_EXHAUSTED or INTERNAL: the system refused.
  static absl::StatusOr<MappedFile> Map(int fd, int64_t bytes, bool writable,
                                        absl::string_view path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  uint8_t* data() const { return data_; }  // Written to only where `writable`.
  int64_t bytes() const { return bytes_; }
  absl::string_view view() const;

 private:
  MappedFile(uint8_t* data, int64_t bytes) : data_(data), bytes_(bytes) {}
  uint8_t* data_;
  int64_t bytes_;
};

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_MAPPED_FILE_H_
