#include "worker/synthesis/prices.h"

#include <cmath>
#include <map>
#include <string>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/genome/shapes.h"

namespace squish {
namespace {

std::vector<double> FilterCounts(const Genome& genome) {
  std::vector<double> counts;
  for (const FilterGroup& group : genome.groups()) {
    counts.push_back(genome.conv(group.layers.front()).filters());
  }
  return counts;
}

// Channels that leave and that enter each layer, convolutions' by group.
struct Flow {
  std::vector<double> leaving, entering;
};

Flow FlowOf(const Genome& genome, absl::Span<const double> channels) {
  Flow flow{std::vector<double>(genome.size(), 0.0), std::vector<double>(genome.size(), 0.0)};
  for (size_t g = 0; g < channels.size(); ++g) {
    for (const int layer : genome.groups()[g].layers) flow.leaving[layer] = channels[g];
  }
  for (int l = 0; l < genome.size(); ++l) {
    const Layer& layer = genome.layer(l);
    for (const int input : layer.inputs) flow.entering[l] += flow.leaving[input];
    if (genome.IsConv(l)) continue;
    const auto* picture = std::get_if<Input>(&layer.operation);
    flow.leaving[l] = picture != nullptr ? picture->channels : flow.entering[l];
  }
  return flow;
}

absl::StatusOr<std::vector<double>> MillisecondsByLayer(const Genome& genome,
                                                        absl::Span<const v1::LayerTime> profile) {
  std::map<std::string, double> by_name;
  for (const v1::LayerTime& time : profile) {
    if (!(time.milliseconds() >= 0 && std::isfinite(time.milliseconds()))) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the profile's layer '", time.layer(), "' took ", time.milliseconds(), " ms"));
    }
    if (!by_name.emplace(time.layer(), time.milliseconds()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("the profile has the layer '", time.layer(), "' twice"));
    }
  }
  std::vector<double> milliseconds(genome.size(), 0.0);
  for (int l = 0; l < genome.size(); ++l) {
    const auto found = by_name.find(genome.layer(l).name);
    if (found == by_name.end()) {
      if (!genome.IsConv(l)) continue;  // Fused with another, or free.
      return absl::InvalidArgumentError(
          absl::StrCat("the profile has no time of the layer '", genome.layer(l).name, "'"));
    }
    milliseconds[l] = found->second;
    by_name.erase(found);
  }
  if (by_name.empty()) return milliseconds;
  return absl::InvalidArgumentError(absl::StrCat("the profile has a layer '",
                                                 by_name.begin()->first,
                                                 "', which the network has not"));
}

}  // namespace

absl::StatusOr<Prices> PricesOf(const Genome& genome, v1::EnvironmentSpec::Resource resource,
                                int input_size, absl::Span<const v1::LayerTime> profile) {
  Prices prices{resource, std::vector<LayerPrice>(genome.size())};
  if (resource == v1::EnvironmentSpec::TIME) {
    SQUISH_ASSIGN_OR_RETURN(const std::vector<double> milliseconds,
                            MillisecondsByLayer(genome, profile));
    const Flow flow = FlowOf(genome, FilterCounts(genome));
    for (int l = 0; l < genome.size(); ++l) {
      if (flow.leaving[l] == 0) continue;
      const double of_channel = milliseconds[l] / flow.leaving[l];
      if (genome.IsConv(l)) {
        prices.layers[l].synapses = of_channel / flow.entering[l];
      } else {
        prices.layers[l].channel = of_channel;
      }
    }
    return prices;
  }
  std::vector<Shape> shapes;
  if (resource == v1::EnvironmentSpec::MACS) {
    SQUISH_ASSIGN_OR_RETURN(shapes, ComputeShapes(genome, input_size));
  }
  for (const int l : genome.convs()) {
    const int kernel = genome.conv(l).kernel;
    LayerPrice& price = prices.layers[l];
    price.synapses = static_cast<double>(kernel) * kernel;
    if (resource == v1::EnvironmentSpec::MACS) {
      price.synapses *= static_cast<double>(shapes[l].height) * shapes[l].width;
    } else {
      price.channel = 1;  // The bias.
    }
  }
  return prices;
}

double PriceOf(const Genome& genome, const Prices& prices, absl::Span<const double> channels) {
  const Flow flow = FlowOf(genome, channels);
  double sum = 0;
  for (int l = 0; l < genome.size(); ++l) {
    const LayerPrice& price = prices.layers[l];
    sum += flow.leaving[l] * (flow.entering[l] * price.synapses + price.channel);
  }
  return sum;
}

std::vector<double> PricesOfFilters(const Genome& genome, const Prices& prices) {
  std::vector<double> channels = FilterCounts(genome);
  const double whole = PriceOf(genome, prices, channels);
  std::vector<double> of_filters;
  for (double& count : channels) {
    --count;
    of_filters.push_back(whole - PriceOf(genome, prices, channels));
    ++count;
  }
  return of_filters;
}

}  // namespace squish
