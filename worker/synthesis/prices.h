// What each layer of a network takes of a resource, and so what a child of it takes. Pure;
// bit-exact; thread-safe.
#ifndef SQUISH_WORKER_SYNTHESIS_PRICES_H_
#define SQUISH_WORKER_SYNTHESIS_PRICES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/genome/genome.h"
#include "squish/v1/experiment.pb.h"

namespace squish {

// A layer takes channels · (channel + synapses · input channels): exact for weights with
// their biases and for MACs, and how time is taken to go.
struct LayerPrice {
  double channel = 0;   // Of each channel that leaves it.
  double synapses = 0;  // Of each pair of a channel that enters it and one that leaves it.
};

struct Prices {
  v1::EnvironmentSpec::Resource resource = v1::EnvironmentSpec::PARAMETERS;
  std::vector<LayerPrice> layers;  // In the genome's order.
};

// The prices of a genome, and of every other with the same layers, however many of their
// filters are left. `input_size`, in pixels, is where MACs are counted; `profile` is what TIME
// is made of, as measured of this genome. INVALID_ARGUMENT: pictures that are too small, or a
// profile that lacks a convolution, names a layer that is not there or one twice.
absl::StatusOr<Prices> PricesOf(const Genome& genome, v1::EnvironmentSpec::Resource resource,
                                int input_size, absl::Span<const v1::LayerTime> profile);

// What a genome with these prices takes when `channels[g]` filters of each group g are left,
// in its group order; means, where that is what they are.
double PriceOf(const Genome& genome, const Prices& prices, absl::Span<const double> channels);

// c_l: by how much that falls when one filter of a group goes, all others staying. By group.
std::vector<double> PricesOfFilters(const Genome& genome, const Prices& prices);

}  // namespace squish

#endif  // SQUISH_WORKER_SYNTHESIS_PRICES_H_
