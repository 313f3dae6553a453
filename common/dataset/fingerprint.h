// What a decoded data set is known by, and its statistics. Pure.
#ifndef SQUISH_COMMON_DATASET_FINGERPRINT_H_
#define SQUISH_COMMON_DATASET_FINGERPRINT_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/dataset/cache.h"
#include "common/dataset/cache_layout.h"
#include "squish/v1/dataset.pb.h"

namespace squish {

// SHA-256 (hex) over `rules` (what changes pixels and splits), the class names and
// counts in `summary`, the image size, and of every picture, in the order of `entries`,
// the label, the side and the digest of its pixels. Names and places are no part of it.
std::string Fingerprint(absl::string_view rules, const v1::DatasetSummary& summary,
                        int image_size, absl::Span<const CacheEntry> entries);

// Whether a cache's content, every pixel of it, has the fingerprint that it states. Read
// by that many threads; `alive` is called on the calling one, about every kReadTogether
// bytes.
bool HasFingerprint(absl::string_view rules, const DatasetCache& cache, int threads,
                    absl::FunctionRef<void()> alive = [] {});
constexpr int64_t kReadTogether = 16 << 20;

// SHA-256 (hex) over the content digests of each class, for DatasetSummary.classes, with
// its counts; in label order.
class ClassSummaries {
 public:
  explicit ClassSummaries(int classes) : classes_(static_cast<size_t>(classes)) {}
  void Add(v1::Split split, int label, const Digest& content);
  // Call once, last.
  google::protobuf::RepeatedPtrField<v1::ClassSummary> Take() &&;

 private:
  std::vector<std::array<std::vector<Digest>, 3>> classes_;
};

// Sums over pixels, by which pictures are described one by one and together. Integers:
// the same bits on every machine, in any order.
struct PixelSums {
  uint64_t pixels = 0;
  std::array<uint64_t, 3> sum = {}, squares = {};  // Of each channel.

  PixelSums& operator+=(const PixelSums& other);
};
PixelSums SumPixels(absl::Span<const uint8_t> pixels);  // RGBRGB…

// Per channel, of pixels scaled to [0, 1]. `std` is at least 1/255, so that a flat
// channel can be divided by it.
struct PixelStatistics {
  std::array<float, 3> mean;
  std::array<float, 3> std;
};
PixelStatistics ComputePixelStatistics(const PixelSums& sums);

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_FINGERPRINT_H_
