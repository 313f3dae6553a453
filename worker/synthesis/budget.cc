#include "worker/synthesis/budget.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/exact_math.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

constexpr double kLn2 = 0.693147180559945309417;

// At or below 2^-33 every P is 2^-32, its least.
constexpr double kLeastLogProbability = -33 * kLn2;

// Halvings of an interval of a few hundred at most: the last of them is below the last bit of
// log κ.
constexpr int kBisections = 53;

// E[SurvivorCount(n)], n being the Poisson-binomial number of drawn clusters:
// Σ P_c, corrected where a floor or a multiple makes the count another one.
double ExpectedSurvivors(const GroupPlan& plan) {
  const int clusters = static_cast<int>(plan.probabilities.size());
  Probability sum = 0;
  for (const Probability p : plan.probabilities) sum += p;
  double expected = static_cast<double>(sum) * 0x1p-32;

  // P(n = k) for the k that may be corrected, a cluster at a time.
  const int states = plan.multiple == 1 ? std::min(plan.floor, clusters + 1) : clusters + 1;
  std::vector<double> chance(states, 0.0);
  if (states > 0) chance[0] = 1.0;
  for (const Probability probability : plan.probabilities) {
    const double p = static_cast<double>(probability) * 0x1p-32;
    for (int k = states - 1; k > 0; --k) chance[k] = chance[k] * (1.0 - p) + chance[k - 1] * p;
    if (states > 0) chance[0] *= 1.0 - p;
  }
  for (int k = 0; k < states; ++k) {
    expected += chance[k] * (SurvivorCount(k, clusters, plan) - k);
  }
  return expected;
}

absl::Status CheckPlans(const Genome& genome, const std::vector<GroupPlan>& plans) {
  if (plans.size() != genome.groups().size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(plans.size(), " plans for ", genome.groups().size(), " groups of filters"));
  }
  for (size_t g = 0; g < plans.size(); ++g) {
    const int layer = genome.groups()[g].layers.front();
    if (plans[g].probabilities.size() != genome.conv(layer).lineage.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("layer ", genome.layer(layer).name, ": ", plans[g].probabilities.size(),
                       " probabilities for ", genome.conv(layer).filters(), " filters"));
    }
  }
  return absl::OkStatus();
}

std::vector<GroupPlan> UnderKappa(const std::vector<GroupOdds>& odds, double log_kappa) {
  std::vector<GroupPlan> plans;
  for (const GroupOdds& group : odds) plans.push_back(UnderEnvironment(group, log_kappa));
  return plans;
}

// What remains when nothing is drawn.
std::vector<GroupPlan> FloorsOnly(const std::vector<GroupOdds>& odds) {
  std::vector<GroupPlan> plans = UnderKappa(odds, 0);
  for (size_t g = 0; g < plans.size(); ++g) {
    if (odds[g].prunable) plans[g].probabilities.assign(plans[g].probabilities.size(), 0);
  }
  return plans;
}

// ln κ up to which everything is as unlikely as can be.
double LeastLogKappa(const std::vector<GroupOdds>& odds) {
  double largest = 0;
  for (const GroupOdds& group : odds) {
    for (const double log : group.log_probabilities) largest = std::max(largest, log);
  }
  return kLeastLogProbability - largest;
}

// ln κ from which on everything is certain.
double LargestLogKappa(const std::vector<GroupOdds>& odds) {
  double largest = 0;
  for (const GroupOdds& group : odds) {
    if (!group.prunable) continue;
    for (const double log : group.log_probabilities) largest = std::max(largest, -log);
  }
  return largest;
}

absl::StatusOr<Environment> At(const Genome& genome, const std::vector<GroupOdds>& odds,
                               double log_kappa, const Prices& prices) {
  Environment environment;
  environment.kappa = ExactExp(log_kappa);
  environment.plans = UnderKappa(odds, log_kappa);
  SQUISH_ASSIGN_OR_RETURN(environment.expected_budget,
                          ExpectedBudget(genome, environment.plans, prices));
  return environment;
}

}  // namespace

absl::StatusOr<double> ExpectedBudget(const Genome& genome, const std::vector<GroupPlan>& plans,
                                      const Prices& prices) {
  SQUISH_RETURN_IF_ERROR(CheckPlans(genome, plans));
  std::vector<double> survivors;
  for (const GroupPlan& plan : plans) survivors.push_back(ExpectedSurvivors(plan));
  return PriceOf(genome, prices, survivors);
}

std::vector<int> FloorsOf(const Genome& genome, int minimum_filters) {
  std::vector<int> floors;
  for (const FilterGroup& group : genome.groups()) {
    const int filters = genome.conv(group.layers.front()).filters();
    floors.push_back(group.prunable ? std::min(minimum_filters, filters) : filters);
  }
  return floors;
}

absl::Status UnreachableBudget(const BudgetLimit& limit, double floors) {
  const bool is_time = limit.prices.resource == v1::EnvironmentSpec::TIME;
  const bool is_macs = limit.prices.resource == v1::EnvironmentSpec::MACS;
  return absl::FailedPreconditionError(absl::StrFormat(
      "a budget of %.*f %s cannot be reached: the layers' minimum filters alone make %.*f; "
      "lower minimum_filters or raise resource_factor",
      is_time ? 3 : 0, limit.target, is_time ? "ms" : is_macs ? "MACs" : "parameters",
      is_time ? 3 : 0, floors));
}

absl::StatusOr<Environment> LiteralEnvironment(const Genome& genome,
                                               const std::vector<GroupOdds>& odds,
                                               double resource_factor, const Prices& prices) {
  SQUISH_ASSIGN_OR_RETURN(Environment environment,
                          At(genome, odds, ExactLog(resource_factor), prices));
  environment.kappa = resource_factor;
  return environment;
}

absl::StatusOr<Environment> BudgetEnvironment(const Genome& genome,
                                              const std::vector<GroupOdds>& odds,
                                              const BudgetLimit& limit) {
  SQUISH_ASSIGN_OR_RETURN(const double floors,
                          ExpectedBudget(genome, FloorsOnly(odds), limit.prices));
  if (floors > limit.target) return UnreachableBudget(limit, floors);
  double low = LeastLogKappa(odds), high = LargestLogKappa(odds);
  SQUISH_ASSIGN_OR_RETURN(Environment best, At(genome, odds, high, limit.prices));
  if (best.expected_budget <= limit.target) return best;
  for (int i = 0; i < kBisections; ++i) {
    const double middle = low + 0.5 * (high - low);
    SQUISH_ASSIGN_OR_RETURN(Environment environment, At(genome, odds, middle, limit.prices));
    if (environment.expected_budget < limit.target) {
      low = middle;
    } else {
      high = middle;
      best = std::move(environment);
    }
  }
  return best;
}

}  // namespace squish
