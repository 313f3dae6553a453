#include "worker/synthesis/budget.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/exact_math.h"
#include "common/base/status_macros.h"
#include "common/genome/shapes.h"

namespace squish {
namespace {

constexpr double kLn2 = 0.693147180559945309417;

// With κ at or below 2^-33 every P is 2^-32, its least.
constexpr double kLeastLogKappa = -33 * kLn2;

// Halvings of an interval of at most 123: 123 · 2^-53 is below the last bit of log κ.
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
                               double log_kappa, v1::EnvironmentSpec::Resource resource,
                               int input_size) {
  Environment environment;
  environment.kappa = ExactExp(log_kappa);
  environment.plans = UnderKappa(odds, log_kappa);
  SQUISH_ASSIGN_OR_RETURN(environment.expected_budget,
                          ExpectedBudget(genome, environment.plans, resource, input_size));
  return environment;
}

}  // namespace

absl::StatusOr<double> ExpectedBudget(const Genome& genome, const std::vector<GroupPlan>& plans,
                                      v1::EnvironmentSpec::Resource resource, int input_size) {
  SQUISH_RETURN_IF_ERROR(CheckPlans(genome, plans));
  const bool count_macs = resource == v1::EnvironmentSpec::MACS;
  std::vector<Shape> shapes;
  if (count_macs) {
    SQUISH_ASSIGN_OR_RETURN(shapes, ComputeShapes(genome, input_size));
  }

  // Expected channels that leave each layer; convolutions first.
  std::vector<double> channels(genome.size(), 0.0);
  for (size_t g = 0; g < plans.size(); ++g) {
    const double survivors = ExpectedSurvivors(plans[g]);
    for (const int layer : genome.groups()[g].layers) channels[layer] = survivors;
  }
  double budget = 0.0;
  for (int l = 0; l < genome.size(); ++l) {
    const Layer& layer = genome.layer(l);
    double input_channels = 0.0;
    for (const int input : layer.inputs) input_channels += channels[input];
    if (const auto* conv = std::get_if<Conv2d>(&layer.operation)) {
      const double synapses = input_channels * conv->kernel * conv->kernel;
      budget += count_macs ? channels[l] * synapses * shapes[l].height * shapes[l].width
                           : channels[l] * (synapses + 1.0);
    } else if (const auto* picture = std::get_if<Input>(&layer.operation)) {
      channels[l] = picture->channels;
    } else {
      channels[l] = input_channels;
    }
  }
  return budget;
}

absl::StatusOr<double> BudgetOfKept(const Genome& genome, const std::vector<int>& kept,
                                    v1::EnvironmentSpec::Resource resource, int input_size) {
  std::vector<GroupPlan> plans;
  for (size_t g = 0; g < kept.size(); ++g) {
    const int filters = genome.conv(genome.groups()[g].layers.front()).filters();
    GroupPlan plan;
    plan.probabilities.assign(static_cast<size_t>(filters), 0);
    std::fill_n(plan.probabilities.begin(), kept[g], kCertain);
    plans.push_back(std::move(plan));
  }
  return ExpectedBudget(genome, plans, resource, input_size);
}

std::vector<int> FloorsOf(const Genome& genome, int minimum_filters) {
  std::vector<int> floors;
  for (const FilterGroup& group : genome.groups()) {
    const int filters = genome.conv(group.layers.front()).filters();
    floors.push_back(group.prunable ? std::min(minimum_filters, filters) : filters);
  }
  return floors;
}

absl::Status UnreachableBudget(double target, double floors,
                               v1::EnvironmentSpec::Resource resource) {
  return absl::FailedPreconditionError(absl::StrFormat(
      "a budget of %.0f %s cannot be reached: the layers' minimum filters alone make %.0f; "
      "lower minimum_filters or raise resource_factor",
      target, resource == v1::EnvironmentSpec::MACS ? "MACs" : "parameters", floors));
}

absl::StatusOr<Environment> LiteralEnvironment(const Genome& genome,
                                               const std::vector<GroupOdds>& odds,
                                               double resource_factor,
                                               v1::EnvironmentSpec::Resource resource,
                                               int input_size) {
  SQUISH_ASSIGN_OR_RETURN(
      Environment environment,
      At(genome, odds, ExactLog(resource_factor), resource, input_size));
  environment.kappa = resource_factor;
  return environment;
}

absl::StatusOr<Environment> BudgetEnvironment(const Genome& genome,
                                              const std::vector<GroupOdds>& odds, double target,
                                              v1::EnvironmentSpec::Resource resource,
                                              int input_size) {
  SQUISH_ASSIGN_OR_RETURN(const double floors,
                          ExpectedBudget(genome, FloorsOnly(odds), resource, input_size));
  if (floors > target) return UnreachableBudget(target, floors, resource);
  double low = kLeastLogKappa, high = LargestLogKappa(odds);
  SQUISH_ASSIGN_OR_RETURN(Environment best, At(genome, odds, high, resource, input_size));
  if (best.expected_budget <= target) return best;
  for (int i = 0; i < kBisections; ++i) {
    const double middle = low + 0.5 * (high - low);
    SQUISH_ASSIGN_OR_RETURN(Environment environment,
                            At(genome, odds, middle, resource, input_size));
    if (environment.expected_budget < target) {
      low = middle;
    } else {
      high = middle;
      best = std::move(environment);
    }
  }
  return best;
}

}  // namespace squish
