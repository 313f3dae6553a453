// What is already in a cache that is being made, so that the next maker of a killed one's
// cache decodes nothing twice. A file of records, one a picture, in the source's order:
//
//   bytes u32 │ index u32 │ has_margin u8 │ problem (u16 bytes, text) │ entry │ check u64
//
// Nothing is synced, neither here nor in the cache: a record counts only where it is
// whole and where the pixels that it tells of have their digest.
#ifndef SQUISH_COMMON_DATASET_CACHE_JOURNAL_H_
#define SQUISH_COMMON_DATASET_CACHE_JOURNAL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/dataset/cache_layout.h"

namespace squish {

// What became of one picture of a source.
struct DecodedPicture {
  int index = 0;            // In the source.
  std::string problem;      // Not empty: it could not be read, and this is why.
  bool has_margin = false;  // As PictureSource::Picture.
  CacheEntry entry;         // Of a readable picture.
};

// Not thread-safe.
class CacheJournal {
 public:
  // Opens or makes the file. Errors as ErrnoStatus.
  static absl::StatusOr<std::unique_ptr<CacheJournal>> Open(std::string path);
  ~CacheJournal();
  CacheJournal(const CacheJournal&) = delete;
  CacheJournal& operator=(const CacheJournal&) = delete;

  // The whole records of pictures 0, 1, 2 and so on that it began with; may be called once.
  std::vector<DecodedPicture> TakeFound() { return std::move(found_); }
  // Forgets all records but the first `count` of those found.
  absl::Status Keep(size_t count);
  absl::Status Append(absl::Span<const DecodedPicture> pictures);

 private:
  CacheJournal(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  void Parse(absl::string_view bytes);

  const std::string path_;
  const int fd_;
  std::vector<DecodedPicture> found_;
  std::vector<int64_t> ends_;  // Of the records found, in bytes.
};

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_CACHE_JOURNAL_H_
