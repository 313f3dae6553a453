// Reading and checking what a user wrote. Pure. An ExperimentSpec that passed here
// has every default filled in and every value in range; the coordinator need not look
// again. Workers check what a job carries of it, since that came over the network.
#ifndef SQUISH_COMMON_SPEC_EXPERIMENT_SPEC_H_
#define SQUISH_COMMON_SPEC_EXPERIMENT_SPEC_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/genome/genome.h"
#include "squish/v1/experiment.pb.h"

namespace squish {

// Parses protobuf text, fills in defaults and checks. `file` is only for messages.
// INVALID_ARGUMENT: "file:line:column: field: what is wrong and what to do", for
// syntax, unknown fields, missing fields and impossible values alike.
absl::StatusOr<v1::ExperimentSpec> ParseExperimentSpec(absl::string_view text,
                                                       absl::string_view file);

// The same checks for a spec that did not come as text: the message starts with the
// field's path. Idempotent: the result of a result is the same.
absl::StatusOr<v1::ExperimentSpec> CompleteExperimentSpec(v1::ExperimentSpec spec);

// Whether some resource is TIME, so that every individual needs a profile of its layers.
bool CountsTime(const v1::ExperimentSpec& spec);

// R of a generation from 1 on, where it is decided in advance.
double ResourceFactor(const v1::EnvironmentSpec& environment, int generation, int generations);

// B_g of generation 0..generations for a start of `ancestor_budget` (in
// environment.resource): B_0 · Π_{1<=i<=g} R_i. With a closed loop, whose R are decided on the way: as if
// all were the same and a network became faster as it becomes smaller.
double TargetBudget(const v1::ExperimentSpec& spec, double ancestor_budget, int generation);

// Whether the floors leave within reach from this ancestor: every generation's B_g, where it is
// known in advance; each of report_megabytes and max_megabytes; ratios, where speed is estimated.
// INVALID_ARGUMENT names what is not. A spec whose ancestor is a network file is checked with
// this once that file has been read; CompleteExperimentSpec does it for the others.
absl::Status CheckReach(const v1::ExperimentSpec& spec, const Genome& ancestor);

}  // namespace squish

#endif  // SQUISH_COMMON_SPEC_EXPERIMENT_SPEC_H_
