#include "ctl/branch_command.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

// Replaces every constraint for which `is_such` holds by `constraint`.
template <typename IsSuch>
void Replace(v1::EnvironmentSpec& environment, const IsSuch& is_such, v1::Constraint constraint) {
  auto& constraints = *environment.mutable_constraints();
  constraints.erase(std::remove_if(constraints.begin(), constraints.end(), is_such),
                    constraints.end());
  *constraints.Add() = std::move(constraint);
}

}  // namespace

absl::StatusOr<v1::IndividualName> ParseIndividualName(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  v1::IndividualName name;
  int generation = 0, index = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &generation) ||
      !absl::SimpleAtoi(parts[1], &index) || generation < 0 || index < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", text, "' names no individual; write generation:index, e.g. 3:1"));
  }
  name.set_generation(generation);
  name.set_index(index);
  return name;
}

v1::ExperimentSpec BranchSpec(const v1::Experiment& origin,
                              const std::optional<v1::IndividualName>& individual,
                              const BranchChanges& changes) {
  v1::ExperimentSpec spec = origin.spec();
  v1::BranchPoint& branch = *spec.mutable_ancestor()->mutable_branch();
  branch.Clear();
  branch.set_experiment(origin.id());
  if (individual.has_value()) *branch.mutable_individual() = *individual;
  // The individual is trained already.
  spec.mutable_training()->mutable_ancestor()->set_epochs(0);
  if (changes.name.has_value()) spec.set_name(*changes.name);
  if (changes.seed.has_value()) spec.set_seed(*changes.seed);
  if (changes.generations.has_value()) spec.set_generations(*changes.generations);
  v1::EnvironmentSpec& environment = *spec.mutable_environment();
  if (changes.resource_factor.has_value()) {
    environment.set_resource_factor(*changes.resource_factor);
  }
  if (changes.max_megabytes.has_value()) {
    v1::Constraint constraint;
    constraint.set_max_megabytes(*changes.max_megabytes);
    Replace(environment, [](const auto& c) { return c.has_max_megabytes(); }, constraint);
  }
  if (changes.min_ratio.has_value()) {
    v1::Constraint constraint;
    constraint.set_min_ratio_to_ancestor(*changes.min_ratio);
    Replace(environment, [](const auto& c) { return c.has_min_ratio_to_ancestor(); }, constraint);
  }
  return spec;
}

absl::Status BranchCommand(CoordinatorClient& client, const std::string& id,
                           const std::string& individual, const BranchChanges& changes,
                           std::ostream& out) {
  SQUISH_ASSIGN_OR_RETURN(const v1::Experiment origin, client.Get(id));
  std::optional<v1::IndividualName> name;
  if (!individual.empty()) {
    SQUISH_ASSIGN_OR_RETURN(name, ParseIndividualName(individual));
  }
  SQUISH_ASSIGN_OR_RETURN(const v1::Experiment branch,
                          client.Submit(BranchSpec(origin, name, changes)));
  out << branch.id() << "\n";
  return absl::OkStatus();
}

}  // namespace squish
