#include "common/base/version.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace squish {
namespace {

// -1: there is none.
int MajorOf(absl::string_view version) {
  int major = -1;
  return absl::SimpleAtoi(version.substr(0, version.find('.')), &major) ? major : -1;
}

}  // namespace

absl::Status CheckSameMajorVersion(absl::string_view ours, absl::string_view theirs) {
  if (MajorOf(ours) >= 0 && MajorOf(ours) == MajorOf(theirs)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("this coordinator is Squish ", ours, " and the program that calls it is Squish ",
                   theirs, "; use programs of one major version"));
}

}  // namespace squish
