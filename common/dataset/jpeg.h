// JPEGs by libjpeg-turbo itself: as OpenCV decodes them, without its detour over BGR, and
// with an ear for what libjpeg says of damaged data.
#ifndef SQUISH_COMMON_DATASET_JPEG_H_
#define SQUISH_COMMON_DATASET_JPEG_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace squish {

// Decodes a JPEG of one or three components as RGB, at 1/`reduction` of its size (1, 2, 4 or
// 8; rounded up), not turned. `make_room` is told width and height once and answers with
// room for width·height·3 bytes. INVALID_ARGUMENT: it cannot be decoded, or only with
// parts of it made up. RESOURCE_EXHAUSTED: memory was short. What `make_room` throws goes
// through.
absl::Status DecodeJpeg(absl::string_view file, int reduction,
                        absl::FunctionRef<uint8_t*(int width, int height)> make_room);

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_JPEG_H_
