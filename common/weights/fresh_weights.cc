#include <cmath>
#include <utility>

#include "common/weights/network.h"

namespace squish {
namespace {

// As torchvision's SqueezeNet: the head is drawn narrower than the rest.
constexpr double kHeadDeviation = 0.01;
// Far enough above zero that the ReLU behind the head lets everything through while a
// network learns. From 0, as torchvision has it, filters of the head fall below zero for
// every picture in the first steps and never learn again. What all classes have in
// common, the softmax does not see.
constexpr float kHeadBias = 10.0f;

void DrawUniform(const RandomStream& stream, double bound, std::vector<float>& values) {
  for (size_t j = 0; j < values.size(); ++j) {
    values[j] = static_cast<float>((2.0 * stream.Uniform(j) - 1.0) * bound);
  }
}

void DrawNormal(const RandomStream& stream, double deviation, std::vector<float>& values) {
  for (size_t j = 0; j < values.size(); ++j) {
    values[j] = static_cast<float>(stream.Normal(j) * deviation);
  }
}

}  // namespace

TensorMap FreshWeights(const Genome& genome, uint64_t seed, uint64_t generation, uint64_t index) {
  TensorMap weights;
  for (const int i : genome.convs()) {
    const Conv2d& conv = genome.conv(i);
    const int64_t fan_in = int64_t{genome.InputChannels(i)} * conv.kernel * conv.kernel;
    Tensor weight{{conv.filters(), genome.InputChannels(i), conv.kernel, conv.kernel},
                  std::vector<float>(conv.filters() * fan_in)};
    const RandomStream stream(RandomDomain::kWeights,
                              {seed, generation, index, static_cast<uint64_t>(i)});
    if (i == genome.head()) {
      DrawNormal(stream, kHeadDeviation, weight.values);
    } else {
      DrawUniform(stream, std::sqrt(6.0 / static_cast<double>(fan_in)), weight.values);
    }
    const std::string& name = genome.layer(i).name;
    weights[name + ".weight"] = std::move(weight);
    const float bias = i == genome.head() ? kHeadBias : 0.0f;
    weights[name + ".bias"] = Tensor{{conv.filters()}, std::vector<float>(conv.filters(), bias)};
  }
  return weights;
}

}  // namespace squish
