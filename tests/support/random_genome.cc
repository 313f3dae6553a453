#include "tests/support/random_genome.h"

#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <utility>
#include <variant>

#include "common/genome/shapes.h"

namespace squish {
namespace {

// The standard's distributions differ between libraries; its engines do not.
class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}
  // Uniform from low to high, both included.
  int Between(int low, int high) {
    return low + static_cast<int>(engine_() % static_cast<uint64_t>(high - low + 1));
  }
  bool OneIn(int n) { return Between(1, n) == 1; }

 private:
  std::mt19937_64 engine_;
};

constexpr int kMaximumFilters = 12;

class Drawer {
 public:
  explicit Drawer(uint64_t seed) : dice_(seed) {}

  std::vector<Layer> Draw() && {
    int x = Add("input", {}, Input{dice_.OneIn(4) ? dice_.Between(1, 4) : 3});
    const int blocks = dice_.Between(1, 6);
    for (int i = 0; i < blocks; ++i) x = Block(x);
    if (dice_.OneIn(2)) x = Add("drop", {x}, Dropout{dice_.Between(0, 999)});
    const bool pool_first = dice_.OneIn(4);
    if (pool_first) x = Add("pool.global", {x}, GlobalAveragePool{});
    x = Conv("head", x, dice_.Between(2, 6), /*kernel=*/1, 1, 0);
    if (dice_.OneIn(2)) x = AddRelu(x);
    if (!pool_first) Add("pool.global", {x}, GlobalAveragePool{});
    return std::move(layers_);
  }

 private:
  int Add(std::string name, std::vector<int> inputs, Operation operation) {
    layers_.push_back({std::move(name), std::move(inputs), std::move(operation)});
    return static_cast<int>(layers_.size()) - 1;
  }

  std::string NextName(const char* kind) { return kind + std::to_string(layers_.size()); }

  // Filters 0, 1, 2, …, or survivors of something wider.
  int Conv(std::string name, int input, int filters, int kernel, int stride, int padding) {
    Conv2d conv{kernel, stride, padding, {}};
    const int gap = dice_.OneIn(2) ? 0 : 3;
    int index = dice_.Between(0, gap);
    for (int i = 0; i < filters; ++i) {
      conv.lineage.push_back(index);
      index += 1 + dice_.Between(0, gap);
    }
    return Add(std::move(name), {input}, std::move(conv));
  }

  int AddRelu(int input) { return Add(NextName("relu"), {input}, Relu{}); }

  int ConvOf(int input, int kernel, int stride, int padding) {
    const int x =
        Conv(NextName("conv."), input, dice_.Between(1, kMaximumFilters), kernel, stride, padding);
    return dice_.OneIn(4) ? x : AddRelu(x);
  }

  int Block(int x) {
    switch (dice_.Between(0, 5)) {
      case 0:
        return AnyConv(x);
      case 1:
        return AnyPool(x);
      case 2:
        return Strided(x);
      default:
        return Branches(x, /*depth=*/0);
    }
  }

  // The strides of all layers together stay small, so that small pictures pass.
  int AnyStride() {
    const int stride = shrink_ >= 4 ? 1 : dice_.Between(1, 3);
    shrink_ *= stride;
    return stride;
  }

  int AnyConv(int x) {
    const int kernel = dice_.Between(1, 5);
    return ConvOf(x, kernel, AnyStride(), dice_.Between(0, kernel / 2));
  }

  int AnyPool(int x) {
    return Add(NextName("pool"), {x}, MaxPool{dice_.Between(1, 4), AnyStride()});
  }

  // One window for all branches, so that they agree in size at every picture.
  int Strided(int x) {
    const int kernel = dice_.Between(2, 4), stride = AnyStride();
    const int padding = dice_.Between(0, kernel / 2);
    std::vector<int> branches;
    const int count = dice_.Between(2, 3);
    for (int i = 0; i < count; ++i) branches.push_back(ConvOf(x, kernel, stride, padding));
    return Add(NextName("concat"), std::move(branches), Concat{});
  }

