#include "worker/synthesis/inheritance.h"

#include <numeric>

#include "absl/strings/str_cat.h"

namespace squish {
namespace {

// Positions that survive in every layer; all of them where `keep` is empty.
std::vector<int> Survivors(const std::vector<int>& keep, int filters) {
  if (!keep.empty()) return keep;
  std::vector<int> all(filters);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

// Positions among a convolution's inputs whose filters survived.
std::vector<int> SurvivingInputs(const Genome& parent, int layer,
                                 const std::vector<std::vector<bool>>& alive) {
  std::vector<int> inputs;
  const auto origins = parent.InputOrigins(layer);
  for (size_t i = 0; i < origins.size(); ++i) {
    const auto& source = alive[origins[i].layer];
    if (source.empty() || source[origins[i].filter]) inputs.push_back(static_cast<int>(i));
  }
  return inputs;
}

// Rows `filters` and columns `inputs` of a filters × inputs × kernel × kernel tensor.
Tensor Slice(const Tensor& weight, const std::vector<int>& filters,
             const std::vector<int>& inputs) {
  const size_t area = weight.shape[2] * weight.shape[3];
  Tensor slice;
  slice.shape = {static_cast<int64_t>(filters.size()), static_cast<int64_t>(inputs.size()),
                 weight.shape[2], weight.shape[3]};
  slice.values.reserve(filters.size() * inputs.size() * area);
  for (const int filter : filters) {
    for (const int input : inputs) {
      const auto begin = weight.values.begin() + (filter * weight.shape[1] + input) * area;
      slice.values.insert(slice.values.end(), begin, begin + area);
    }
  }
  return slice;
}

}  // namespace

TensorMap InheritWeights(const Genome& parent, const TensorMap& weights,
                         const std::vector<std::vector<int>>& keep) {
  // By layer; empty where nothing died (other layers than convolutions included).
  std::vector<std::vector<bool>> alive(parent.size());
  for (const int layer : parent.convs()) {
    if (keep[layer].empty()) continue;
    alive[layer].assign(parent.conv(layer).filters(), false);
    for (const int filter : keep[layer]) alive[layer][filter] = true;
  }
  TensorMap inherited;
  for (const int layer : parent.convs()) {
    const std::string& name = parent.layer(layer).name;
    const std::vector<int> filters = Survivors(keep[layer], parent.conv(layer).filters());
    inherited[absl::StrCat(name, ".weight")] = Slice(
        weights.at(absl::StrCat(name, ".weight")), filters, SurvivingInputs(parent, layer, alive));
    const Tensor& bias = weights.at(absl::StrCat(name, ".bias"));
    Tensor& kept = inherited[absl::StrCat(name, ".bias")];
    kept.shape = {static_cast<int64_t>(filters.size())};
    for (const int filter : filters) kept.values.push_back(bias.values[filter]);
  }
  return inherited;
}

}  // namespace squish
