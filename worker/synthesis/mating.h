// Mating: of m parents one candidate network, from which a child's filters are drawn
// (m-parent synthesis with gene tagging, Chung et al., arXiv 1811.07966). Pure; bit-exact;
// thread-safe.
#ifndef SQUISH_WORKER_SYNTHESIS_MATING_H_
#define SQUISH_WORKER_SYNTHESIS_MATING_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "squish/v1/experiment.pb.h"
#include "squish/v1/job.pb.h"
#include "worker/synthesis/synthesis.h"

namespace squish {

// Strengths of every group's clusters, in the genome's order of groups and filters.
using Strengths = std::vector<std::vector<double>>;

struct Candidate {
  Network network;
  Strengths strengths;
};

// The only parent itself; or of several, best ranked first:
//
// - The filters that at least ⌈Φ · m⌉ of them still have, by lineage. Where a layer would
//   drop below the spec's floor so, those that most parents have come in too, then those of
//   better ranked parents, then by lineage.
// - Of each synapse the weight that it has in the first parent that has both its ends,
//   else a fresh one, drawn under `seed` and `key`.
// - Strengths by L1 and L2: of Π_k |w_k|^(a_k), the product over the parents that have the
//   synapse, a_k being their shares as parts of their sum; where there are fewer parents
//   than shares, because fewer were selected, the first ones count. TAYLOR and ACTIVATION: the
//   same product of S_c, each in units of its parent's mean.
//
// INVALID_ARGUMENT: parents of different ancestors, or shares that do not fit.
absl::StatusOr<Candidate> Mate(absl::Span<const Parent> parents, const v1::SynthesisSpec& spec,
                               uint64_t seed, const v1::JobKey& key);

}  // namespace squish

#endif  // SQUISH_WORKER_SYNTHESIS_MATING_H_
