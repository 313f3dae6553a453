// `squishctl branch` and `continue`: a new experiment that goes on from an individual.
#ifndef SQUISH_CTL_BRANCH_COMMAND_H_
#define SQUISH_CTL_BRANCH_COMMAND_H_

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ctl/coordinator_client.h"

namespace squish {

// What the branch does otherwise than the experiment it comes from; absent: as that.
struct BranchChanges {
  std::optional<std::string> name;
  std::optional<uint64_t> seed;
  std::optional<int> generations;
  std::optional<double> resource_factor;
  std::optional<double> max_megabytes;  // Takes the place of every constraint of its kind.
  std::optional<double> min_ratio;      // Likewise.
};

// "3:1". INVALID_ARGUMENT: it is no name of an individual.
absl::StatusOr<v1::IndividualName> ParseIndividualName(absl::string_view text);

// The spec of `origin` made a branch from its individual; without one from the best that
// the coordinator selected last. Pure.
v1::ExperimentSpec BranchSpec(const v1::Experiment& origin,
                              const std::optional<v1::IndividualName>& individual,
                              const BranchChanges& changes);

// Submits the branch and prints its id. `individual` may be empty, as for BranchSpec.
absl::Status BranchCommand(CoordinatorClient& client, const std::string& id,
                           const std::string& individual, const BranchChanges& changes,
                           std::ostream& out);

}  // namespace squish

#endif  // SQUISH_CTL_BRANCH_COMMAND_H_
