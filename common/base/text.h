// Small helpers for text. Pure.
#ifndef SQUISH_COMMON_BASE_TEXT_H_
#define SQUISH_COMMON_BASE_TEXT_H_

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

}  // namespace squish

#endif  // SQUISH_COMMON_BASE_TEXT_H_
