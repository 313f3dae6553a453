#include "common/dataset/picture_header.h"

#include <cstdint>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

constexpr absl::string_view kJpegStart = "\xff\xd8\xff";
constexpr absl::string_view kPngStart("\x89PNG\r\n\x1a\n", 8);

// JPEG's markers, the second byte after 0xFF.
constexpr uint8_t kStuffed = 0x00, kTemporary = 0x01, kFirstRestart = 0xD0, kLastRestart = 0xD7;
constexpr uint8_t kEnd = 0xD9, kScan = 0xDA, kFill = 0xFF;

absl::Status Bad(absl::string_view what) { return absl::InvalidArgumentError(what); }
absl::Status CutShort() { return Bad("it is cut short"); }

uint32_t BigEndian(absl::string_view bytes, size_t place, int count) {
  uint32_t value = 0;
  for (int i = 0; i < count; ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes[place + i]);
  }
  return value;
}

// Whether the marker begins a frame: SOF0 to SOF15, without DHT, JPG and DAC among them.
bool IsFrame(uint8_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

// The place of the next marker's code, inside of a scan or outside; npos: there is none.
size_t FindMarker(absl::string_view file, size_t place) {
  while (place + 1 < file.size()) {
    const void* found = std::memchr(file.data() + place, 0xFF, file.size() - 1 - place);
    if (found == nullptr) return absl::string_view::npos;
    place = static_cast<size_t>(static_cast<const char*>(found) - file.data()) + 1;
    const auto code = static_cast<uint8_t>(file[place]);
    const bool in_scan = code == kStuffed || (code >= kFirstRestart && code <= kLastRestart);
    if (!in_scan && code != kFill && code != kTemporary) return place;
    if (code != kFill) ++place;  // A run of 0xFF fills up: the last of it counts.
  }
  return absl::string_view::npos;
}

// Walks over all markers to the end, which must be there.
absl::StatusOr<PictureHeader> ReadJpeg(absl::string_view file) {
  PictureHeader header;
  bool has_scan = false;
  for (size_t place = FindMarker(file, 2); place != absl::string_view::npos;
       place = FindMarker(file, place)) {
    const auto code = static_cast<uint8_t>(file[place++]);
    if (code == kEnd) {
      if (header.width == 0 || !has_scan) return Bad("it is a JPEG without a picture");
      return header;
    }
    if (file.size() - place < 2) return CutShort();
    const size_t length = BigEndian(file, place, 2);
    if (length < 2) return Bad("it is a damaged JPEG");
    if (length > file.size() - place) return CutShort();
    if (IsFrame(code) && header.width == 0) {
      if (length < 8) return Bad("it is a damaged JPEG");
      header.height = static_cast<int>(BigEndian(file, place + 3, 2));
      header.width = static_cast<int>(BigEndian(file, place + 5, 2));
      if (header.width == 0 || header.height == 0) return Bad("it is a damaged JPEG");
    }
    has_scan = has_scan || code == kScan;
    place += length;
  }
  return CutShort();
}

absl::StatusOr<PictureHeader> ReadPng(absl::string_view file) {
  if (file.size() < 33) return CutShort();
  const uint32_t width = BigEndian(file, 16, 4), height = BigEndian(file, 20, 4);
  if (BigEndian(file, 8, 4) != 13 || file.substr(12, 4) != "IHDR" || width == 0 || height == 0) {
    return Bad("it is a damaged PNG");
  }
  constexpr uint32_t kHuge = 1u << 30;
  return PictureHeader{PictureHeader::kPng, static_cast<int>(width < kHuge ? width : kHuge),
                       static_cast<int>(height < kHuge ? height : kHuge)};
}

}  // namespace

absl::StatusOr<PictureHeader> ReadPictureHeader(absl::string_view file) {
  if (file.empty()) return Bad("it is empty");
  const bool jpeg = absl::StartsWith(file, kJpegStart);
  if (!jpeg && !absl::StartsWith(file, kPngStart)) return Bad("it is neither JPEG nor PNG");
  SQUISH_ASSIGN_OR_RETURN(const PictureHeader header, jpeg ? ReadJpeg(file) : ReadPng(file));
  if (header.width > kMaximumPictureSide || header.height > kMaximumPictureSide ||
      int64_t{header.width} * header.height > kMaximumPicturePixels) {
    return Bad(absl::StrCat("it has ", header.width, " x ", header.height, " pixels; at most ",
                            kMaximumPictureSide, " a side and ", kMaximumPicturePixels,
                            " in all are read"));
  }
  return header;
}

}  // namespace squish
