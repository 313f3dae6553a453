// The synapse level of encoding: which weights of a child's filters survive. Pure; bit-exact;
// thread-safe.
#ifndef SQUISH_WORKER_SYNTHESIS_SYNAPSES_H_
#define SQUISH_WORKER_SYNTHESIS_SYNAPSES_H_

#include <cstdint>

#include "absl/types/span.h"
#include "common/genome/genome.h"
#include "common/weights/network.h"
#include "squish/v1/job.pb.h"

namespace squish {

// κ with Σ min(1, κ · p) = share · n over the n probabilities, each above 0; at least 1 for a
// share of 1 or more. 0 for none. `share` is above 0.
double KappaForShare(absl::Span<const double> probabilities, double share);

// Sets to 0 what does not survive of `weights`, those of `genome`: v1::SynapseEncoding has the
// formula. Biases stay. Draws are a function of `seed`, `key`, layer and position.
void DrawSynapses(const Genome& genome, const v1::SynthesisSpec& spec, uint64_t seed,
                  const v1::JobKey& key, TensorMap& weights);

// Weights of convolutions that are not 0.
int64_t CountSynapses(const Genome& genome, const TensorMap& weights);

}  // namespace squish

#endif  // SQUISH_WORKER_SYNTHESIS_SYNAPSES_H_
