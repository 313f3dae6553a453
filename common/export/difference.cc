#include "common/export/difference.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/export/reference.h"

namespace squish {
namespace {

absl::Status CheckDifference(const v1::ExportedFile& file, int size, double difference) {
  if (difference >= 0 && difference <= kMaximumDifference) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(file.name(), ": its outputs for pictures of ", size, "×", size, ", computed by ",
                   file.checked_with(), ", differ from the network's by ", difference,
                   " of the largest; at most ", kMaximumDifference, " is allowed"));
}

}  // namespace

double LargestDifference(absl::Span<const float> outputs, absl::Span<const float> reference) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  if (outputs.size() != reference.size()) return kInfinite;
  double largest_difference = 0;
  double largest_value = 0;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!std::isfinite(outputs[i]) || !std::isfinite(reference[i])) return kInfinite;
    const double value = reference[i];
    largest_difference = std::max(largest_difference, std::abs(outputs[i] - value));
    largest_value = std::max(largest_value, std::abs(value));
  }
  if (largest_difference == 0) return 0;
  return largest_value == 0 ? kInfinite : largest_difference / largest_value;
}

absl::Status CheckDifferences(const v1::ExportedFile& file, int input_size) {
  SQUISH_RETURN_IF_ERROR(CheckDifference(file, input_size, file.difference()));
  return CheckDifference(file, kSecondReferenceSize, file.difference_at_100());
}

}  // namespace squish
