#include "common/dataset/cache_layout.h"

#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

constexpr absl::string_view kMagic = "SQUISHDS";
constexpr int64_t kPage = 4096;
constexpr size_t kDigestOffset = 24;
constexpr size_t kSummaryOffset = 88;

int64_t RoundUpToPage(int64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

// The header's end before the summary's numbers are known: 256 bytes hold the fixed
// part and every field of a summary but the names.
int64_t HeaderBound(const v1::DatasetSummary& summary) {
  int64_t bound = 256;
  for (const std::string& name : summary.class_names()) {
    bound += static_cast<int64_t>(name.size()) + 8;
  }
  return bound;
}

void AppendNumber(uint64_t value, int bytes, std::string* out) {
  for (int i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

uint64_t NumberAt(absl::string_view file, size_t offset, int bytes) {
  uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; --i) {
    value = value << 8 | static_cast<unsigned char>(file[offset + i]);
  }
  return value;
}

std::string HeaderDigest(absl::string_view fixed, absl::string_view summary) {
  Sha256 hash;
  hash.Update(fixed);
  hash.Update(summary);
  return std::move(hash).HexDigest();
}

absl::Status CheckSummary(const v1::DatasetSummary& summary) {
  if (summary.class_names_size() < 1 || summary.class_names_size() > kMaximumClasses) {
    return absl::DataLossError(absl::StrCat("it has ", summary.class_names_size(), " classes"));
  }
  if (summary.train_images() < 0 || summary.selection_images() < 0 || summary.val_images() < 0) {
    return absl::DataLossError("a split has a negative size");
  }
  if (!IsSha256Hex(summary.fingerprint())) {
    return absl::DataLossError("its fingerprint is not a SHA-256");
  }
  if (summary.mean_size() != 3 || summary.std_size() != 3) {
    return absl::DataLossError("its mean and std are not of three channels");
  }
  for (int c = 0; c < 3; ++c) {
    if (!std::isfinite(summary.mean(c)) || !std::isfinite(summary.std(c)) ||
        summary.std(c) <= 0.0f) {
      return absl::DataLossError("its mean or std is impossible");
    }
  }
  return absl::OkStatus();
}

}  // namespace

CacheLayout::CacheLayout(const v1::DatasetSummary& summary, int image_size)
    : picture_bytes(int64_t{3} * image_size * image_size),
      count(int64_t{summary.train_images()} + summary.selection_images() + summary.val_images()),
      labels_offset(RoundUpToPage(HeaderBound(summary))),
      pixels_offset(RoundUpToPage(labels_offset + count)),
      file_bytes(pixels_offset + count * picture_bytes) {}

std::string EncodeCacheHeader(const v1::DatasetSummary& summary, int image_size) {
  const std::string body = summary.SerializeAsString();
  std::string header(kMagic);
  AppendNumber(kCacheVersion, 4, &header);
  AppendNumber(static_cast<uint64_t>(image_size), 4, &header);
  AppendNumber(body.size(), 8, &header);
  return absl::StrCat(header, HeaderDigest(header, body), body);
}

absl::StatusOr<CacheHeader> DecodeCacheHeader(absl::string_view file) {
  if (file.size() < kSummaryOffset || file.substr(0, kMagic.size()) != kMagic) {
    return absl::DataLossError("it is no data cache");
  }
  if (const uint64_t version = NumberAt(file, 8, 4); version != kCacheVersion) {
    return absl::DataLossError(
        absl::StrCat("it has version ", version, ", not ", kCacheVersion));
  }
  CacheHeader header;
  const uint64_t image_size = NumberAt(file, 12, 4);
  const uint64_t summary_bytes = NumberAt(file, 16, 8);
  if (image_size < 1 || image_size > kMaximumImageSize ||
      summary_bytes > file.size() - kSummaryOffset) {
    return absl::DataLossError("its header is damaged");
  }
  const absl::string_view body = file.substr(kSummaryOffset, summary_bytes);
  if (HeaderDigest(file.substr(0, kDigestOffset), body) !=
          file.substr(kDigestOffset, kSummaryOffset - kDigestOffset) ||
      !header.summary.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return absl::DataLossError("its header is damaged");
  }
  header.image_size = static_cast<int>(image_size);
  SQUISH_RETURN_IF_ERROR(CheckSummary(header.summary));
  const CacheLayout layout(header.summary, header.image_size);
  if (static_cast<int64_t>(kSummaryOffset + summary_bytes) > layout.labels_offset ||
      static_cast<int64_t>(file.size()) != layout.file_bytes) {
    return absl::DataLossError(
        absl::StrCat("it has ", file.size(), " bytes instead of ", layout.file_bytes));
  }
  for (int64_t i = 0; i < layout.count; ++i) {
    const auto label = static_cast<unsigned char>(file[layout.labels_offset + i]);
    if (label >= header.summary.class_names_size()) {
      return absl::DataLossError(absl::StrCat("picture ", i, " has label ", label));
    }
  }
  return header;
}

}  // namespace squish
