// Whether an engine computes what a network computes: its outputs for the probe's pictures
// beside the network's own. Pure; thread-safe.
#ifndef SQUISH_JETSON_AGENT_MEASURE_OUTPUT_CHECK_H_
#define SQUISH_JETSON_AGENT_MEASURE_OUTPUT_CHECK_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "squish/v1/job.pb.h"

namespace squish {

// Logits by picture.
using Logits = std::vector<std::vector<double>>;

// What outputs may differ by, in units of the largest absolute value of the reference: 1e-3
// for "fp32", 5e-2 for every other precision.
double OutputTolerance(absl::string_view precision);

// AGREES: within the tolerance. DIFFERS: by more, by a number of outputs, or because one is
// not finite. PROVES_NOTHING: the reference is all zero, or differs so little from picture to
// picture that an engine that ignores its input would agree, too.
v1::OutputCheck CheckOutputs(absl::string_view precision, const Logits& outputs,
                             const Logits& reference);

v1::OutputCheck OutputsNotChecked(std::string why);

// What two checks say together: the worse of both outcomes with its note, in the order
// DIFFERS, NOT_CHECKED, PROVES_NOTHING, AGREES, and the larger difference.
v1::OutputCheck Worse(const v1::OutputCheck& one, const v1::OutputCheck& other);

// DIFFERS in words, as a rule that a measurement broke.
std::string BrokenOutputRule(const v1::OutputCheck& check);

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_MEASURE_OUTPUT_CHECK_H_
