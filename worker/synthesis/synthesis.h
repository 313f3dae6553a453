// Synthesis: what a child keeps of its parents.
//
//   m parents ──► Mate: one candidate, with the strengths S_c of its filters
//                                      │
//                                      ▼
//                     P(s_c=1|W) = exp((S_c/Z − 1)/T)     or, greedily, the weakest go
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

#include <optional>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/weights/network.h"
#include "squish/v1/experiment.pb.h"
#include "squish/v1/job.pb.h"

namespace squish {

// The network that job.ancestor.imported stands for: the imported weights, but for the
// head, which is drawn afresh for the job's classes. What the weights were normalised with
// and where they come from is taken from the spec. INVALID_ARGUMENT: a number of classes that
// no network can have.
absl::StatusOr<Network> AdoptImported(const v1::SynthesizeJob& job, const v1::JobKey& key,
                                      ImportedNetwork imported);

// A parent as the job's runner fetched it.
struct Parent {
  Network network;
  // Its strengths file as ReadStrengths gave it; set when synthesis.strength wants one.
  std::optional<TensorMap> strengths;
};

// Synthesises one individual: a child of the parents, which are in the order of their rank;
// with none the ancestor or, where there is a budget to keep, a network that has no parents
// by its strategy. `ancestor` is the network that AncestorSpec names (read from its file, or
// adopted), or null.
// INVALID_ARGUMENT: inputs that do not fit each other. FAILED_PRECONDITION: B_g cannot
// be reached above the floors.
struct Offspring {
  Network network;
  v1::BirthRecord birth;
};
absl::StatusOr<Offspring> Synthesize(const v1::SynthesizeJob& job, const v1::JobKey& key,
                                     absl::Span<const Parent> parents, const Network* ancestor);

}  // namespace squish

#endif  // SQUISH_WORKER_SYNTHESIS_SYNTHESIS_H_
