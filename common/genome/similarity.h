// How alike networks of one ancestor are. Pure; thread-safe.
#ifndef SQUISH_COMMON_GENOME_SIMILARITY_H_
#define SQUISH_COMMON_GENOME_SIMILARITY_H_

#include <vector>

#include "absl/status/statusor.h"
#include "common/genome/genome.h"

namespace squish {

// The overlap of architectural clusters (Chung, Fieguth and Wong, "Assessing Architectural
// Similarity in Populations of Deep Neural Networks", arXiv 1904.09879) over lineage:
//
//   Σ_l |A_l ∩ B_l| / Σ_l |A_l ∪ B_l|
//
// A_l, B_l: which clusters of the ancestor's layer l each has, for every layer that can be
// pruned. From 0 to 1; 1 when they have the same. INVALID_ARGUMENT: they do not have the
// same prunable layers, by name.
absl::StatusOr<double> ArchitecturalSimilarity(const Genome& a, const Genome& b);

// The mean over all pairs. INVALID_ARGUMENT: as above, or there is no pair.
absl::StatusOr<double> MeanArchitecturalSimilarity(const std::vector<Genome>& genomes);

}  // namespace squish

#endif  // SQUISH_COMMON_GENOME_SIMILARITY_H_
