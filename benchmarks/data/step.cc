// Our side of the data benchmark: the trainer's own steps, fed from a cache or from
// memory. Reads "MODE STEPS" a line on stdin, answers with the seconds that they took:
//
//   cache     batches from the cache: converted, normalised, mirrored, shifted
//   full      the same with resized crops and varied colour
//   memory    random batches that lie in memory, normalised already: no data work at all
//   bf16      as memory, in bf16
//
// With --network it only writes a fresh network for the cache's pictures.
#include "common/torch/aten.h"

#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/dataset/cache.h"
#include "common/genome/ancestors.h"
#include "common/torch/numerics.h"
#include "common/torch/torch_network.h"
#include "common/weights/network.h"
#include "worker/trainer/feed.h"
#include "worker/trainer/loss.h"
#include "worker/trainer/sgd.h"

namespace squish {
namespace {

constexpr uint64_t kSeed = 1;
constexpr int kBatchesInMemory = 4;  // More than a cache of the processor's holds.

v1::Recipe MakeRecipe(int batch, bool full) {
  v1::Recipe recipe;
  recipe.set_batch(batch);
  recipe.set_momentum(0.9);
  recipe.set_weight_decay(0.0002);
  recipe.set_gradient_clip(2);
  recipe.set_flip(true);
  recipe.set_shift(4);
  recipe.set_crop_area(full ? 0.35 : 1);
  recipe.set_colour(full ? 0.4 : 0);
  return recipe;
}

Network FreshNetwork(const DatasetCache& cache) {
  const v1::DatasetSummary& summary = cache.summary();
  Genome genome = *SqueezeNetV11(summary.class_names_size());
  TensorMap weights = FreshWeights(genome, kSeed, 0, 0);
  Network network{std::move(genome), std::move(weights),
                  {summary.class_names().begin(), summary.class_names().end()}, {}, {}};
  network.preprocessing.set_input_size(cache.image_size());
  network.preprocessing.set_resize(v1::SQUASH);
  *network.preprocessing.mutable_mean() = summary.mean();
  *network.preprocessing.mutable_std() = summary.std();
  return network;
}

class Steps {
 public:
  Steps(const DatasetCache& cache, int batch)
      : batch_(batch),
        start_(FreshNetwork(cache)),
        network_(*TorchNetwork::Create(start_.genome, start_.weights, at::kCPU)),
        sgd_(network_, MakeRecipe(batch, /*full=*/false)),
        train_(cache, v1::TRAIN, start_.preprocessing, at::kCPU) {
    for (int i = 0; i < kBatchesInMemory; ++i) {
      const at::Tensor pictures = at::randn({batch, 3, train_.side(), train_.side()});
      memory_.push_back({pictures.contiguous(at::MemoryFormat::ChannelsLast),
                         at::randint(start_.genome.classes(), {batch}, at::kLong)});
    }
  }

  double Seconds(const std::string& mode, int steps) {
    const absl::Duration start = Clock::System().Steady();
    if (mode == "cache" || mode == "full") {
      Feed feed(train_, MakeRecipe(batch_, mode == "full"), kSeed, /*first=*/0, steps);
      Take(steps, /*bf16=*/false, [&](int) { return feed.Next(); });
    } else {
      Take(steps, mode == "bf16", [&](int step) { return memory_[step % kBatchesInMemory]; });
    }
    return absl::ToDoubleSeconds(Clock::System().Steady() - start);
  }

 private:
  void Take(int steps, bool bf16, const std::function<Batch(int step)>& next) {
    for (int step = 0; step < steps; ++step) {
      const Batch batch = next(step);
      const RandomStream dropout(RandomDomain::kDropout, {kSeed, steps_taken_++});
      const at::Tensor logits = network_.Forward(
          batch.pictures, {.dropout = &dropout, .bf16 = bf16, .observe = {}});
      const at::Tensor loss = CrossEntropy(logits, batch.labels, 0);
      loss.item<double>();
      sgd_.Step(torch::autograd::grad({loss}, network_.parameters()), 1e-3);
    }
  }

  const int batch_;
  const Network start_;
  TorchNetwork network_;
  Sgd sgd_;
  const Batches train_;
  std::vector<Batch> memory_;
  uint64_t steps_taken_ = 0;
};

int Run(const std::string& cache_path, const std::string& network_path, int batch) {
  const auto cache = DatasetCache::Open(cache_path);
  if (!cache.ok()) {
    std::cerr << cache.status().message() << "\n";
    return EXIT_FAILURE;
  }
  if (!network_path.empty()) {
    const absl::Status written =
        WriteFileDurably(network_path, FreshNetwork(**cache).ToSafetensors());
    if (!written.ok()) std::cerr << written.message() << "\n";
    return written.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
  }
  Steps steps(**cache, batch);
  std::string mode;
  for (int count = 0; std::cin >> mode >> count;) {
    std::cout << steps.Seconds(mode, count) << std::endl;
  }
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace squish

int main(int argc, char** argv) {
  std::string cache, network;
  int batch = 64, threads = 1;
  CLI::App app("One side of the data benchmark; see benchmarks/data/run.");
  app.add_option("--cache", cache, "Cache file of a data set")->required();
  app.add_option("--network", network, "Only write a fresh network to this file");
  app.add_option("--batch", batch, "Pictures a step");
  app.add_option("--threads", threads, "Threads of one operation");
  CLI11_PARSE(app, argc, argv);
  squish::PrepareTorchProcess();
  squish::SetTorchThreads(threads);
  return squish::Run(cache, network, batch);
}
