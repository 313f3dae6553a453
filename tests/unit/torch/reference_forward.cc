#include "tests/unit/torch/reference_forward.h"

#include <algorithm>
#include <limits>

#include "common/genome/shapes.h"

namespace squish {
namespace {

struct Planes {
  Shape shape;
  std::vector<double> values;  // Channel, row, column.

  explicit Planes(Shape s)
      : shape(s), values(static_cast<size_t>(s.channels) * s.height * s.width) {}
  double& at(int c, int y, int x) { return values[(c * shape.height + y) * shape.width + x]; }
  bool Inside(int y, int x) const {
    return y >= 0 && x >= 0 && y < shape.height && x < shape.width;
  }
};

double ConvolveAt(const Conv2d& conv, const Tensor& weight, Planes& in, int filter, int y, int x) {
  double sum = 0;
  size_t j = static_cast<size_t>(filter) * in.shape.channels * conv.kernel * conv.kernel;
  for (int c = 0; c < in.shape.channels; ++c) {
    for (int ky = 0; ky < conv.kernel; ++ky) {
      for (int kx = 0; kx < conv.kernel; ++kx, ++j) {
        const int iy = y * conv.stride - conv.padding + ky;
        const int ix = x * conv.stride - conv.padding + kx;
        if (in.Inside(iy, ix)) sum += double{weight.values[j]} * in.at(c, iy, ix);
      }
    }
  }
  return sum;
}

double LargestAt(const MaxPool& pool, Planes& in, int c, int y, int x) {
  double largest = -std::numeric_limits<double>::infinity();
  for (int ky = 0; ky < pool.kernel; ++ky) {
    for (int kx = 0; kx < pool.kernel; ++kx) {
      const int iy = y * pool.stride + ky, ix = x * pool.stride + kx;
      if (in.Inside(iy, ix)) largest = std::max(largest, in.at(c, iy, ix));
    }
  }
  return largest;
}

double MeanOf(Planes& in, int c) {
  double sum = 0;
  for (int y = 0; y < in.shape.height; ++y) {
    for (int x = 0; x < in.shape.width; ++x) sum += in.at(c, y, x);
  }
  return sum / (in.shape.height * in.shape.width);
}

double ValueAt(const Network& network, const Layer& layer, Planes& in, int c, int y, int x) {
  if (const auto* conv = std::get_if<Conv2d>(&layer.operation)) {
    return network.weights.at(layer.name + ".bias").values[c] +
           ConvolveAt(*conv, network.weights.at(layer.name + ".weight"), in, c, y, x);
  }
  if (const auto* pool = std::get_if<MaxPool>(&layer.operation)) return LargestAt(*pool, in, c, y, x);
  if (std::holds_alternative<GlobalAveragePool>(layer.operation)) return MeanOf(in, c);
  if (std::holds_alternative<Relu>(layer.operation)) return std::max(0.0, in.at(c, y, x));
  return in.at(c, y, x);  // Dropout, which does nothing in a forward pass for answers.
}

Planes Joined(const std::vector<int>& inputs, const std::vector<Planes>& outputs, Shape shape) {
  Planes out(shape);
  auto end = out.values.begin();
  for (const int input : inputs) {
    end = std::copy(outputs[input].values.begin(), outputs[input].values.end(), end);
  }
  return out;
}

}  // namespace

std::vector<double> ReferenceForward(const Network& network, const std::vector<float>& picture,
                                     int side) {
  const std::vector<Shape> shapes = *ComputeShapes(network.genome, side);
  std::vector<Planes> outputs(1, Planes(shapes[0]));
  for (size_t i = 0; i < picture.size(); ++i) {
    const int pixel = static_cast<int>(i) / shapes[0].channels;
    outputs[0].at(static_cast<int>(i) % shapes[0].channels, pixel / side, pixel % side) = picture[i];
  }
  for (int i = 1; i < network.genome.size(); ++i) {
    const Layer& layer = network.genome.layer(i);
    if (std::holds_alternative<Concat>(layer.operation)) {
      outputs.push_back(Joined(layer.inputs, outputs, shapes[i]));
      continue;
    }
    Planes out(shapes[i]);
    for (int c = 0; c < shapes[i].channels; ++c) {
      for (int y = 0; y < shapes[i].height; ++y) {
        for (int x = 0; x < shapes[i].width; ++x) {
          out.at(c, y, x) = ValueAt(network, layer, outputs[layer.inputs[0]], c, y, x);
        }
      }
    }
    outputs.push_back(std::move(out));
  }
  return outputs.back().values;
}

}  // namespace squish
