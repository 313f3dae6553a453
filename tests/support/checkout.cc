#include "tests/support/checkout.h"

#include "absl/strings/str_cat.h"

namespace squish {

std::string ProgramFolder() { return SQUISH_BUILD_DIR "/bin"; }

std::string ProgramPath(absl::string_view name) { return absl::StrCat(ProgramFolder(), "/", name); }

std::string TestProgramPath(absl::string_view name) {
  return absl::StrCat(SQUISH_BUILD_DIR "/tests/", name);
}

std::string SourcePath(absl::string_view path) { return absl::StrCat(SQUISH_SOURCE_DIR "/", path); }

}  // namespace squish
