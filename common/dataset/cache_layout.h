// Where things lie in a cache file. All numbers are little-endian.
//
//   0     magic "SQUISHDS"
//   8     version            u32
//   12    input size         u32
//   16    the index's place  u64
//   24    the index's bytes  u64
//   32    digest             64 hex digits: SHA-256 over bytes 0 to 31 and the index
//   4096  pictures           one after another, in the order in which they were decoded
//   …     index              the summary's bytes u32, a DatasetSummary, then an entry a
//                            picture in the order TRAIN, SELECTION, VAL; to the file's end
//
// An entry: label u8, 0 u8, side u16, place u64, content digest (32), digest of the
// pixels (32), bytes of the name u16, name.
//
// Pure. The index is checked as a whole when it is read, so that no entry points astray.
#ifndef SQUISH_COMMON_DATASET_CACHE_LAYOUT_H_
#define SQUISH_COMMON_DATASET_CACHE_LAYOUT_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "squish/v1/dataset.pb.h"

namespace squish {

// Also part of a cache's file name: files of other versions are never opened.
constexpr uint32_t kCacheVersion = 2;
constexpr int kMaximumImageSize = 2048;  // 1024 · 8/7, rounded up generously.
constexpr int kMaximumClasses = 256;     // A label is one byte.
constexpr int64_t kPicturesPlace = 4096;
constexpr size_t kMaximumNameBytes = 4096;

using Digest = std::array<uint8_t, 32>;

// `hex` is a SHA-256 in hex.
Digest DigestOf(absl::string_view hex);
std::string HexOf(const Digest& digest);

constexpr int64_t PictureBytes(int side) { return int64_t{3} * side * side; }

// One picture of a cache.
struct CacheEntry {
  int label = 0;
  int side = 0;       // In pixels.
  int64_t place = 0;  // Of its pixels, from the file's start.
  Digest content{};   // SHA-256 of the picture as the source has it.
  Digest pixels{};    // SHA-256 of its pixels.
  std::string name;   // What the source calls it; at most kMaximumNameBytes.
};

std::string EncodeCacheIndex(const v1::DatasetSummary& summary,
                             absl::Span<const CacheEntry> entries);
// The first bytes of a file whose index lies at `index_place`.
std::string EncodeCacheHeader(int image_size, int64_t index_place, absl::string_view index);

// Little-endian numbers, here and in the journal of a cache that is being made.
void AppendNumber(uint64_t value, int bytes, std::string* out);
uint64_t NumberAt(absl::string_view bytes, size_t place, int count);
void AppendEntry(const CacheEntry& entry, std::string* out);
// Takes one entry off the front of `bytes`. DATA_LOSS: there is no whole one.
absl::StatusOr<CacheEntry> TakeEntry(absl::string_view* bytes);

struct CacheIndex {
  v1::DatasetSummary summary;
  int image_size = 0;
  // Of each entry, from the file's start: entries are read where they lie.
  std::vector<int64_t> entries;
};

// Reads and checks header and index of a whole file. DATA_LOSS says what is wrong.
absl::StatusOr<CacheIndex> DecodeCacheIndex(absl::string_view file);

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_CACHE_LAYOUT_H_
