// The right to make one cache file. Several processes may want the same file at once:
// one makes it, the others wait and then find it there.
//
// The file being made, PATH.partial, is its own lock (flock), so a maker that is
// killed leaves the lock free and the partial file to be written over.
#ifndef SQUISH_COMMON_DATASET_CACHE_SLOT_H_
#define SQUISH_COMMON_DATASET_CACHE_SLOT_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace squish {

// Not thread-safe.
class CacheSlot {
 public:
  // Waits until nobody else is making `path`; calls `waiting` about every tenth of a
  // second meanwhile. Look whether `path` has appeared before making it. Errors as
  // ErrnoStatus.
  static absl::StatusOr<std::unique_ptr<CacheSlot>> Acquire(
      absl::string_view path, const std::function<void()>& waiting);

  // Removes what was not published.
  ~CacheSlot();
  CacheSlot(const CacheSlot&) = delete;
  CacheSlot& operator=(const CacheSlot&) = delete;

  // Empties the partial file and reserves `bytes` zero bytes on disk.
  // RESOURCE_EXHAUSTED: the disk is too full.
  absl::Status Reserve(int64_t bytes);
  int fd() const { return fd_; }

  // Syncs the partial file and renames it to `path`.
  absl::Status Publish();

 private:
  CacheSlot(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string partial() const { return path_ + ".partial"; }

  const std::string path_;
  const int fd_;
  bool published_ = false;
};

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_CACHE_SLOT_H_
