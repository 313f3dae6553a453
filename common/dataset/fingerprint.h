// What a data set's bytes come to: its fingerprint and its pixel statistics. Pure.
#ifndef SQUISH_COMMON_DATASET_FINGERPRINT_H_
#define SQUISH_COMMON_DATASET_FINGERPRINT_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/dataset/cache.h"
#include "squish/v1/dataset.pb.h"

namespace squish {

// SHA-256 (hex) over `rules` (what changes pixels and splits), the class names and
// counts in `summary`, the image size, every label and every picture, in file order.
std::string Fingerprint(absl::string_view rules, const v1::DatasetSummary& summary,
                        int image_size, absl::Span<const uint8_t> labels,
                        absl::Span<const uint8_t> pixels);

// Whether a cache's content, every byte of it, has the fingerprint that it states.
bool HasFingerprint(absl::string_view rules, const DatasetCache& cache);

// Per channel, of pixels scaled to [0, 1]. Sums are integers: the same bits on every
// machine. `std` is at least 1/255, so that a flat channel can be divided by it.
struct PixelStatistics {
  std::array<float, 3> mean;
  std::array<float, 3> std;
};
PixelStatistics ComputePixelStatistics(absl::Span<const uint8_t> pixels);

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_FINGERPRINT_H_
