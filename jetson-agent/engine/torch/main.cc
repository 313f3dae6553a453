// `squish-engine-torch`: the engine `torch`, LibTorch on the host's processor, fp32.
// Started by the agent; speaks docs/engines.md on stdin and stdout.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
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
#include "jetson-agent/engine/pictures.h"
#include "jetson-agent/engine/server.h"

namespace squish {
namespace {

// As LibTorch takes them: batch × side × side × channels.
std::vector<float> ChannelsLast(const std::vector<float>& values, const Pictures& pictures) {
  const size_t pixels = size_t{1} * pictures.side * pictures.side;
  const size_t channels = pictures.channels;
  std::vector<float> result(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t picture = i / (channels * pixels);
    const size_t channel = i / pixels % channels;
    result[(picture * pixels + i % pixels) * channels + channel] = values[i];
  }
  return result;
}

struct TorchSetting {
  int batch = 1;
  int threads = 1;
  int classes = 0;
};

class TorchNetworkRun : public LoadedNetwork {
 public:
  // `probe`: whether the pictures are the probe's.
  TorchNetworkRun(std::unique_ptr<Inference> inference, std::vector<std::string> layers,
                  const TorchSetting& setting, Pictures pictures, bool probe)
      : inference_(std::move(inference)),
        layers_(std::move(layers)),
        setting_(setting),
        pictures_(std::move(pictures)),
        probe_(probe),
        input_(Input(0)),
        logits_(size_t{1} * setting.batch * setting.classes) {}

  // A call reads the pictures where they lie, as memory of the host is the device's,
  // and copies the logits out.
  absl::StatusOr<RunTiming> Run(int64_t calls) override {
    using Clock = std::chrono::steady_clock;
    SetTorchThreads(setting_.threads);
    constexpr auto kLatencies = static_cast<int64_t>(kMaximumLatencies);
    const int64_t calls_per_latency = (calls + kLatencies - 1) / kLatencies;
    RunTiming timing;
    timing.latencies.reserve(kMaximumLatencies);
    const Clock::time_point start = Clock::now();
    Clock::time_point last = start;
    for (int64_t i = 0; i < calls; ++i) {
      SQUISH_RETURN_IF_ERROR(inference_->Run(input_, absl::MakeSpan(logits_)));
      const Clock::time_point now = Clock::now();
      if (i % calls_per_latency == 0) {
        timing.latencies.push_back(std::chrono::duration<double>(now - last).count());
      }
      last = now;
    }
    timing.seconds = std::chrono::duration<double>(last - start).count();
    return timing;
  }

  absl::StatusOr<std::vector<std::vector<double>>> Outputs() override {
    if (!probe_) return LoadedNetwork::Outputs();
    SetTorchThreads(setting_.threads);
    std::vector<std::vector<double>> outputs;
    for (int first = 0; first < pictures_.count; first += setting_.batch) {
      SQUISH_RETURN_IF_ERROR(inference_->Run(Input(first), absl::MakeSpan(logits_)));
      for (int i = 0; i < setting_.batch && first + i < pictures_.count; ++i) {
        const auto row = logits_.begin() + static_cast<ptrdiff_t>(i) * setting_.classes;
        outputs.emplace_back(row, row + setting_.classes);
      }
    }
    return outputs;
  }

  absl::StatusOr<std::vector<LayerMilliseconds>> Profile(int64_t calls) override {
    SetTorchThreads(setting_.threads);
    SQUISH_ASSIGN_OR_RETURN(
        const std::vector<double> seconds,
        inference_->Profile(input_, static_cast<int>(std::min<int64_t>(calls, 1 << 20))));
    std::vector<LayerMilliseconds> times;
    for (size_t l = 1; l < seconds.size(); ++l) times.push_back({layers_[l], 1000 * seconds[l]});
    return times;
  }

 private:
  std::vector<float> Input(int first) const {
    return ChannelsLast(BatchOf(pictures_, first, setting_.batch), pictures_);
  }

  const std::unique_ptr<Inference> inference_;
  const std::vector<std::string> layers_;  // The picture's first.
  const TorchSetting setting_;
  const Pictures pictures_;
  const bool probe_;
  const std::vector<float> input_;
  std::vector<float> logits_;
};

class TorchEngine : public Engine {
 public:
  EngineReady Describe() const override {
    return {.engine = "torch",
            .precision = "fp32",
            .version = NumericsClass(/*threads=*/1, /*cuda=*/false),
            .device_class = "",
            .synthetic = false,
            .outputs = true};
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
    std::vector<std::string> layers;
    for (const Layer& layer : genome.layers()) layers.push_back(layer.name);
    const bool probe = !request.probe.empty();
    const int channels = genome.OutputChannels(0);
    Pictures pictures;
    if (probe) {
      SQUISH_ASSIGN_OR_RETURN(pictures, ReadProbe(request.probe, channels, request.input_size));
    } else {
      pictures = RandomPictures(request.batch, channels, request.input_size);
    }
    const TorchSetting setting{request.batch, request.threads, genome.classes()};
    return std::make_unique<TorchNetworkRun>(std::move(inference), std::move(layers), setting,
                                             std::move(pictures), probe);
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
