// What a child's weights are: its parent's, on the filters that survived.
#ifndef SQUISH_WORKER_SYNTHESIS_INHERITANCE_H_
#define SQUISH_WORKER_SYNTHESIS_INHERITANCE_H_

#include <vector>

#include "common/genome/genome.h"
#include "common/weights/network.h"

namespace squish {

// The parent's tensors without the filters that died and without the inputs that came
// from them (at their concat offsets). `keep` is by layer, as for Genome::Prune: the
// surviving positions, empty for all. `weights` fit `parent`. Pure; thread-safe.
TensorMap InheritWeights(const Genome& parent, const TensorMap& weights,
                         const std::vector<std::vector<int>>& keep);

}  // namespace squish

#endif  // SQUISH_WORKER_SYNTHESIS_INHERITANCE_H_
