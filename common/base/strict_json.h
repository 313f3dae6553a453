// JSON from strangers: what nlohmann::json accepts, less what makes it ambiguous or
// expensive. Pure; thread-safe.
#ifndef SQUISH_COMMON_BASE_STRICT_JSON_H_
#define SQUISH_COMMON_BASE_STRICT_JSON_H_

#include <cstddef>
#include <nlohmann/json_fwd.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace squish {

struct StrictJsonLimits {
  size_t maximum_bytes = size_t{1} << 20;
  int maximum_depth = 8;  // Of nested arrays and objects.
  size_t maximum_values = size_t{1} << 20;
};

// Parses one JSON text. INVALID_ARGUMENT, saying what and where: not JSON, not UTF-8,
// anything but white space behind the value, a key twice in one object, or over a
// limit. Limits are checked before anything is built.
absl::StatusOr<nlohmann::json> ParseStrictJson(absl::string_view text,
                                               const StrictJsonLimits& limits);

}  // namespace squish

#endif  // SQUISH_COMMON_BASE_STRICT_JSON_H_
