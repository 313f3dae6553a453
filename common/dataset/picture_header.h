// What a JPEG or PNG file says of itself, read without decoding it, so that one which
// would fill the memory is turned away first. Pure; any bytes may be given.
#ifndef SQUISH_COMMON_DATASET_PICTURE_HEADER_H_
#define SQUISH_COMMON_DATASET_PICTURE_HEADER_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace squish {

constexpr int kMaximumPictureSide = 32'768;
constexpr int64_t kMaximumPicturePixels = int64_t{64} << 20;
// Of a JPEG. Each scan goes over the whole picture; encoders make about ten.
constexpr int kMaximumScans = 100;

struct PictureHeader {
  enum Format { kJpeg, kPng };
  Format format = kJpeg;
  int width = 0, height = 0;  // As stored: before an EXIF orientation is applied.
  int components = 0;         // Of a JPEG: 1 is grey, 3 colour, 4 for printing.
  int orientation = 1;        // Of a JPEG, by EXIF: 1 (upright) to 8.
};

// By content: names do not count. INVALID_ARGUMENT says what is wrong with the picture
// ("it is neither JPEG nor PNG"): also where it is larger than the limits above, and
// where it is cut short: a JPEG without its end, which decoders would fill up with grey.
absl::StatusOr<PictureHeader> ReadPictureHeader(absl::string_view file);

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_PICTURE_HEADER_H_
