// The right to make one cache file. Several processes may want the same file at once:
// one makes it, the others wait and then find it there.
//
// The file being made, PATH.partial, is its own lock (flock), so a maker that is
// killed leaves the lock free. It leaves the partial file too, as does one whose source is
// at fault, and beside it a journal of what is in it (cache_journal.h), with which the next
// maker goes on.
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

  // Removes what was neither published nor left, and the journal.
  ~CacheSlot();
  CacheSlot(const CacheSlot&) = delete;
  CacheSlot& operator=(const CacheSlot&) = delete;

  // Empties the partial file and reserves `bytes` zero bytes on disk.
  // RESOURCE_EXHAUSTED: the disk is too full.
  absl::Status Reserve(int64_t bytes);
  int fd() const { return fd_; }
  // Errors as ErrnoStatus; RESOURCE_EXHAUSTED: the disk is full.
  absl::Status Write(int64_t place, absl::string_view bytes);
  absl::Status CutTo(int64_t bytes);
  int64_t Size() const;
  std::string journal_path() const { return partial() + ".journal"; }

  // Renames the partial file to `path`. It is not synced: whoever answers from it later
  // checks its fingerprint, and makes it anew where a power cut has damaged it.
  absl::Status Publish();

  // Leaves the partial file, of `bytes` from now on, and the journal to the next maker: the
  // source is at fault, and what was decoded of it need not be decoded again.
  void LeaveUnfinished(int64_t bytes);

 private:
  CacheSlot(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string partial() const { return path_ + ".partial"; }

  const std::string path_;
  const int fd_;
  bool published_ = false, left_ = false;
};

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_CACHE_SLOT_H_
