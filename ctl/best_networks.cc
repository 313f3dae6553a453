#include "ctl/best_networks.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>

namespace squish {
namespace {

// What is to be small; nothing: not known of this individual.
using Objective = std::function<std::optional<double>(const v1::Individual&)>;

std::optional<double> LogBytes(const v1::Individual& individual) {
  return std::log(static_cast<double>(std::max<int64_t>(individual.bytes(), 1)));
}

std::optional<double> Slowness(const v1::Individual& individual) {
  if (!individual.has_ratio_to_ancestor() || individual.ratio_to_ancestor() <= 0) {
    return std::nullopt;
  }
  return -std::log(individual.ratio_to_ancestor());
}

std::optional<double> LogLoss(const v1::Individual& individual) {
  if (!individual.has_selection_log_loss()) return std::nullopt;
  return individual.selection_log_loss();
}

// The individual with the smallest value, or null.
const v1::Individual* Least(const std::vector<v1::Individual>& individuals,
                            const Objective& objective) {
  const v1::Individual* best = nullptr;
  double least = std::numeric_limits<double>::infinity();
  for (const v1::Individual& individual : individuals) {
    const std::optional<double> value = objective(individual);
    if (!value.has_value() || !(*value < least)) continue;
    least = *value;
    best = &individual;
  }
  return best;
}

// The objective scaled so that the best of all has 0 and the worst 1.
Objective Scaled(const std::vector<v1::Individual>& individuals, const Objective& objective) {
  double least = std::numeric_limits<double>::infinity(), most = -least;
  for (const v1::Individual& individual : individuals) {
    const std::optional<double> value = objective(individual);
    if (!value.has_value()) continue;
    least = std::min(least, *value);
    most = std::max(most, *value);
  }
  return [=](const v1::Individual& individual) -> std::optional<double> {
    const std::optional<double> value = objective(individual);
    if (!value.has_value()) return std::nullopt;
    return most > least ? (*value - least) / (most - least) : 0.0;
  };
}

}  // namespace

std::vector<BestNetwork> FindBestNetworks(const std::vector<v1::Individual>& individuals) {
  std::vector<v1::Individual> evaluated;
  for (const v1::Individual& individual : individuals) {
    if (individual.state() == v1::Individual::EVALUATED && !individual.trained_artifact().empty()) {
      evaluated.push_back(individual);
    }
  }
  const Objective size = Scaled(evaluated, LogBytes), slowness = Scaled(evaluated, Slowness),
                  loss = Scaled(evaluated, LogLoss);
  const Objective distance = [&](const v1::Individual& individual) -> std::optional<double> {
    const auto x = size(individual), y = slowness(individual), z = loss(individual);
    if (!x.has_value() || !y.has_value() || !z.has_value()) return std::nullopt;
    return std::hypot(*x, *y, *z);
  };
  std::vector<BestNetwork> best;
  const auto add = [&](const char* role, const Objective& objective) {
    const v1::Individual* found = Least(evaluated, objective);
    if (found != nullptr) best.push_back({role, *found});
  };
  add("smallest", LogBytes);
  add("fastest", Slowness);
  add("most-accurate", LogLoss);
  add("knee", distance);
  return best;
}

}  // namespace squish
