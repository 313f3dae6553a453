// The calibration of κ. Pure; thread-safe; bit-exact.
#ifndef SQUISH_WORKER_SYNTHESIS_BUDGET_H_
#define SQUISH_WORKER_SYNTHESIS_BUDGET_H_

#include <vector>

#include "absl/status/statusor.h"
#include "worker/synthesis/synthesis.h"

namespace squish {

// How the groups of a genome are sampled under R, and what is expected of it.
struct Environment {
  double kappa = 0;
  double expected_budget = 0;    // E[B(child)]
  std::vector<GroupPlan> plans;  // One a group, under κ.
};

// `plans` hold P(s_c = 1 | W), before the environment; unprunable groups are left as
// they are. LITERAL: κ = R.
absl::StatusOr<Environment> LiteralEnvironment(const Genome& genome,
                                               const std::vector<GroupPlan>& plans,
                                               double resource_factor,
                                               v1::EnvironmentSpec::Resource resource,
                                               int input_size);

// BUDGET: κ is bisected in log space until E[B(child)] = `target`. A parent that is
// within the target already keeps everything that can be kept. FAILED_PRECONDITION:
// the floors alone are above the target.
absl::StatusOr<Environment> BudgetEnvironment(const Genome& genome,
                                              const std::vector<GroupPlan>& plans, double target,
                                              v1::EnvironmentSpec::Resource resource,
                                              int input_size);

}  // namespace squish

#endif  // SQUISH_WORKER_SYNTHESIS_BUDGET_H_
