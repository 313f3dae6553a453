// Where things lie in a cache file. All numbers are little-endian.
//
//   0   magic "SQUISHDS"
//   8   version            u32
//   12  image size         u32
//   16  bytes of summary   u64
//   24  digest             64 hex digits: SHA-256 over bytes 0 to 23 and the summary
//   88  summary            DatasetSummary, serialised
//   …   labels             one byte each, from a multiple of 4096
//   …   pictures           from a multiple of 4096
//
// Pure. Counts and class names fix every offset, so a header cannot point astray.
#ifndef SQUISH_COMMON_DATASET_CACHE_LAYOUT_H_
#define SQUISH_COMMON_DATASET_CACHE_LAYOUT_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "squish/v1/dataset.pb.h"

namespace squish {

// Also part of a cache's file name: files of other versions are never opened.
constexpr uint32_t kCacheVersion = 1;
constexpr int kMaximumImageSize = 2048;  // 1024 · 8/7, rounded up generously.
constexpr int kMaximumClasses = 256;     // A label is one byte.

// Of the counts and class names in `summary`, which need nothing else set.
struct CacheLayout {
  CacheLayout(const v1::DatasetSummary& summary, int image_size);

  int64_t picture_bytes;
  int64_t count;  // Pictures of all splits.
  int64_t labels_offset;
  int64_t pixels_offset;
  int64_t file_bytes;
};

// The bytes from 0 to the end of the summary; at most CacheLayout::labels_offset.
std::string EncodeCacheHeader(const v1::DatasetSummary& summary, int image_size);

struct CacheHeader {
  v1::DatasetSummary summary;
  int image_size = 0;
};

// Reads and checks the header of a whole file. DATA_LOSS says what is wrong with it.
absl::StatusOr<CacheHeader> DecodeCacheHeader(absl::string_view file);

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_CACHE_LAYOUT_H_
