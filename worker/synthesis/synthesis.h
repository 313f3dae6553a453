// Synthesis: what a child keeps of its parent.
//
//   weights ──► Strengths S_c ──► P(s_c=1|W) = exp((S_c/Z_l − 1)/T)
//                                      │  κ from R (LITERAL) or bisected (BUDGET)
//                                      ▼
//               P(s_c=1|W,R) = min(1, κ·P) ──► draw n, keep the n smallest u_c/P_c
//                                      │
//                                      ▼
//                        Genome::Prune ──► weights inherited or drawn afresh
//
// (SquishedNets, arXiv 1711.07459, after Shafiee et al., arXiv 1609.01360.) Pure
// arithmetic on stored tensors: no photos, no clock, no LibTorch. Bit-exact on every
// machine for equal inputs. All functions are thread-safe.
#ifndef SQUISH_WORKER_SYNTHESIS_SYNTHESIS_H_
#define SQUISH_WORKER_SYNTHESIS_SYNTHESIS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/genome/genome.h"
#include "common/weights/network.h"
#include "squish/v1/experiment.pb.h"
#include "squish/v1/job.pb.h"

namespace squish {

// Probabilities are 32-bit fractions: p stands for p / 2^32 in (0, 1]. 2^32 itself
// (certainty) needs the 64-bit type. At least 1, so that no cluster is impossible.
using Probability = uint64_t;
inline constexpr Probability kCertain = uint64_t{1} << 32;

// S_c of every cluster of a group: Σ |w| over the weights (not biases) of filter c
// in every member layer, weights below `truncation` counted as 0. In index order, in
// double.
std::vector<double> ClusterStrengths(const Genome& genome, const TensorMap& weights,
                                     const FilterGroup& group, double truncation);

// P(s_c = 1 | W) = exp((S_c / Z_l − 1) / T) as 32-bit fractions. All strengths zero:
// all are certain.
std::vector<Probability> ClusterProbabilities(absl::Span<const double> strengths,
                                              double selectivity);

// min(1, κ · P), at least 2^-32.
std::vector<Probability> ApplyEnvironment(absl::Span<const Probability> probabilities,
                                          double kappa);

// How a group is sampled.
struct GroupPlan {
  std::vector<Probability> probabilities;  // Under R; one a cluster.
  int floor = 1;                           // At least so many survive.
  int multiple = 1;                        // The survivors' count is rounded to a multiple of this.
};

// The number that survives when n of them were drawn: rounded to the multiple
// (nearest, ties up), then at least floor, at most all.
int SurvivorCount(int drawn, int clusters, const GroupPlan& plan);

// Positions of the survivors, ascending: draw u_c, n = SurvivorCount(#{u_c < P_c}),
// keep the n smallest u_c / P_c, ties by index. `draws[c]` are 32 uniform bits.
std::vector<int> SampleSurvivors(const GroupPlan& plan, absl::Span<const uint32_t> draws);

// E[B(child)] under the plans (one a group, in the genome's group order; an
// unprunable group's probabilities are all certain). Layers are drawn independently,
// so expectations multiply; floors and multiples are taken into account exactly.
absl::StatusOr<double> ExpectedBudget(const Genome& genome, const std::vector<GroupPlan>& plans,
                                      v1::EnvironmentSpec::Resource resource, int input_size);

// The network that job.ancestor.imported stands for: the imported weights, but for the
// head, which is drawn afresh for the job's classes. What the weights were normalised with
// and where they come from is taken from the spec. INVALID_ARGUMENT: a number of classes that
// no network can have.
absl::StatusOr<Network> AdoptImported(const v1::SynthesizeJob& job, const v1::JobKey& key,
                                      ImportedNetwork imported);

// Synthesises one individual: the ancestor when `parents` is empty, else a child of
// the first parent. `ancestor` is the network that AncestorSpec names (read from its file,
// or adopted), or null.
// INVALID_ARGUMENT: inputs that do not fit each other. FAILED_PRECONDITION: B_g cannot
// be reached above the floors.
struct Offspring {
  Network network;
  v1::BirthRecord birth;
};
absl::StatusOr<Offspring> Synthesize(const v1::SynthesizeJob& job, const v1::JobKey& key,
                                     absl::Span<const Network> parents, const Network* ancestor);

}  // namespace squish

#endif  // SQUISH_WORKER_SYNTHESIS_SYNTHESIS_H_
