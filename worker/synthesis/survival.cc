#include "worker/synthesis/survival.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/base/exact_math.h"

namespace squish {
namespace {

// A fraction to the nearest multiple of 2^-32, at least one of them, at most all.
Probability ToProbability(double fraction) {
  const double scaled = std::floor(fraction * static_cast<double>(kCertain) + 0.5);
  if (scaled >= static_cast<double>(kCertain)) return kCertain;
  return std::max<Probability>(1, static_cast<Probability>(scaled));
}

}  // namespace

std::vector<double> LogProbabilities(absl::Span<const double> strengths, double strongest,
                                     double selectivity) {
  std::vector<double> logs(strengths.size(), 0.0);
  if (strongest == 0.0) return logs;
  for (size_t c = 0; c < strengths.size(); ++c) {
    logs[c] = (strengths[c] / strongest - 1.0) / selectivity;
  }
  return logs;
}

GroupPlan UnderEnvironment(const GroupOdds& odds, double log_kappa) {
  GroupPlan plan{.probabilities = {}, .floor = odds.floor, .multiple = odds.multiple};
  plan.probabilities.reserve(odds.log_probabilities.size());
  for (const double log_probability : odds.log_probabilities) {
    plan.probabilities.push_back(
        odds.prunable ? ToProbability(ExactExp(log_probability + log_kappa)) : kCertain);
  }
  return plan;
}

int SurvivorCount(int drawn, int clusters, const GroupPlan& plan) {
  const int rounded = (2 * drawn + plan.multiple) / (2 * plan.multiple) * plan.multiple;
  return std::min(clusters, std::max(plan.floor, rounded));
}

std::vector<int> SampleSurvivors(const GroupPlan& plan, absl::Span<const uint32_t> draws) {
  const auto& probabilities = plan.probabilities;
  const int clusters = static_cast<int>(probabilities.size());
  int drawn = 0;
  for (int c = 0; c < clusters; ++c) drawn += draws[c] < probabilities[c] ? 1 : 0;

  std::vector<int> order(clusters);
  std::iota(order.begin(), order.end(), 0);
  // u_a / P_a < u_b / P_b as exact cross products.
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return static_cast<unsigned __int128>(draws[a]) * probabilities[b] <
           static_cast<unsigned __int128>(draws[b]) * probabilities[a];
  });
  order.resize(SurvivorCount(drawn, clusters, plan));
  std::sort(order.begin(), order.end());
  return order;
}

}  // namespace squish
