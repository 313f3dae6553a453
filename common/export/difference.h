// When two programs give the same network's outputs. Pure; thread-safe.
#ifndef SQUISH_COMMON_EXPORT_DIFFERENCE_H_
#define SQUISH_COMMON_EXPORT_DIFFERENCE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "squish/v1/experiment.pb.h"

namespace squish {

// What an exported file may differ by, in units of the network's largest absolute output.
constexpr double kMaximumDifference = 1e-4;

// The largest difference of `outputs` from `reference`, in units of the largest absolute
// value of `reference`; where that is 0, any difference is infinite. Infinite too when the
// two are not of one size or a value is not finite.
double LargestDifference(absl::Span<const float> outputs, absl::Span<const float> reference);

// Whether both differences of the file are at most kMaximumDifference. FAILED_PRECONDITION
// names the file, the size of the picture and the difference.
absl::Status CheckDifferences(const v1::ExportedFile& file, int input_size);

}  // namespace squish

#endif  // SQUISH_COMMON_EXPORT_DIFFERENCE_H_
