#include "common/dataset/fingerprint.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/base/sha256.h"

namespace squish {

std::string Fingerprint(absl::string_view rules, const v1::DatasetSummary& summary,
                        int image_size, absl::Span<const uint8_t> labels,
                        absl::Span<const uint8_t> pixels) {
  Sha256 hash;
  hash.UpdateString("squish-dataset/1");
  hash.UpdateString(rules);
  hash.UpdateUint64(static_cast<uint64_t>(summary.class_names_size()));
  for (const std::string& name : summary.class_names()) hash.UpdateString(name);
  hash.UpdateUint64(static_cast<uint64_t>(summary.train_images()));
  hash.UpdateUint64(static_cast<uint64_t>(summary.selection_images()));
  hash.UpdateUint64(static_cast<uint64_t>(summary.val_images()));
  hash.UpdateUint64(static_cast<uint64_t>(image_size));
  hash.Update(labels.data(), labels.size());
  hash.Update(pixels.data(), pixels.size());
  return std::move(hash).HexDigest();
}

bool HasFingerprint(absl::string_view rules, const DatasetCache& cache) {
  return Fingerprint(rules, cache.summary(), cache.image_size(), cache.labels(),
                     cache.pixels()) == cache.summary().fingerprint();
}

PixelStatistics ComputePixelStatistics(absl::Span<const uint8_t> pixels) {
  std::array<uint64_t, 3> sum = {}, squares = {};
  for (size_t i = 0; i + 2 < pixels.size(); i += 3) {
    for (size_t c = 0; c < 3; ++c) {
      const uint64_t value = pixels[i + c];
      sum[c] += value;
      squares[c] += value * value;
    }
  }
  const double count = std::max<double>(1.0, static_cast<double>(pixels.size() / 3));
  PixelStatistics statistics;
  for (size_t c = 0; c < 3; ++c) {
    const double mean = static_cast<double>(sum[c]) / count / 255.0;
    const double variance =
        static_cast<double>(squares[c]) / count / (255.0 * 255.0) - mean * mean;
    statistics.mean[c] = static_cast<float>(mean);
    statistics.std[c] =
        static_cast<float>(std::max(1.0 / 255.0, std::sqrt(std::max(0.0, variance))));
  }
  return statistics;
}

}  // namespace squish
