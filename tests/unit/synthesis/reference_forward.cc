#include "tests/unit/synthesis/reference_forward.h"

#include <algorithm>
#include <limits>

#include "common/base/random.h"

namespace squish {
namespace {

struct Planes {
  int channels, side;
  std::vector<double> values;
  Planes(int channels, int side)
      : channels(channels), side(side), values(static_cast<size_t>(channels) * side * side) {}
  double& at(int c, int y, int x) { return values[(static_cast<size_t>(c) * side + y) * side + x]; }
  double at(int c, int y, int x) const { return const_cast<Planes*>(this)->at(c, y, x); }
};

Planes RandomPicture(int channels, int side, uint64_t seed) {
  const RandomStream stream(RandomDomain::kBuiltInShapes, {seed});
  Planes picture(channels, side);
  for (size_t i = 0; i < picture.values.size(); ++i) {
    picture.values[i] = 4.0 * stream.Uniform(i) - 2.0;
  }
  return picture;
}

Planes Convolve(const Planes& in, const Conv2d& conv, const Tensor& weight, const Tensor& bias) {
  const int side = (in.side + 2 * conv.padding - conv.kernel) / conv.stride + 1;
  Planes out(conv.filters(), side);
  for (int f = 0; f < out.channels; ++f) {
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) {
        double sum = bias.values[f];
        for (int c = 0; c < in.channels; ++c) {
          for (int ky = 0; ky < conv.kernel; ++ky) {
            for (int kx = 0; kx < conv.kernel; ++kx) {
              const int sy = y * conv.stride - conv.padding + ky;
              const int sx = x * conv.stride - conv.padding + kx;
              if (sy < 0 || sx < 0 || sy >= in.side || sx >= in.side) continue;
              const size_t j =
                  ((static_cast<size_t>(f) * in.channels + c) * conv.kernel + ky) * conv.kernel +
                  kx;
              sum += weight.values[j] * in.at(c, sy, sx);
            }
          }
        }
        out.at(f, y, x) = sum;
      }
    }
  }
  return out;
}

// Ceil mode: a window may hang over the edge, and starts inside.
Planes Pool(const Planes& in, const MaxPool& pool) {
  int side = 1;
  while (side * pool.stride < in.side && (side - 1) * pool.stride + pool.kernel < in.side) ++side;
  Planes out(in.channels, side);
  for (int c = 0; c < in.channels; ++c) {
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) {
        double best = -std::numeric_limits<double>::infinity();
        for (int sy = y * pool.stride; sy < std::min(in.side, y * pool.stride + pool.kernel);
             ++sy) {
          for (int sx = x * pool.stride; sx < std::min(in.side, x * pool.stride + pool.kernel);
               ++sx) {
            best = std::max(best, in.at(c, sy, sx));
          }
        }
        out.at(c, y, x) = best;
      }
    }
  }
  return out;
}

Planes Average(const Planes& in) {
  Planes out(in.channels, 1);
  const size_t area = static_cast<size_t>(in.side) * in.side;
  for (int c = 0; c < in.channels; ++c) {
    for (size_t i = 0; i < area; ++i) out.values[c] += in.values[c * area + i] / area;
  }
  return out;
}

void Mask(Planes& planes, const std::vector<int>& kept) {
  for (int c = 0; c < planes.channels; ++c) {
    if (std::find(kept.begin(), kept.end(), c) != kept.end()) continue;
    for (int y = 0; y < planes.side; ++y) {
      for (int x = 0; x < planes.side; ++x) planes.at(c, y, x) = 0.0;
    }
  }
}

}  // namespace

std::vector<double> ReferenceLogits(const Genome& genome, const TensorMap& weights, int input_size,
                                    uint64_t picture_seed,
                                    const std::vector<std::vector<int>>& keep) {
  std::vector<Planes> outputs;
  for (int l = 0; l < genome.size(); ++l) {
    const Layer& layer = genome.layer(l);
    if (const auto* input = std::get_if<Input>(&layer.operation)) {
      outputs.push_back(RandomPicture(input->channels, input_size, picture_seed));
      continue;
    }
    const Planes& in = outputs[layer.inputs[0]];
    if (const auto* conv = std::get_if<Conv2d>(&layer.operation)) {
      outputs.push_back(Convolve(in, *conv, weights.at(layer.name + ".weight"),
                                 weights.at(layer.name + ".bias")));
      if (!keep.empty() && !keep[l].empty()) Mask(outputs.back(), keep[l]);
    } else if (const auto* pool = std::get_if<MaxPool>(&layer.operation)) {
      outputs.push_back(Pool(in, *pool));
    } else if (std::holds_alternative<GlobalAveragePool>(layer.operation)) {
      outputs.push_back(Average(in));
    } else if (std::holds_alternative<Concat>(layer.operation)) {
      Planes joined(0, in.side);
      for (const int i : layer.inputs) {
        joined.channels += outputs[i].channels;
        joined.values.insert(joined.values.end(), outputs[i].values.begin(),
                             outputs[i].values.end());
      }
      outputs.push_back(std::move(joined));
    } else {
      Planes same = in;
      if (std::holds_alternative<Relu>(layer.operation)) {
        for (double& value : same.values) value = std::max(value, 0.0);
      }
      outputs.push_back(std::move(same));
    }
  }
  return outputs.back().values;
}

}  // namespace squish
