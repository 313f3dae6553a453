// The calibration of κ. Pure; thread-safe; bit-exact.
#ifndef SQUISH_WORKER_SYNTHESIS_BUDGET_H_
#define SQUISH_WORKER_SYNTHESIS_BUDGET_H_

#include <vector>

#include "absl/status/statusor.h"
#include "common/genome/genome.h"
#include "squish/v1/experiment.pb.h"
#include "worker/synthesis/survival.h"

namespace squish {

// How the groups of a genome are sampled under R, and what is expected of it.
struct Environment {
  double kappa = 0;
  double expected_budget = 0;    // E[B(child)]
  std::vector<GroupPlan> plans;  // One a group, under κ.
};

// What a genome costs under the plans, one a group, in the genome's group order:
// E[B(child)]. Layers are drawn independently, so expectations multiply; floors and
// multiples are taken into account exactly. INVALID_ARGUMENT: plans of another genome, or
// pictures that are too small for it.
absl::StatusOr<double> ExpectedBudget(const Genome& genome, const std::vector<GroupPlan>& plans,
                                      v1::EnvironmentSpec::Resource resource, int input_size);

// What a child costs that keeps `kept[g]` filters of each group g. As ExpectedBudget.
absl::StatusOr<double> BudgetOfKept(const Genome& genome, const std::vector<int>& kept,
                                    v1::EnvironmentSpec::Resource resource, int input_size);

// How many filters each group keeps at least: all where none may go.
std::vector<int> FloorsOf(const Genome& genome, int minimum_filters);

// LITERAL: κ = R. As ExpectedBudget.
absl::StatusOr<Environment> LiteralEnvironment(const Genome& genome,
                                               const std::vector<GroupOdds>& odds,
                                               double resource_factor,
                                               v1::EnvironmentSpec::Resource resource,
                                               int input_size);

// BUDGET: κ is bisected in log space until E[B(child)] = `target`. A parent that is
// within the target already keeps everything. FAILED_PRECONDITION: the floors alone are
// above the target. As ExpectedBudget.
absl::StatusOr<Environment> BudgetEnvironment(const Genome& genome,
                                              const std::vector<GroupOdds>& odds, double target,
                                              v1::EnvironmentSpec::Resource resource,
                                              int input_size);

// The error that BudgetEnvironment and greedy pruning give when the floors are above B_g.
absl::Status UnreachableBudget(double target, double floors,
                               v1::EnvironmentSpec::Resource resource);

}  // namespace squish

#endif  // SQUISH_WORKER_SYNTHESIS_BUDGET_H_
