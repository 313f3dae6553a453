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
constexpr uint8_t kExif = 0xE1;  // APP1.
constexpr absl::string_view kExifStart("Exif\0\0", 6);

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

// The orientation in an EXIF segment, which is a TIFF file without a picture; 1 where it
// has none or makes no sense.
int OrientationOf(absl::string_view tiff) {
  constexpr uint32_t kOrientationTag = 0x0112;
  constexpr size_t kEntryBytes = 12;
  if (tiff.size() < 8) return 1;
  const bool big = tiff[0] == 'M';
  const auto number = [tiff, big](size_t place, int count) {
    uint32_t value = 0;
    for (int i = 0; i < count; ++i) {
      const size_t at = place + static_cast<size_t>(big ? i : count - 1 - i);
      value = value << 8 | static_cast<unsigned char>(tiff[at]);
    }
    return value;
  };
  const size_t folder = number(4, 4);
  if (folder > tiff.size() - 2) return 1;
  const size_t entries = number(folder, 2);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = folder + 2 + i * kEntryBytes;
    if (entry + kEntryBytes > tiff.size()) return 1;
    if (number(entry, 2) != kOrientationTag) continue;
    const uint32_t orientation = number(entry + 8, 2);
    return orientation >= 1 && orientation <= 8 ? static_cast<int>(orientation) : 1;
  }
  return 1;
}

// Walks over all markers to the end, which must be there.
absl::StatusOr<PictureHeader> ReadJpeg(absl::string_view file) {
  PictureHeader header;
  int scans = 0;
  bool has_exif = false;
  for (size_t place = FindMarker(file, 2); place != absl::string_view::npos;
       place = FindMarker(file, place)) {
    const auto code = static_cast<uint8_t>(file[place++]);
    if (code == kEnd) {
      if (header.width == 0 || scans == 0) return Bad("it is a JPEG without a picture");
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
      header.components = static_cast<int>(BigEndian(file, place + 7, 1));
      if (header.width == 0 || header.height == 0) return Bad("it is a damaged JPEG");
    }
    const absl::string_view body = file.substr(place + 2, length - 2);
    if (code == kExif && !has_exif && absl::StartsWith(body, kExifStart)) {
      has_exif = true;
      header.orientation = OrientationOf(body.substr(kExifStart.size()));
    }
    if (code == kScan && ++scans > kMaximumScans) {
      return Bad(absl::StrCat("it has more than ", kMaximumScans, " scans"));
    }
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
  PictureHeader header;
  header.format = PictureHeader::kPng;
  header.width = static_cast<int>(width < kHuge ? width : kHuge);
  header.height = static_cast<int>(height < kHuge ? height : kHuge);
  return header;
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
