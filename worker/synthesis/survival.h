// From strengths to survivors: the rules of one group of filters, without the network
// around it. Pure; bit-exact; thread-safe.
#ifndef SQUISH_WORKER_SYNTHESIS_SURVIVAL_H_
#define SQUISH_WORKER_SYNTHESIS_SURVIVAL_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace squish {

// Probabilities are 32-bit fractions: p stands for p / 2^32 in (0, 1]. 2^32 itself
// (certainty) needs the 64-bit type. At least 1, so that no cluster is impossible.
using Probability = uint64_t;
inline constexpr Probability kCertain = uint64_t{1} << 32;

// How likely the clusters of a group are to survive, before the environment.
struct GroupOdds {
  // ln (ρ_l · P(s_c = 1 | W)); one a cluster. Logarithms, because at a small T those of
  // weak clusters are far below 2^-32, and κ far above 2^32: clamped, either would make all
  // of them alike.
  std::vector<double> log_probabilities;
  bool prunable = true;  // Otherwise all survive whatever κ is.
  int floor = 1;         // At least so many survive.
  int multiple = 1;      // The survivors' count is rounded to a multiple of this.
};

// How a group is sampled.
struct GroupPlan {
  std::vector<Probability> probabilities;  // Under R; one a cluster.
  int floor = 1;
  int multiple = 1;
};

// ln P(s_c = 1 | W) = (S_c / Z − 1) / T. A Z of 0, nothing having any strength: all are
// certain.
std::vector<double> LogProbabilities(absl::Span<const double> strengths, double strongest,
                                     double selectivity);

// P(s_c = 1 | W, R) = min(1, κ · ρ_l · P(s_c = 1 | W)), at least 2^-32.
GroupPlan UnderEnvironment(const GroupOdds& odds, double log_kappa);

// The number that survives when n of them were drawn: rounded to the multiple
// (nearest, ties up), then at least floor, at most all.
int SurvivorCount(int drawn, int clusters, const GroupPlan& plan);

// Positions of the survivors, ascending: draw u_c, n = SurvivorCount(#{u_c < P_c}),
// keep the n smallest u_c / P_c, ties by index. `draws[c]` are 32 uniform bits.
std::vector<int> SampleSurvivors(const GroupPlan& plan, absl::Span<const uint32_t> draws);

}  // namespace squish

#endif  // SQUISH_WORKER_SYNTHESIS_SURVIVAL_H_
