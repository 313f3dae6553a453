#include "worker/synthesis/synapses.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/exact_math.h"
#include "common/base/random.h"

namespace squish {
namespace {

std::string WeightName(const Genome& genome, int layer) {
  return absl::StrCat(genome.layer(layer).name, ".weight");
}

// exp((|w| / z − 1) / T) of one layer's weights that are not 0, in their order.
void AppendProbabilities(const std::vector<float>& weights, double selectivity,
                         std::vector<double>& probabilities) {
  double largest = 0;  // z
  for (const float w : weights) largest = std::max(largest, std::fabs(static_cast<double>(w)));
  for (const float w : weights) {
    if (w == 0) continue;
    const double relative = std::fabs(static_cast<double>(w)) / largest;
    probabilities.push_back(ExactExp((relative - 1) / selectivity));
  }
}

}  // namespace

double KappaForShare(absl::Span<const double> probabilities, double share) {
  std::vector<double> ascending(probabilities.begin(), probabilities.end());
  std::sort(ascending.begin(), ascending.end());
  if (ascending.empty()) return 0;
  if (share >= 1) return std::max(1.0, 1 / ascending.front());
  const double wanted = share * static_cast<double>(ascending.size());
  // Sums of the smallest ones, smallest first.
  std::vector<double> sums = {0};
  for (const double p : ascending) sums.push_back(sums.back() + p);
  // With the m largest certain, the others share what is still wanted; m is right when none of
  // them would be more than certain.
  for (size_t m = 0; m < ascending.size(); ++m) {
    const size_t others = ascending.size() - m;
    const double kappa = (wanted - static_cast<double>(m)) / sums[others];
    if (kappa * ascending[others - 1] <= 1) return kappa;
  }
  return 1 / ascending.front();
}

void DrawSynapses(const Genome& genome, const v1::SynthesisSpec& spec, uint64_t seed,
                  const v1::JobKey& key, TensorMap& weights) {
  std::vector<double> probabilities;
  for (const int layer : genome.convs()) {
    AppendProbabilities(weights.at(WeightName(genome, layer)).values, spec.selectivity(),
                        probabilities);
  }
  const double kappa = KappaForShare(probabilities, spec.synapses().keep());
  size_t next = 0;
  for (const int layer : genome.convs()) {
    const RandomStream stream(RandomDomain::kSynapses,
                              {seed, static_cast<uint64_t>(key.generation()),
                               static_cast<uint64_t>(key.index()), static_cast<uint64_t>(layer)});
    std::vector<float>& values = weights.at(WeightName(genome, layer)).values;
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i] == 0) continue;
      const double survives = std::min(1.0, kappa * probabilities[next++]);
      const double draw = static_cast<double>(stream.Bits(i)) * 0x1p-32;
      if (!(draw < survives)) values[i] = 0;
    }
  }
}

int64_t CountSynapses(const Genome& genome, const TensorMap& weights) {
  int64_t synapses = 0;
  for (const int layer : genome.convs()) {
    const std::vector<float>& values = weights.at(WeightName(genome, layer)).values;
    synapses += static_cast<int64_t>(values.size()) -
                std::count(values.begin(), values.end(), 0.0f);
  }
  return synapses;
}

}  // namespace squish
