#include "common/dataset/fingerprint.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/sha256.h"

namespace squish {
namespace {

constexpr v1::Split kSplits[] = {v1::TRAIN, v1::SELECTION, v1::VAL};

// What is in the fingerprint before the pictures.
Sha256 BeginFingerprint(absl::string_view rules, const v1::DatasetSummary& summary,
                        int image_size) {
  Sha256 hash;
  hash.UpdateString("squish-dataset/2");
  hash.UpdateString(rules);
  hash.UpdateUint64(static_cast<uint64_t>(summary.class_names_size()));
  for (const std::string& name : summary.class_names()) hash.UpdateString(name);
  hash.UpdateUint64(static_cast<uint64_t>(summary.train_images()));
  hash.UpdateUint64(static_cast<uint64_t>(summary.selection_images()));
  hash.UpdateUint64(static_cast<uint64_t>(summary.val_images()));
  hash.UpdateUint64(static_cast<uint64_t>(image_size));
  return hash;
}

void AddPicture(int label, int side, const Digest& pixels, Sha256& hash) {
  hash.UpdateUint64(static_cast<uint64_t>(label));
  hash.UpdateUint64(static_cast<uint64_t>(side));
  hash.Update(pixels.data(), pixels.size());
}

}  // namespace

std::string Fingerprint(absl::string_view rules, const v1::DatasetSummary& summary,
                        int image_size, absl::Span<const CacheEntry> entries) {
  Sha256 hash = BeginFingerprint(rules, summary, image_size);
  for (const CacheEntry& entry : entries) AddPicture(entry.label, entry.side, entry.pixels, hash);
  return std::move(hash).HexDigest();
}

bool HasFingerprint(absl::string_view rules, const DatasetCache& cache, int threads,
                    absl::FunctionRef<void()> alive) {
  Sha256 hash = BeginFingerprint(rules, cache.summary(), cache.image_size());
  std::atomic<int64_t> read = 0;
  int64_t told = 0;  // Of `read`.
  const auto tell = [&] {
    if (read - told < kReadTogether) return;
    told = read;
    alive();
  };
  for (const v1::Split split : kSplits) {
    const int count = cache.Count(split);
    std::vector<Digest> digests(static_cast<size_t>(count));
    std::atomic<int> next = 0;
    const auto work = [&](bool telling) {
      for (int i = next++; i < count; i = next++) {
        const absl::Span<const uint8_t> pixels = cache.Image(split, i);
        digests[static_cast<size_t>(i)] = DigestOf(
            Sha256Hex({reinterpret_cast<const char*>(pixels.data()), pixels.size()}));
        read += static_cast<int64_t>(pixels.size());
        if (telling) tell();
      }
    };
    std::vector<std::thread> helpers;
    for (int t = 1; t < threads; ++t) helpers.emplace_back(work, false);
    work(true);
    for (std::thread& helper : helpers) helper.join();
    for (int i = 0; i < count; ++i) {
      AddPicture(cache.Label(split, i), cache.Side(split, i), digests[static_cast<size_t>(i)],
                 hash);
    }
  }
  return std::move(hash).HexDigest() == cache.summary().fingerprint();
}

void ClassSummaries::Add(v1::Split split, int label, const Digest& content) {
  classes_[static_cast<size_t>(label)][split - v1::TRAIN].push_back(content);
}

google::protobuf::RepeatedPtrField<v1::ClassSummary> ClassSummaries::Take() && {
  google::protobuf::RepeatedPtrField<v1::ClassSummary> summaries;
  for (auto& splits : classes_) {
    v1::ClassSummary& summary = *summaries.Add();
    summary.set_train_images(static_cast<int>(splits[0].size()));
    summary.set_selection_images(static_cast<int>(splits[1].size()));
    summary.set_val_images(static_cast<int>(splits[2].size()));
    Sha256 hash;
    for (std::vector<Digest>& digests : splits) {
      std::sort(digests.begin(), digests.end());
      hash.UpdateUint64(digests.size());
      for (const Digest& digest : digests) hash.Update(digest.data(), digest.size());
    }
    summary.set_content_digest(std::move(hash).HexDigest());
  }
  return summaries;
}

PixelSums& PixelSums::operator+=(const PixelSums& other) {
  pixels += other.pixels;
  for (size_t c = 0; c < 3; ++c) {
    sum[c] += other.sum[c];
    squares[c] += other.squares[c];
  }
  return *this;
}

PixelSums SumPixels(absl::Span<const uint8_t> pixels) {
  // A whole number of pixels side by side is a loop that compilers turn into vectors;
  // 255² · 65,536 is the last that fits in 32 bits.
  constexpr size_t kLanes = 48, kRowsInABlock = 65'536;
  PixelSums sums;
  sums.pixels = pixels.size() / 3;
  const uint8_t* at = pixels.data();
  size_t rows = pixels.size() / kLanes;
  while (rows > 0) {
    const size_t block = std::min(rows, kRowsInABlock);
    std::array<uint32_t, kLanes> sum = {}, squares = {};
    for (size_t row = 0; row < block; ++row, at += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane) {
        const uint32_t value = at[lane];
        sum[lane] += value;
        squares[lane] += value * value;
      }
    }
    for (size_t lane = 0; lane < kLanes; ++lane) {
      sums.sum[lane % 3] += sum[lane];
      sums.squares[lane % 3] += squares[lane];
    }
    rows -= block;
  }
  for (size_t i = 0; at + i < pixels.data() + sums.pixels * 3; ++i) {
    const uint64_t value = at[i];
    sums.sum[i % 3] += value;
    sums.squares[i % 3] += value * value;
  }
  return sums;
}

PixelStatistics ComputePixelStatistics(const PixelSums& sums) {
  const double count = std::max<double>(1.0, static_cast<double>(sums.pixels));
  PixelStatistics statistics;
  for (size_t c = 0; c < 3; ++c) {
    const double mean = static_cast<double>(sums.sum[c]) / count / 255.0;
    const double variance =
        static_cast<double>(sums.squares[c]) / count / (255.0 * 255.0) - mean * mean;
    statistics.mean[c] = static_cast<float>(mean);
    statistics.std[c] =
        static_cast<float>(std::max(1.0 / 255.0, std::sqrt(std::max(0.0, variance))));
  }
  return statistics;
}

}  // namespace squish
