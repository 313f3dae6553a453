// Our side of the training benchmark: steps of the trainer's own parts on one fixed
// batch. Reads a number of steps a line on stdin, answers with the seconds they took.
#include "common/torch/aten.h"

#include <torch/csrc/autograd/autograd.h>

#include <iostream>

#include "CLI/CLI.hpp"
#include "common/base/clock.h"
#include "common/genome/ancestors.h"
#include "common/torch/numerics.h"
#include "common/torch/torch_network.h"
#include "worker/trainer/loss.h"
#include "worker/trainer/sgd.h"

namespace squish {
namespace {

constexpr int kClasses = 10;

v1::Recipe MakeRecipe() {
  v1::Recipe recipe;
  recipe.set_momentum(0.9);
  recipe.set_weight_decay(0.0002);
  recipe.set_gradient_clip(2);
  return recipe;
}

void Serve(int side, int batch) {
  const Genome genome = *SqueezeNetV11(kClasses);
  TorchNetwork network = *TorchNetwork::Create(genome, FreshWeights(genome, 1, 0, 0), at::kCPU);
  Sgd sgd(network, MakeRecipe());
  const at::Tensor pictures =
      at::randn({batch, 3, side, side}).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor labels = at::randint(kClasses, {batch}, at::kLong);
  uint64_t step = 0;
  for (int steps = 0; std::cin >> steps;) {
    const absl::Duration start = Clock::System().Steady();
    for (int i = 0; i < steps; ++i) {
      const RandomStream dropout(RandomDomain::kDropout, {1, step++});
      const at::Tensor logits = network.Forward(pictures, {.dropout = &dropout, .observe = {}});
      const at::Tensor loss = CrossEntropy(logits, labels, 0);
      loss.item<double>();
      sgd.Step(torch::autograd::grad({loss}, network.parameters()), 1e-3);
    }
    std::cout << absl::ToDoubleSeconds(Clock::System().Steady() - start) << std::endl;
  }
}

}  // namespace
}  // namespace squish

int main(int argc, char** argv) {
  int side = 64, batch = 32, threads = 1;
  CLI::App app("One side of the training benchmark; see benchmarks/training/run.");
  app.add_option("--side", side, "Pixels a side");
  app.add_option("--batch", batch, "Pictures a step");
  app.add_option("--threads", threads, "Threads of one operation");
  CLI11_PARSE(app, argc, argv);
  squish::PrepareTorchProcess();
  squish::SetTorchThreads(threads);
  squish::Serve(side, batch);
}
