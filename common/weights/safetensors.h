// The safetensors format (github.com/huggingface/safetensors): an 8-byte
// little-endian header length, a JSON header, then raw little-endian tensors.
//
// Files come from strangers, so reading trusts nothing: lengths, offsets, overlaps,
// gaps, shapes and products are checked before any is used. Nothing in the format
// can execute code. Pure functions; thread-safe.
#ifndef SQUISH_COMMON_WEIGHTS_SAFETENSORS_H_
#define SQUISH_COMMON_WEIGHTS_SAFETENSORS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace squish {

// One tensor inside a file: a view of the bytes that were parsed.
struct TensorView {
  std::string dtype;  // As in the file: "F32", "U8", "I32", …
  std::vector<int64_t> shape;
  absl::string_view bytes;  // Little-endian, row-major.
};

struct SafetensorsView {
  std::map<std::string, std::string> metadata;  // `__metadata__`.
  std::map<std::string, TensorView> tensors;    // Sorted by name.
};

// Parses `file`, whose bytes must outlive the view. INVALID_ARGUMENT says what is
// wrong and where: truncated, header over 16 MiB or no JSON object, unknown dtype,
// negative or overflowing shape, offsets that overlap, leave gaps, are out of range
// or disagree with shape and dtype, a name that occurs twice.
absl::StatusOr<SafetensorsView> ParseSafetensors(absl::string_view file);

// The canonical file: metadata and tensors sorted by name, header padded with
// spaces to a multiple of 8. Equal content gives equal bytes. Sizes must agree with
// dtypes and shapes. What is not UTF-8 in a text is written as U+FFFD.
std::string SerializeSafetensors(const std::map<std::string, std::string>& metadata,
                                 const std::map<std::string, TensorView>& tensors);

}  // namespace squish

#endif  // SQUISH_COMMON_WEIGHTS_SAFETENSORS_H_
