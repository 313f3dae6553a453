// `squish-engine-torch`: the engine `torch`, LibTorch on the host's processor, fp32.
// Started by the agent; speaks docs/engines.md on stdin and stdout.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common/base/file.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/child/parent_watch.h"
#include "common/genome/shapes.h"
#include "common/torch/inference.h"
#include "common/torch/numerics.h"
#include "common/weights/network.h"
#include "jetson-agent/engine/server.h"

namespace squish {
namespace {

// Random but fixed pictures in the range of normalised ones. Not zeros: arithmetic on
// zeros may be faster.
std::vector<float> MakePictures(size_t values) {
  std::mt19937 random;  // Default seed.
  std::vector<float> pictures(values);
  for (float& value : pictures) value = static_cast<float>(random()) * 0x1p-30f - 2;  // [-2, 2]
  return pictures;
}

class TorchNetworkRun : public LoadedNetwork {
 public:
  TorchNetworkRun(std::unique_ptr<Inference> inference, std::vector<std::string> layers,
                  int threads, size_t picture_values, size_t logit_values)
      : inference_(std::move(inference)),
        layers_(std::move(layers)),
        threads_(threads),
        pictures_(MakePictures(picture_values)),
        logits_(logit_values) {}

  // A call reads the pictures where they lie, as memory of the host is the device's,
  // and copies the logits out.
  absl::StatusOr<double> Run(int64_t calls) override {
    SetTorchThreads(threads_);
    const auto start = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < calls; ++i) {
      SQUISH_RETURN_IF_ERROR(inference_->Run(pictures_, absl::MakeSpan(logits_)));
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  absl::StatusOr<std::vector<LayerMilliseconds>> Profile(int64_t calls) override {
    SetTorchThreads(threads_);
    SQUISH_ASSIGN_OR_RETURN(
        const std::vector<double> seconds,
        inference_->Profile(pictures_, static_cast<int>(std::min<int64_t>(calls, 1 << 20))));
    std::vector<LayerMilliseconds> times;
    for (size_t l = 1; l < seconds.size(); ++l) times.push_back({layers_[l], 1000 * seconds[l]});
    return times;
  }

 private:
  const std::unique_ptr<Inference> inference_;
  const std::vector<std::string> layers_;  // The picture's first.
  const int threads_;
  const std::vector<float> pictures_;
  std::vector<float> logits_;
};

class TorchEngine : public Engine {
 public:
  EngineReady Describe() const override {
    return {.engine = "torch",
            .precision = "fp32",
            .version = NumericsClass(/*threads=*/1, /*cuda=*/false),
            .device_class = "",
            .synthetic = false};
  }

  absl::StatusOr<std::unique_ptr<LoadedNetwork>> Load(const LoadRequest& request) override {
    SQUISH_ASSIGN_OR_RETURN(const std::string file, ReadFile(request.path));
    const absl::StatusOr<Network> network = Network::FromSafetensors(file);
    if (!network.ok()) return Annotate(network.status(), request.path);
    const Genome& genome = network->genome;
    if (absl::Status fits = ComputeShapes(genome, request.input_size).status(); !fits.ok()) {
      return absl::UnimplementedError(fits.message());
    }
    SQUISH_ASSIGN_OR_RETURN(
        std::unique_ptr<Inference> inference,
        Inference::Create(genome, network->weights, request.batch, request.input_size));
    const size_t pixels = size_t{1} * request.batch * request.input_size * request.input_size;
    std::vector<std::string> layers;
    for (const Layer& layer : genome.layers()) layers.push_back(layer.name);
    return std::make_unique<TorchNetworkRun>(std::move(inference), std::move(layers),
                                             request.threads,
                                             pixels * genome.OutputChannels(0),
                                             size_t{1} * request.batch * genome.classes());
  }
};

}  // namespace
}  // namespace squish

int main() {
  squish::PrepareTorchProcess();  // First: its threads inherit how denormals are treated.
  squish::EndWithParent();
  squish::TorchEngine engine;
  squish::Serve(engine, std::cin, std::cout);
  return 0;
}
