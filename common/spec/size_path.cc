// The path of sizes that BUDGET fixes in advance.
#include <algorithm>

#include "common/base/exact_math.h"
#include "common/spec/experiment_spec.h"

namespace squish {
namespace {

constexpr double kBytesOfParameter = 4;  // fp32

}  // namespace

bool CountsTime(const v1::ExperimentSpec& spec) {
  return spec.environment().resource() == v1::EnvironmentSpec::TIME ||
         (spec.synthesis().has_multipliers() &&
          spec.synthesis().multipliers().share() == v1::EnvironmentSpec::TIME);
}

double ResourceFactor(const v1::EnvironmentSpec& environment, int generation, int generations) {
  const double first = environment.resource_factor();
  const double last = environment.final_resource_factor();
  if (last == first || generation <= 1) return first;
  if (generation >= generations) return last;
  const double progress = static_cast<double>(generation - 1) / (generations - 1);
  return first * ExactExp(progress * ExactLog(last / first));
}

double TargetBudget(const v1::ExperimentSpec& spec, double ancestor_budget, int generation) {
  const v1::EnvironmentSpec& environment = spec.environment();
  if (environment.has_closed_loop()) {
    const v1::ClosedLoop& loop = environment.closed_loop();
    const double last = loop.has_megabytes() ? loop.megabytes() * 1e6 / kBytesOfParameter
                                             : ancestor_budget / loop.ratio_to_ancestor();
    const double progress = static_cast<double>(generation) / std::max(1, spec.generations());
    return ancestor_budget *
           ExactExp(progress * std::min(0.0, ExactLog(last / ancestor_budget)));
  }
  // A product in a fixed order, not a power: the same bits on every machine.
  double budget = ancestor_budget;
  for (int i = 1; i <= generation; ++i) {
    budget *= ResourceFactor(environment, i, spec.generations());
  }
  return budget;
}

}  // namespace squish
