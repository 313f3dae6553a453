// The path of sizes that BUDGET fixes in advance, and whether the floors allow it.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/exact_math.h"
#include "common/base/status_macros.h"
#include "common/genome/cost.h"
#include "common/spec/experiment_spec.h"

namespace squish {
namespace {

constexpr double kBytesOfParameter = 4;  // fp32

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

absl::Status CheckSizePath(const v1::ExperimentSpec& spec, const Genome& ancestor) {
  if (spec.environment().calibration() != v1::EnvironmentSpec::BUDGET) return absl::OkStatus();
  // What floors take is not known before the ancestor is measured.
  if (spec.environment().resource() == v1::EnvironmentSpec::TIME) return absl::OkStatus();
  SQUISH_ASSIGN_OR_RETURN(const double start, Budget(spec, ancestor));
  SQUISH_ASSIGN_OR_RETURN(const Genome smallest_genome, SmallestGenome(ancestor, spec.synthesis()));
  SQUISH_ASSIGN_OR_RETURN(const double smallest, Budget(spec, smallest_genome));
  // What a ratio will take is not known before it is measured.
  if (spec.environment().closed_loop().has_ratio_to_ancestor()) return absl::OkStatus();
  for (int g = 1; g <= spec.generations(); ++g) {
    const double target = TargetBudget(spec, start, g);
    if (target >= smallest) continue;
    const absl::string_view unit =
        spec.environment().resource() == v1::EnvironmentSpec::MACS ? "MACs" : "parameters";
    return absl::InvalidArgumentError(absl::StrCat(
        "the size path cannot be walked: generation ", g, " should have ", std::floor(target), " ",
        unit, ", but with minimum_filters ", spec.synthesis().minimum_filters(),
        " a network keeps at least ", smallest,
        "; raise ", spec.environment().has_closed_loop() ? "the target" : "environment.resource_factor",
        ", or lower ", spec.environment().has_closed_loop() ? "" : "generations or ",
        "synthesis.minimum_filters"));
  }
  return absl::OkStatus();
}

}  // namespace squish
