// Genomes for property tests: small, valid, and odder than any ancestor.
//
//   for (uint64_t seed = 0; seed < 200; ++seed) {
//     SCOPED_TRACE(seed);
//     const Genome genome = RandomGenome(seed);
//     const Genome child = *genome.Prune(RandomKeep(genome, seed));
//     …
//   }
//
// Everything is a function of the seed, on every machine. Thread-safe.
#ifndef SQUISH_TESTS_SUPPORT_RANDOM_GENOME_H_
#define SQUISH_TESTS_SUPPORT_RANDOM_GENOME_H_

#include <cstdint>
#include <vector>

#include "common/genome/genome.h"
#include "common/weights/network.h"

namespace squish {

// Convolutions with even and odd kernels, strides and paddings; pools with all kinds
// of windows; concats of two to four branches, of the same layer's past (dense), and
// of concats; a head before or behind the global pool, with or without ReLU. Layers
// have 1 to 12 filters, lineages with and without gaps, 2 to 6 classes.
Genome RandomGenome(uint64_t seed);

// The same graph with `factor` filters for each that may be pruned; the classes stay. A
// lineage keeps its gaps. For properties that are a mean over many filters.
Genome Widened(const Genome& genome, int factor);

// For Genome::Prune: of every prunable group a random subset, at least one filter;
// about a quarter of the groups stay whole.
std::vector<std::vector<int>> RandomKeep(const Genome& genome, uint64_t seed);

// The smallest picture that this genome of RandomGenome takes; it takes every larger
// one. At most about 64.
int SmallestInputSize(const Genome& genome);

// The genome with fresh weights (and biases that are not 0), class names and
// preprocessing for its smallest picture.
Network RandomNetwork(const Genome& genome, uint64_t seed);

}  // namespace squish

#endif  // SQUISH_TESTS_SUPPORT_RANDOM_GENOME_H_
