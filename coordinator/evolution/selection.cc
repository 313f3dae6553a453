#include "coordinator/evolution/selection.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <tuple>

#include "common/base/exact_math.h"

namespace squish {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kRatioStep = 0.00995033085316808285;  // ln 1.01

// What a constraint looks at, of an individual.
std::optional<double> Value(const v1::Constraint& constraint, const v1::Individual& individual) {
  switch (constraint.demand_case()) {
    case v1::Constraint::kMaxMegabytes:
      if (individual.bytes() > 0) return static_cast<double>(individual.bytes()) / 1e6;
      break;
    case v1::Constraint::kMinRatioToAncestor:
      if (individual.has_ratio_to_ancestor()) return individual.ratio_to_ancestor();
      break;
    case v1::Constraint::kMinImagesPerSecond:
      if (individual.has_images_per_second()) return individual.images_per_second();
      break;
    case v1::Constraint::kMinAccuracy:
      if (individual.has_selection_accuracy()) return individual.selection_accuracy();
      break;
    case v1::Constraint::DEMAND_NOT_SET:
      break;
  }
  return std::nullopt;
}

double Target(const v1::Constraint& constraint) {
  switch (constraint.demand_case()) {
    case v1::Constraint::kMaxMegabytes: return constraint.max_megabytes();
    case v1::Constraint::kMinRatioToAncestor: return constraint.min_ratio_to_ancestor();
    case v1::Constraint::kMinImagesPerSecond: return constraint.min_images_per_second();
    case v1::Constraint::kMinAccuracy: return constraint.min_accuracy();
    case v1::Constraint::DEMAND_NOT_SET: break;
  }
  return 0.0;
}

bool IsUpperBound(const v1::Constraint& constraint) {
  return constraint.demand_case() == v1::Constraint::kMaxMegabytes;
}

// ln x, for ratios in whole steps of 1 %.
double ComparedLog(const v1::Constraint& constraint, double x) {
  if (constraint.demand_case() != v1::Constraint::kMinRatioToAncestor) return ExactLog(x);
  return RatioSteps(x) * kRatioStep;
}

// How far `value` is on the wrong side of `limit`, as a difference of logarithms.
double Excess(const v1::Constraint& constraint, double value, double limit) {
  const double difference = ComparedLog(constraint, value) - ComparedLog(constraint, limit);
  const double excess = IsUpperBound(constraint) ? difference : -difference;
  return std::isnan(excess) ? kInfinity : std::max(0.0, excess);
}

bool IsTrained(const v1::Individual& individual) {
  return individual.state() != v1::Individual::DIVERGED && individual.has_selection_log_loss();
}

}  // namespace

double RatioSteps(double ratio) {
  return ratio > 0 ? std::floor(ExactLog(ratio) / kRatioStep) : -kInfinity;
}

double ConstraintLimit(const v1::Constraint& constraint, const v1::Individual& ancestor,
                       int generation, int generations) {
  const double target = Target(constraint);
  const std::optional<double> start = Value(constraint, ancestor);
  if (!constraint.scheduled() || !start.has_value() || !(*start > 0.0)) return target;
  const bool met = IsUpperBound(constraint) ? *start <= target : *start >= target;
  if (met || generation >= generations) return target;
  const double progress = static_cast<double>(generation) / generations;
  return *start * ExactExp(progress * ExactLog(target / *start));
}

double Violation(const v1::EnvironmentSpec& environment, const v1::Individual& individual,
                 const v1::Individual& ancestor, int generation, int generations) {
  if (individual.state() == v1::Individual::UNSUPPORTED) return kInfinity;
  double violation = 0.0;
  for (const v1::Constraint& constraint : environment.constraints()) {
    const std::optional<double> value = Value(constraint, individual);
    if (!value.has_value()) return kInfinity;
    violation += Excess(constraint, *value,
                        ConstraintLimit(constraint, ancestor, generation, generations));
  }
  return violation;
}

std::vector<int> SelectParents(const v1::ExperimentSpec& spec,
                               const std::vector<v1::Individual>& generation,
                               const v1::Individual& ancestor) {
  // Feasible is violation 0, so that one number orders feasible and infeasible alike.
  std::vector<std::tuple<double, double, int>> ranked;  // violation, log-loss, position
  for (int i = 0; i < static_cast<int>(generation.size()); ++i) {
    const v1::Individual& individual = generation[i];
    if (!IsTrained(individual)) continue;
    const double loss = individual.selection_log_loss();
    ranked.emplace_back(Violation(spec.environment(), individual, ancestor,
                                  individual.name().generation(), spec.generations()),
                        std::isfinite(loss) ? loss : kInfinity, i);
  }
  std::sort(ranked.begin(), ranked.end());
  if (static_cast<int>(ranked.size()) > spec.parents()) ranked.resize(spec.parents());
  std::vector<int> selected;
  for (const auto& [violation, loss, position] : ranked) selected.push_back(position);
  return selected;
}

}  // namespace squish
