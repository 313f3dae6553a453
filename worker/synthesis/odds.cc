#include "worker/synthesis/odds.h"

#include <algorithm>
#include <tuple>

namespace squish {
namespace {

// rank / N of every prunable cluster, in place of its strength.
Strengths RanksAmongAll(const Genome& genome, Strengths strengths) {
  std::vector<std::tuple<double, size_t, size_t>> ranked;  // strength, group, cluster
  for (size_t g = 0; g < strengths.size(); ++g) {
    if (!genome.groups()[g].prunable) continue;
    for (size_t c = 0; c < strengths[g].size(); ++c) ranked.emplace_back(strengths[g][c], g, c);
  }
  std::sort(ranked.begin(), ranked.end());
  for (size_t rank = 0; rank < ranked.size(); ++rank) {
    const auto& [strength, group, cluster] = ranked[rank];
    strengths[group][cluster] = static_cast<double>(rank + 1) / static_cast<double>(ranked.size());
  }
  return strengths;
}

}  // namespace

std::vector<GroupOdds> EvenOdds(const Genome& genome, const v1::SynthesisSpec& spec) {
  std::vector<GroupOdds> odds;
  for (const FilterGroup& group : genome.groups()) {
    const int clusters = genome.conv(group.layers.front()).filters();
    odds.push_back(
        {.log_probabilities = std::vector<double>(static_cast<size_t>(clusters), 0.0),
         .prunable = group.prunable,
         .floor = group.prunable ? std::min(spec.minimum_filters(), clusters) : clusters,
         .multiple = group.prunable ? spec.filter_multiple() : 1});
  }
  return odds;
}

std::vector<GroupOdds> OddsOf(const Genome& genome, const Strengths& strengths,
                              const v1::SynthesisSpec& spec) {
  const bool global = spec.ranking() == v1::SynthesisSpec::GLOBAL;
  const Strengths compared = global ? RanksAmongAll(genome, strengths) : strengths;
  std::vector<GroupOdds> odds = EvenOdds(genome, spec);
  for (size_t g = 0; g < odds.size(); ++g) {
    if (!odds[g].prunable) continue;
    double strongest = global ? 1.0 : 0.0;  // Z
    for (const double strength : compared[g]) strongest = std::max(strongest, strength);
    odds[g].log_probabilities = LogProbabilities(compared[g], strongest, spec.selectivity());
  }
  return odds;
}

}  // namespace squish
