// From strengths to survivors: the probabilities of one group, and one draw of it.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/base/exact_math.h"
#include "worker/synthesis/synthesis.h"

namespace squish {
namespace {

// A fraction to the nearest multiple of 2^-32, at least one of them, at most all.
Probability ToProbability(double fraction) {
  const double scaled = std::floor(fraction * static_cast<double>(kCertain) + 0.5);
  if (scaled >= static_cast<double>(kCertain)) return kCertain;
  return std::max<Probability>(1, static_cast<Probability>(scaled));
}

}  // namespace

std::vector<double> ClusterStrengths(const Genome& genome, const TensorMap& weights,
                                     const FilterGroup& group, double truncation) {
  const size_t clusters = genome.conv(group.layers.front()).lineage.size();
  std::vector<double> strengths(clusters, 0.0);
  for (const int layer : group.layers) {
    const Tensor& tensor = weights.at(absl::StrCat(genome.layer(layer).name, ".weight"));
    const size_t synapses = tensor.values.size() / clusters;
    for (size_t c = 0; c < clusters; ++c) {
      for (size_t j = 0; j < synapses; ++j) {
        const double magnitude = std::fabs(static_cast<double>(tensor.values[c * synapses + j]));
        if (magnitude >= truncation) strengths[c] += magnitude;
      }
    }
  }
  return strengths;
}

std::vector<Probability> ClusterProbabilities(absl::Span<const double> strengths,
                                              double selectivity) {
  double strongest = 0.0;  // Z_l
  for (const double strength : strengths) strongest = std::max(strongest, strength);
  std::vector<Probability> probabilities(strengths.size(), kCertain);
  if (strongest == 0.0) return probabilities;
  for (size_t c = 0; c < strengths.size(); ++c) {
    probabilities[c] = ToProbability(ExactExp((strengths[c] / strongest - 1.0) / selectivity));
  }
  return probabilities;
}

std::vector<Probability> ApplyEnvironment(absl::Span<const Probability> probabilities,
                                          double kappa) {
  std::vector<Probability> under_environment;
  under_environment.reserve(probabilities.size());
  for (const Probability p : probabilities) {
    // p · 2^-32 is exact in double, so only the product with κ rounds.
    under_environment.push_back(ToProbability(kappa * (static_cast<double>(p) * 0x1p-32)));
  }
  return under_environment;
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
