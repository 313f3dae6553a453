// The calibration of κ. Pure; thread-safe; bit-exact.
#ifndef SQUISH_WORKER_SYNTHESIS_BUDGET_H_
#define SQUISH_WORKER_SYNTHESIS_BUDGET_H_

#include <vector>

#include "absl/status/statusor.h"
#include "common/genome/genome.h"
#include "worker/synthesis/prices.h"
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
// multiples are taken into account exactly. INVALID_ARGUMENT: plans of another genome.
absl::StatusOr<double> ExpectedBudget(const Genome& genome, const std::vector<GroupPlan>& plans,
                                      const Prices& prices);

// How many filters each group keeps at least: all where none may go.
std::vector<int> FloorsOf(const Genome& genome, int minimum_filters);

// LITERAL: κ = R. As ExpectedBudget.
absl::StatusOr<Environment> LiteralEnvironment(const Genome& genome,
                                               const std::vector<GroupOdds>& odds,
                                               double resource_factor, const Prices& prices);

// What a child is to cost at most, B_g, and by which prices.
struct BudgetLimit {
  double target = 0;
  Prices prices;
};

// BUDGET: κ is bisected in log space until E[B(child)] = B_g. A parent that is within it
// already keeps everything. FAILED_PRECONDITION: the floors alone are above it. As
// ExpectedBudget.
absl::StatusOr<Environment> BudgetEnvironment(const Genome& genome,
                                              const std::vector<GroupOdds>& odds,
                                              const BudgetLimit& limit);

// The error that BudgetEnvironment and greedy pruning give when the floors are above B_g.
absl::Status UnreachableBudget(const BudgetLimit& limit, double floors);

}  // namespace squish

#endif  // SQUISH_WORKER_SYNTHESIS_BUDGET_H_
