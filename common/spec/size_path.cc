// The path of sizes that BUDGET fixes in advance, and whether the floors allow it.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/genome/cost.h"
#include "common/spec/experiment_spec.h"

namespace squish {
namespace {

// The smallest genome that synthesis can reach: every prunable layer at its floor,
// or at its own count where that is less.
absl::StatusOr<Genome> SmallestGenome(const Genome& ancestor, const v1::SynthesisSpec& synthesis) {
  std::vector<std::vector<int>> keep(ancestor.size());
  for (const FilterGroup& group : ancestor.groups()) {
    if (!group.prunable) continue;
    for (const int layer : group.layers) {
      const int filters = ancestor.conv(layer).filters();
      keep[layer].resize(std::min(filters, std::max(synthesis.minimum_filters(), 1)));
      std::iota(keep[layer].begin(), keep[layer].end(), 0);
    }
  }
  return ancestor.Prune(keep);
}

absl::StatusOr<double> Budget(const v1::ExperimentSpec& spec, const Genome& genome) {
  SQUISH_ASSIGN_OR_RETURN(const Cost cost, ComputeCost(genome, spec.measurement().input_size()));
  return static_cast<double>(spec.environment().resource() == v1::EnvironmentSpec::MACS
                                 ? cost.macs
                                 : cost.parameters);
}

}  // namespace

double TargetBudget(const v1::ExperimentSpec& spec, double ancestor_budget, int generation) {
  // A product in a fixed order, not a power: the same bits on every machine.
  double budget = ancestor_budget;
  for (int i = 1; i <= generation; ++i) budget *= spec.environment().resource_factor();
  return budget;
}

absl::Status CheckSizePath(const v1::ExperimentSpec& spec, const Genome& ancestor) {
  if (spec.environment().calibration() != v1::EnvironmentSpec::BUDGET) return absl::OkStatus();
  SQUISH_ASSIGN_OR_RETURN(const double start, Budget(spec, ancestor));
  SQUISH_ASSIGN_OR_RETURN(const Genome smallest_genome, SmallestGenome(ancestor, spec.synthesis()));
  SQUISH_ASSIGN_OR_RETURN(const double smallest, Budget(spec, smallest_genome));
  for (int g = 1; g <= spec.generations(); ++g) {
    const double target = TargetBudget(spec, start, g);
    if (target >= smallest) continue;
    const absl::string_view unit =
        spec.environment().resource() == v1::EnvironmentSpec::MACS ? "MACs" : "parameters";
    return absl::InvalidArgumentError(absl::StrCat(
        "the size path cannot be walked: generation ", g, " should have ", std::floor(target), " ",
        unit, ", but with minimum_filters ", spec.synthesis().minimum_filters(),
        " a network keeps at least ", smallest,
        "; raise environment.resource_factor, or lower generations or synthesis.minimum_filters"));
  }
  return absl::OkStatus();
}

}  // namespace squish