  // Branches that keep the size: fire modules, dense connections, concats of concats.
  int Branches(int x, int depth) {
    if (dice_.OneIn(2)) x = ConvOf(x, 1, 1, 0);
    std::vector<int> branches;
    if (dice_.OneIn(4)) branches.push_back(x);
    const int count = dice_.Between(2, 4 - static_cast<int>(branches.size()));
    for (int i = 0; i < count; ++i) {
      if (depth == 0 && dice_.OneIn(5)) {
        branches.push_back(Branches(x, depth + 1));
        continue;
      }
      int branch = x;
      const int length = dice_.Between(1, 2);
      for (int j = 0; j < length; ++j) {
        const int half = dice_.Between(0, 2);
        branch = ConvOf(branch, 2 * half + 1, 1, half);
      }
      branches.push_back(branch);
    }
    return Add(NextName("concat_"), std::move(branches), Concat{});
  }

  Dice dice_;
  std::vector<Layer> layers_;
  int shrink_ = 1;
};

}  // namespace

Genome RandomGenome(uint64_t seed) {
  auto genome = Genome::Create(Drawer(seed).Draw());
  if (!genome.ok()) {
    std::cerr << "RandomGenome(" << seed << ") is no genome: " << genome.status() << std::endl;
    std::abort();
  }
  return *std::move(genome);
}

Genome Widened(const Genome& genome, int factor) {
  std::vector<Layer> layers = genome.layers();
  for (const FilterGroup& group : genome.groups()) {
    if (!group.prunable) continue;
    for (const int layer : group.layers) {
      std::vector<int> lineage;
      for (const int index : genome.conv(layer).lineage) {
        for (int i = 0; i < factor; ++i) lineage.push_back(factor * index + i);
      }
      std::get<Conv2d>(layers[layer].operation).lineage = std::move(lineage);
    }
  }
  auto wide = Genome::Create(std::move(layers));
  if (!wide.ok()) {
    std::cerr << "Widened(…, " << factor << ") is no genome: " << wide.status() << std::endl;
    std::abort();
  }
  return *std::move(wide);
}

std::vector<std::vector<int>> RandomKeep(const Genome& genome, uint64_t seed) {
  Dice dice(seed);
  std::vector<std::vector<int>> keep(genome.size());
  for (const FilterGroup& group : genome.groups()) {
    if (!group.prunable || dice.OneIn(4)) continue;
    const int filters = genome.conv(group.layers.front()).filters();
    std::vector<int> kept;
    for (int i = 0; i < filters; ++i) {
      if (dice.OneIn(2)) kept.push_back(i);
    }
    if (kept.empty()) kept.push_back(dice.Between(0, filters - 1));
    for (const int layer : group.layers) keep[layer] = kept;
  }
  return keep;
}

int SmallestInputSize(const Genome& genome) {
  int size = 1;
  while (!ComputeShapes(genome, size).ok()) ++size;
  return size;
}

Network RandomNetwork(const Genome& genome, uint64_t seed) {
  Network network{genome, FreshWeights(genome, seed, 0, 0), {}, {}};
  Dice dice(seed);
  for (const int conv : genome.convs()) {
    for (float& bias : network.weights.at(genome.layer(conv).name + ".bias").values) {
      bias = static_cast<float>(dice.Between(-64, 64)) / 256.0f;
    }
  }
  for (int i = 0; i < genome.classes(); ++i) {
    network.class_names.push_back("class " + std::to_string(i));
  }
  network.preprocessing.set_input_size(SmallestInputSize(genome));
  network.preprocessing.set_resize(v1::SQUASH);
  for (int i = 0; i < genome.OutputChannels(0); ++i) {
    network.preprocessing.add_mean(0.25f + 0.125f * static_cast<float>(i));
    network.preprocessing.add_std(0.25f);
  }
  return network;
}

}  // namespace squish
