#include "coordinator/evolution/environment.h"

#include <algorithm>
#include <cmath>

#include "common/base/exact_math.h"
#include "common/spec/experiment_spec.h"

namespace squish {
namespace {

constexpr double kLeastElasticity = 0.25, kMostElasticity = 2;
constexpr double kBytesOfParameter = 4;  // fp32

double BudgetOf(const v1::ExperimentSpec& spec, const v1::Individual& individual) {
  if (spec.environment().resource() == v1::EnvironmentSpec::TIME) {
    double milliseconds = 0;
    for (const v1::LayerTime& time : individual.profile()) milliseconds += time.milliseconds();
    return milliseconds;
  }
  const bool counts_macs = spec.environment().resource() == v1::EnvironmentSpec::MACS;
  return static_cast<double>(counts_macs ? individual.macs() : individual.parameters());
}

// What the selected have reached, as means of logarithms.
struct Reached {
  double log_budget = 0;
  double log_ratio = 0;
  bool has_ratio = false;
};

Reached ReachedBy(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary) {
  Reached reached;
  int ratios = 0;
  for (const v1::Individual& parent : summary.parents()) {
    reached.log_budget += ExactLog(BudgetOf(spec, parent));
    if (!(parent.ratio_to_ancestor() > 0)) continue;
    reached.log_ratio += ExactLog(parent.ratio_to_ancestor());
    ++ratios;
  }
  reached.log_budget /= summary.parents_size();
  reached.has_ratio = ratios > 0;
  if (ratios > 0) reached.log_ratio /= ratios;
  return reached;
}

// ln(B_target / B).
double LogOfWhatIsLeft(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary,
                       const Reached& reached) {
  const v1::ClosedLoop& loop = spec.environment().closed_loop();
  if (loop.has_megabytes()) {
    return ExactLog(loop.megabytes() * 1e6 / kBytesOfParameter) - reached.log_budget;
  }
  // Nobody's speed is known: nothing tells how far to go.
  if (!reached.has_ratio) return 0;
  // A branch starts with a ratio of its own.
  const v1::Individual& first = summary.ancestor();
  const double gained =
      reached.log_ratio -
      (first.ratio_to_ancestor() > 0 ? ExactLog(first.ratio_to_ancestor()) : 0);
  const double lost = ExactLog(BudgetOf(spec, first)) - reached.log_budget;
  const double elasticity =
      lost > 0 ? std::clamp(gained / lost, kLeastElasticity, kMostElasticity) : 1;
  return (reached.log_ratio - ExactLog(loop.ratio_to_ancestor())) / elasticity;
}

NextEnvironment Closed(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary) {
  const Reached reached = ReachedBy(spec, summary);
  const int left = std::max(1, spec.generations() - summary.closed_generation());
  const double least = ExactLog(spec.environment().closed_loop().least_resource_factor());
  const double log_factor =
      std::clamp(LogOfWhatIsLeft(spec, summary, reached) / left, least, 0.0);
  return {ExactExp(log_factor), ExactExp(reached.log_budget + log_factor)};
}

}  // namespace

NextEnvironment EnvironmentAfter(const v1::ExperimentSpec& spec,
                                 const v1::EvolutionSummary& summary) {
  const v1::EnvironmentSpec& environment = spec.environment();
  const int generation = summary.closed_generation() + 1;
  if (environment.has_closed_loop() && !summary.parents().empty()) return Closed(spec, summary);
  NextEnvironment next;
  next.resource_factor = ResourceFactor(environment, generation, spec.generations());
  if (environment.calibration() == v1::EnvironmentSpec::BUDGET) {
    next.budget = TargetBudget(spec, BudgetOf(spec, summary.ancestor()), generation);
  }
  return next;
}

}  // namespace squish
