#include "common/dataset/cache_layout.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

constexpr absl::string_view kMagic = "SQUISHDS";
constexpr size_t kDigestPlace = 32;
constexpr size_t kHeaderBytes = 96;
constexpr size_t kEntryBytes = 78;  // Without its name.

std::string HeaderDigest(absl::string_view fixed, absl::string_view index) {
  Sha256 hash;
  hash.Update(fixed);
  hash.Update(index);
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

// Whether an entry is one of a cache with these classes, whose pictures end at `end`.
absl::Status CheckEntry(const CacheEntry& entry, size_t number, int classes, int64_t end) {
  if (entry.label >= classes) {
    return absl::DataLossError(absl::StrCat("picture ", number, " has label ", entry.label));
  }
  if (entry.side < 1 || entry.side > kMaximumImageSize || entry.place < kPicturesPlace ||
      entry.place > end - PictureBytes(entry.side)) {
    return absl::DataLossError(absl::StrCat("picture ", number, " lies outside of the file"));
  }
  return absl::OkStatus();
}

}  // namespace

Digest DigestOf(absl::string_view hex) {
  const std::string bytes = absl::HexStringToBytes(hex);
  Digest digest{};
  std::memcpy(digest.data(), bytes.data(), std::min(bytes.size(), digest.size()));
  return digest;
}

std::string HexOf(const Digest& digest) {
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

void AppendNumber(uint64_t value, int bytes, std::string* out) {
  for (int i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

uint64_t NumberAt(absl::string_view bytes, size_t place, int count) {
  uint64_t value = 0;
  for (int i = count - 1; i >= 0; --i) {
    value = value << 8 | static_cast<unsigned char>(bytes[place + i]);
  }
  return value;
}

void AppendEntry(const CacheEntry& entry, std::string* out) {
  const size_t name_bytes = std::min(entry.name.size(), kMaximumNameBytes);
  AppendNumber(static_cast<uint64_t>(entry.label), 2, out);
  AppendNumber(static_cast<uint64_t>(entry.side), 2, out);
  AppendNumber(static_cast<uint64_t>(entry.place), 8, out);
  out->append(reinterpret_cast<const char*>(entry.content.data()), entry.content.size());
  out->append(reinterpret_cast<const char*>(entry.pixels.data()), entry.pixels.size());
  AppendNumber(name_bytes, 2, out);
  out->append(entry.name, 0, name_bytes);
}

absl::StatusOr<CacheEntry> TakeEntry(absl::string_view* bytes) {
  if (bytes->size() < kEntryBytes) return absl::DataLossError("an entry is cut short");
  const uint64_t name_bytes = NumberAt(*bytes, 76, 2);
  if (name_bytes > bytes->size() - kEntryBytes) {
    return absl::DataLossError("an entry's name is cut short");
  }
  CacheEntry entry;
  entry.label = static_cast<int>(NumberAt(*bytes, 0, 2));
  entry.side = static_cast<int>(NumberAt(*bytes, 2, 2));
  entry.place = static_cast<int64_t>(NumberAt(*bytes, 4, 8));
  std::memcpy(entry.content.data(), bytes->data() + 12, entry.content.size());
  std::memcpy(entry.pixels.data(), bytes->data() + 44, entry.pixels.size());
  entry.name = std::string(bytes->substr(kEntryBytes, name_bytes));
  bytes->remove_prefix(kEntryBytes + name_bytes);
  return entry;
}

std::string EncodeCacheIndex(const v1::DatasetSummary& summary,
                             absl::Span<const CacheEntry> entries) {
  const std::string body = summary.SerializeAsString();
  std::string index;
  AppendNumber(body.size(), 4, &index);
  index += body;
  for (const CacheEntry& entry : entries) AppendEntry(entry, &index);
  return index;
}

std::string EncodeCacheHeader(int image_size, int64_t index_place, absl::string_view index) {
  std::string header(kMagic);
  AppendNumber(kCacheVersion, 4, &header);
  AppendNumber(static_cast<uint64_t>(image_size), 4, &header);
  AppendNumber(static_cast<uint64_t>(index_place), 8, &header);
  AppendNumber(index.size(), 8, &header);
  return absl::StrCat(header, HeaderDigest(header, index));
}

absl::StatusOr<CacheIndex> DecodeCacheIndex(absl::string_view file) {
  if (file.size() < kHeaderBytes || file.substr(0, kMagic.size()) != kMagic) {
    return absl::DataLossError("it is no data cache");
  }
  if (const uint64_t version = NumberAt(file, 8, 4); version != kCacheVersion) {
    return absl::DataLossError(
        absl::StrCat("it has version ", version, ", not ", kCacheVersion));
  }
  const uint64_t image_size = NumberAt(file, 12, 4);
  const uint64_t place = NumberAt(file, 16, 8), bytes = NumberAt(file, 24, 8);
  if (image_size < 1 || image_size > kMaximumImageSize || place < kPicturesPlace || bytes < 4) {
    return absl::DataLossError("its header is damaged");
  }
  if (place > file.size() || bytes != file.size() - place) {
    return absl::DataLossError(
        absl::StrCat("it has ", file.size(), " bytes and its header tells of others"));
  }
  const absl::string_view whole = file.substr(place);
  absl::string_view rest = whole;
  const uint64_t summary_bytes = NumberAt(rest, 0, 4);
  CacheIndex index;
  if (HeaderDigest(file.substr(0, kDigestPlace), whole) !=
          file.substr(kDigestPlace, kHeaderBytes - kDigestPlace) ||
      summary_bytes > rest.size() - 4 ||
      !index.summary.ParseFromArray(rest.data() + 4, static_cast<int>(summary_bytes))) {
    return absl::DataLossError("its header or index is damaged");
  }
  SQUISH_RETURN_IF_ERROR(CheckSummary(index.summary));
  index.image_size = static_cast<int>(image_size);
  rest.remove_prefix(4 + summary_bytes);
  while (!rest.empty()) {
    index.entries.push_back(rest.data() - file.data());
    SQUISH_ASSIGN_OR_RETURN(const CacheEntry entry, TakeEntry(&rest));
    SQUISH_RETURN_IF_ERROR(CheckEntry(entry, index.entries.size() - 1,
                                      index.summary.class_names_size(),
                                      static_cast<int64_t>(place)));
  }
  const int64_t count = int64_t{index.summary.train_images()} +
                        index.summary.selection_images() + index.summary.val_images();
  if (static_cast<int64_t>(index.entries.size()) != count) {
    return absl::DataLossError(absl::StrCat("it holds ", index.entries.size(), " pictures instead of ", count));
  }
  return index;
}

}  // namespace squish
