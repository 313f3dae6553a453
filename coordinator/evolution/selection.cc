#include "coordinator/evolution/selection.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

#include "common/base/exact_math.h"

namespace squish {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kRatioStep = 0.00995033085316808285;  // ln 1.01

// Where the constraint looks; without figures when they are not known.
v1::Speed SpeedFor(const v1::Constraint& constraint, const v1::Individual& individual) {
  for (const v1::Speed& speed : individual.beside()) {
    if (speed.beside() == constraint.beside()) return speed;
  }
  v1::Speed speed;
  if (constraint.beside() != 0) return speed;
  if (individual.has_ratio_to_ancestor()) {
    speed.set_ratio_to_ancestor(individual.ratio_to_ancestor());
  }
  if (individual.has_images_per_second()) {
    speed.set_images_per_second(individual.images_per_second());
  }
  return speed;
}

// What a constraint looks at, of an individual.
std::optional<double> Value(const v1::Constraint& constraint, const v1::Individual& individual) {
  switch (constraint.demand_case()) {
    case v1::Constraint::kMaxMegabytes:
      if (individual.bytes() > 0) return static_cast<double>(individual.bytes()) / 1e6;
      break;
    case v1::Constraint::kMinRatioToAncestor: {
      const v1::Speed speed = SpeedFor(constraint, individual);
      if (speed.has_ratio_to_ancestor()) return speed.ratio_to_ancestor();
      break;
    }
    case v1::Constraint::kMinImagesPerSecond: {
      const v1::Speed speed = SpeedFor(constraint, individual);
      if (speed.has_images_per_second()) return speed.images_per_second();
      break;
    }
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

// Somebody who may be selected.
struct Candidate {
  const v1::Individual* individual;
  double violation;  // 0 is feasible, so that one number orders feasible and infeasible alike.
  Objectives objectives;
};

// In the order in which ties go: the newest first, then by index.
std::vector<Candidate> Candidates(const v1::ExperimentSpec& spec,
                                  const std::vector<v1::Individual>& generation,
                                  const std::vector<v1::Individual>& earlier,
                                  const v1::Individual& ancestor) {
  std::vector<Candidate> candidates;
  const auto add = [&](const v1::Individual& individual) {
    if (!IsTrained(individual)) return;
    candidates.push_back({&individual,
                          Violation(spec.environment(), individual, ancestor,
                                    generation.front().name().generation(), spec.generations()),
                          ObjectivesOf(individual)});
  };
  for (const v1::Individual& individual : generation) add(individual);
  const v1::SelectionSpec::Method method = spec.selection().method();
  if (method == v1::SelectionSpec::PLUS || method == v1::SelectionSpec::NSGA_II) {
    for (const v1::Individual& individual : earlier) add(individual);
  }
  std::stable_sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
    const v1::IndividualName &left = a.individual->name(), &right = b.individual->name();
    return std::make_pair(-left.generation(), left.index()) <
           std::make_pair(-right.generation(), right.index());
  });
  return candidates;
}

void RankByLogLoss(std::vector<Candidate>& candidates) {
  std::stable_sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
    return std::make_pair(a.violation, a.objectives[0]) <
           std::make_pair(b.violation, b.objectives[0]);
  });
}

// Of candidates that break the constraints by as much: front by front, and in each those
// first that have more room around them.
std::vector<Candidate> RankByFronts(const std::vector<Candidate>& candidates) {
  std::vector<Objectives> points;
  for (const Candidate& candidate : candidates) points.push_back(candidate.objectives);
  std::vector<Candidate> ranked;
  for (const std::vector<int>& front : NonDominatedFronts(points)) {
    std::vector<Objectives> members;
    for (const int position : front) members.push_back(points[position]);
    const std::vector<double> room = CrowdingDistances(members);
    std::vector<int> order(front.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return room[a] > room[b]; });
    for (const int member : order) ranked.push_back(candidates[front[member]]);
  }
  return ranked;
}

// Constrained domination of NSGA-II: who breaks the constraints by less dominates, so that
// each violation has fronts of its own.
void RankByDomination(std::vector<Candidate>& candidates) {
  std::map<double, std::vector<Candidate>> by_violation;
  for (Candidate& candidate : candidates) {
    by_violation[candidate.violation].push_back(std::move(candidate));
  }
  candidates.clear();
  for (const auto& [violation, equal] : by_violation) {
    for (Candidate& candidate : RankByFronts(equal)) candidates.push_back(std::move(candidate));
  }
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

Objectives ObjectivesOf(const v1::Individual& individual) {
  const double loss = individual.selection_log_loss();
  const double ratio = individual.has_ratio_to_ancestor() ? individual.ratio_to_ancestor() : 0;
  return {std::isfinite(loss) ? loss : kInfinity, -RatioSteps(ratio),
          static_cast<double>(individual.bytes())};
}

std::vector<v1::Individual> SelectParents(const v1::ExperimentSpec& spec,
                                          const std::vector<v1::Individual>& generation,
                                          const std::vector<v1::Individual>& earlier,
                                          const v1::Individual& ancestor) {
  std::vector<Candidate> ranked = Candidates(spec, generation, earlier, ancestor);
  if (spec.selection().method() == v1::SelectionSpec::NSGA_II) {
    RankByDomination(ranked);
  } else {
    RankByLogLoss(ranked);
  }
  std::vector<v1::Individual> selected;
  for (const Candidate& candidate : ranked) {
    if (static_cast<int>(selected.size()) == spec.parents()) break;
    selected.push_back(*candidate.individual);
    selected.back().set_selected(true);
  }
  return selected;
}

}  // namespace squish
