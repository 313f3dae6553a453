// Which release this program is of. Programs of one major version work together; others refuse
// each other, naming both versions. Thread-safe.
#ifndef SQUISH_COMMON_BASE_VERSION_H_
#define SQUISH_COMMON_BASE_VERSION_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace squish {

// MAJOR.MINOR.PATCH, as CMake's project has it.
inline constexpr char kVersion[] = SQUISH_VERSION;

// OK when both begin with the same number. FAILED_PRECONDITION: they do not, or one of them
// begins with none; the message names both.
absl::Status CheckSameMajorVersion(absl::string_view ours, absl::string_view theirs);

}  // namespace squish

#endif  // SQUISH_COMMON_BASE_VERSION_H_
