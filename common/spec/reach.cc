// Whether what a spec aims at lies beyond the smallest network that the floors allow.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/genome/cost.h"
#include "common/spec/checks.h"
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

// From the first network to the smallest.
class Reach {
 public:
  static absl::StatusOr<Reach> Of(const v1::ExperimentSpec& spec, const Genome& ancestor) {
    const int size = spec.measurement().input_size();
    SQUISH_ASSIGN_OR_RETURN(const Cost first, ComputeCost(ancestor, size));
    SQUISH_ASSIGN_OR_RETURN(const Genome genome, SmallestGenome(ancestor, spec.synthesis()));
    SQUISH_ASSIGN_OR_RETURN(const Cost smallest, ComputeCost(genome, size));
    return Reach(spec, first, smallest);
  }

  std::optional<SpecProblem> FindProblem() const {
    if (auto problem = FindGeneration()) return problem;
    if (auto problem = FindSize()) return problem;
    return FindRatio();
  }

 private:
  Reach(const v1::ExperimentSpec& spec, const Cost& first, const Cost& smallest)
      : spec_(spec), first_(first), smallest_(smallest) {}

  std::string Floors() const {
    return absl::StrCat("with minimum_filters ", spec_.synthesis().minimum_filters());
  }

  // Of the path of sizes, where it is known in advance: not of what the ancestor's measurement
  // will tell (TIME), nor of where a ratio will lead.
  std::optional<SpecProblem> FindGeneration() const {
    const v1::EnvironmentSpec& environment = spec_.environment();
    const bool closed = environment.has_closed_loop();
    if (environment.calibration() != v1::EnvironmentSpec::BUDGET ||
        environment.resource() == v1::EnvironmentSpec::TIME ||
        environment.closed_loop().has_ratio_to_ancestor()) {
      return std::nullopt;
    }
    const bool macs = environment.resource() == v1::EnvironmentSpec::MACS;
    const int64_t start = macs ? first_.macs : first_.parameters;
    const int64_t least = macs ? smallest_.macs : smallest_.parameters;
    for (int g = 1; g <= spec_.generations(); ++g) {
      const double target = TargetBudget(spec_, static_cast<double>(start), g);
      if (target >= static_cast<double>(least)) continue;
      return SpecProblem{
          closed ? "environment.closed_loop.megabytes" : "environment.resource_factor",
          absl::StrCat("the size path cannot be walked: generation ", g, " should have ",
                       std::floor(target), macs ? " MACs" : " parameters", ", but ", Floors(),
                       " a network keeps at least ", least, "; raise ",
                       closed ? "the target" : "environment.resource_factor", ", or lower ",
                       closed ? "" : "generations or ", "synthesis.minimum_filters")};
    }
    return std::nullopt;
  }

  std::optional<SpecProblem> FindSize() const {
    const auto too_small = [this](double megabytes, std::string field) {
      const double least = static_cast<double>(smallest_.bytes) / 1e6;
      if (megabytes >= least) return std::optional<SpecProblem>();
      return std::make_optional(SpecProblem{
          std::move(field),
          absl::StrCat("asks for ", megabytes, " MB, but ", Floors(), " a network has at least ",
                       least, "; ask for more, or lower synthesis.minimum_filters")});
    };
    for (int i = 0; i < spec_.report_megabytes_size(); ++i) {
      auto problem = too_small(spec_.report_megabytes(i), absl::StrCat("report_megabytes[", i, "]"));
      if (problem.has_value()) return problem;
    }
    for (int i = 0; i < spec_.environment().constraints_size(); ++i) {
      const v1::Constraint& constraint = spec_.environment().constraints(i);
      if (!constraint.has_max_megabytes()) continue;
      auto problem = too_small(constraint.max_megabytes(),
                               absl::StrCat("environment.constraints[", i, "].max_megabytes"));
      if (problem.has_value()) return problem;
    }
    return std::nullopt;
  }

  // Only an estimated ratio has a bound before anything is measured.
  std::optional<SpecProblem> FindRatio() const {
    if (spec_.measurement().fitness() != v1::MeasurementSpec::ESTIMATED) return std::nullopt;
    const int64_t unit = spec_.ancestor().has_branch() ? spec_.ancestor().branch().ancestor_macs()
                                                       : first_.macs;
    const double most = static_cast<double>(unit) / static_cast<double>(smallest_.macs);
    const auto too_fast = [&](double ratio, std::string field) {
      if (ratio <= most) return std::optional<SpecProblem>();
      return std::make_optional(SpecProblem{
          std::move(field),
          absl::StrCat("asks for ", ratio, " times the ancestor's speed, but ", Floors(),
                       " a network is estimated at ", most,
                       " times at most; ask for less, or lower synthesis.minimum_filters")});
    };
    const v1::EnvironmentSpec& environment = spec_.environment();
    if (environment.closed_loop().has_ratio_to_ancestor()) {
      auto problem = too_fast(environment.closed_loop().ratio_to_ancestor(),
                              "environment.closed_loop.ratio_to_ancestor");
      if (problem.has_value()) return problem;
    }
    for (int i = 0; i < environment.constraints_size(); ++i) {
      if (!environment.constraints(i).has_min_ratio_to_ancestor()) continue;
      auto problem = too_fast(
          environment.constraints(i).min_ratio_to_ancestor(),
          absl::StrCat("environment.constraints[", i, "].min_ratio_to_ancestor"));
      if (problem.has_value()) return problem;
    }
    return std::nullopt;
  }

  const v1::ExperimentSpec& spec_;
  const Cost first_, smallest_;
};

}  // namespace

std::optional<SpecProblem> FindOutOfReach(const v1::ExperimentSpec& spec, const Genome& ancestor) {
  const absl::StatusOr<Reach> reach = Reach::Of(spec, ancestor);
  if (!reach.ok()) return SpecProblem{"ancestor", std::string(reach.status().message())};
  return reach->FindProblem();
}

absl::Status CheckReach(const v1::ExperimentSpec& spec, const Genome& ancestor) {
  const std::optional<SpecProblem> problem = FindOutOfReach(spec, ancestor);
  if (!problem.has_value()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(problem->field, ": ", problem->message));
}

}  // namespace squish
