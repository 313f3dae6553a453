// Small helpers around absl::Status.
#ifndef SQUISH_COMMON_BASE_STATUS_H_
#define SQUISH_COMMON_BASE_STATUS_H_

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace squish {

// The same code, with "context: " in front of the message. OK stays OK.
inline absl::Status Annotate(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(context, ": ", status.message()));
}

}  // namespace squish

#endif  // SQUISH_COMMON_BASE_STATUS_H_
