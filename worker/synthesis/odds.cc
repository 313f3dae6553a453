#include "worker/synthesis/odds.h"

#include <algorithm>
#include <tuple>

#include "common/base/exact_math.h"
#include "common/base/random.h"

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

// ln ρ_l by group, of mean ρ 1 over prunable ones; 0 where nothing there has any strength.
std::vector<double> LogMultipliers(const Genome& genome, const Strengths& strengths,
                                   const Multipliers& multipliers) {
  std::vector<double> logs(strengths.size(), 0.0);
  if (multipliers.filter_prices.empty()) return logs;
  double sum = 0;
  int layers = 0;
  for (size_t g = 0; g < strengths.size(); ++g) {
    if (!genome.groups()[g].prunable) continue;
    double sensitivity = 0;
    for (const double strength : strengths[g]) sensitivity += strength;
    sensitivity /= static_cast<double>(strengths[g].size());
    if (sensitivity > 0) {
      logs[g] = multipliers.exponent * ExactLog(sensitivity) - multipliers.LogPrice(g);
    }
    sum += ExactExp(logs[g]);
    ++layers;
  }
  const double log_mean = layers > 0 ? ExactLog(sum / layers) : 0;
  for (double& log : logs) log -= log_mean;
  return logs;
}

}  // namespace

double Multipliers::LogPrice(size_t group) const {
  const double price = filter_prices[group];
  return (price > 0 ? exponent * ExactLog(price) : 0) +
         (log_factors.empty() ? 0 : log_factors[group]);
}

std::vector<double> DrawLogFactors(const Genome& genome, double spread, uint64_t seed,
                                   const v1::JobKey& key) {
  std::vector<double> factors;
  for (const FilterGroup& group : genome.groups()) {
    const RandomStream stream(RandomDomain::kMultipliers,
                              {seed, static_cast<uint64_t>(key.generation()),
                               static_cast<uint64_t>(key.index()),
                               static_cast<uint64_t>(group.layers.front())});
    factors.push_back(spread * stream.Normal(0));
  }
  return factors;
}

Strengths WorthOf(const Strengths& strengths, const Multipliers& multipliers) {
  Strengths worth = strengths;
  for (size_t g = 0; g < multipliers.filter_prices.size(); ++g) {
    const double divisor = ExactExp(multipliers.LogPrice(g));
    for (double& strength : worth[g]) strength /= divisor;
  }
  return worth;
}

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
                              const v1::SynthesisSpec& spec, const Multipliers& multipliers) {
  const bool global = spec.ranking() == v1::SynthesisSpec::GLOBAL;
  const Strengths compared =
      global ? RanksAmongAll(genome, WorthOf(strengths, multipliers)) : strengths;
  const std::vector<double> log_multipliers =
      global ? std::vector<double>(strengths.size(), 0.0)
             : LogMultipliers(genome, strengths, multipliers);
  std::vector<GroupOdds> odds = EvenOdds(genome, spec);
  for (size_t g = 0; g < odds.size(); ++g) {
    if (!odds[g].prunable) continue;
    double strongest = global ? 1.0 : 0.0;  // Z
    for (const double strength : compared[g]) strongest = std::max(strongest, strength);
    odds[g].log_probabilities = LogProbabilities(compared[g], strongest, spec.selectivity());
    for (double& log : odds[g].log_probabilities) log += log_multipliers[g];
  }
  return odds;
}

}  // namespace squish
