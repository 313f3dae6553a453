// Small helpers for text. Pure.
#ifndef SQUISH_COMMON_BASE_TEXT_H_
#define SQUISH_COMMON_BASE_TEXT_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace squish {

// The longest beginning of UTF-8 `text` of at most `maximum_bytes` that ends between
// two characters.
inline absl::string_view Utf8Prefix(absl::string_view text, size_t maximum_bytes) {
  if (text.size() <= maximum_bytes) return text;
  size_t end = maximum_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

// The length of the UTF-8 character that `text` begins with; 0: it begins with none.
inline size_t Utf8CharacterBytes(absl::string_view text) {
  if (text.empty()) return 0;
  const auto lead = static_cast<unsigned char>(text[0]);
  const size_t bytes = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3
                     : lead < 0xF5 ? 4 : 0;
  if (bytes == 0 || bytes > text.size()) return 0;
  for (size_t i = 1; i < bytes; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return 0;
  }
  const auto second = bytes > 1 ? static_cast<unsigned char>(text[1]) : 0;
  const bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
  const bool out_of_range = (lead == 0xED && second > 0x9F) || (lead == 0xF4 && second > 0x8F);
  return overlong || out_of_range ? 0 : bytes;
}

// Whether all of it is UTF-8. Protobuf sends other text, but nobody can read the message.
inline bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t bytes = Utf8CharacterBytes(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

}  // namespace squish

#endif  // SQUISH_COMMON_BASE_TEXT_H_
