// How likely each filter of a network is to survive, from the strengths of all. Pure;
// bit-exact; thread-safe.
#ifndef SQUISH_WORKER_SYNTHESIS_ODDS_H_
#define SQUISH_WORKER_SYNTHESIS_ODDS_H_

#include <cstdint>
#include <vector>

#include "common/genome/genome.h"
#include "squish/v1/experiment.pb.h"
#include "squish/v1/job.pb.h"
#include "worker/synthesis/mating.h"
#include "worker/synthesis/survival.h"

namespace squish {

// Of v1::LayerMultipliers, by group: c_l, its β, and what is drawn for each layer.
struct Multipliers {
  std::vector<double> filter_prices;  // None: ρ_l is 1.
  double exponent = 0;
  std::vector<double> log_factors;  // σ · z_l; none: 0.

  // ln (c_l^β · exp(σ · z_l)). A layer whose filters are free has c_l = 1.
  double LogPrice(size_t group) const;
};

// σ · z_l of every group: z_l is a standard normal variate, a function of `seed`, of the key's
// generation and index, and of the group's first layer.
std::vector<double> DrawLogFactors(const Genome& genome, double spread, uint64_t seed,
                                   const v1::JobKey& key);

// S_c / (c_l^β · exp(σ · z_l)): what filters are worth beside what they cost.
Strengths WorthOf(const Strengths& strengths, const Multipliers& multipliers);

// ρ_l · P(s_c = 1 | W), with P(s_c = 1 | W) = exp((S_c / Z − 1) / T), of every group, by the
// spec's T, floors and multiple. LAYER: Z is the largest strength of the group. GLOBAL: in
// place of S_c / Z comes rank / N, the cluster's rank by worth among all N prunable ones, 1
// being the weakest; ties by group and cluster; ρ_l is 1. The head's filters are certain.
std::vector<GroupOdds> OddsOf(const Genome& genome, const Strengths& strengths,
                              const v1::SynthesisSpec& spec, const Multipliers& multipliers);

// The same with P = 1 for all: survival is blind to weights.
std::vector<GroupOdds> EvenOdds(const Genome& genome, const v1::SynthesisSpec& spec);

}  // namespace squish

#endif  // SQUISH_WORKER_SYNTHESIS_ODDS_H_
