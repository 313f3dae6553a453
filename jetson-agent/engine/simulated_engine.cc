#include "jetson-agent/engine/simulated_engine.h"

#include <algorithm>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/genome/ancestors.h"
#include "common/genome/shapes.h"
#include "jetson-agent/engine/network_file.h"
#include "jetson-agent/engine/synthetic_network.h"

namespace squish {
namespace {

constexpr double kBytesOfCopiedValue = 4;  // The host's are fp32.
// What the published figures are of.
constexpr int kPublishedClasses = 1000;
constexpr int kPublishedSize = 224;
constexpr int kFitSteps = 60;  // Bisections: down to a double's last bits.

double Values(const Shape& shape) {
  return static_cast<double>(shape.channels) * shape.height * shape.width;
}

struct Work {
  double flops = 0;
  double values = 0;  // Moved between memory and processor.
};

// Of one layer that is launched on its own, for `batch` pictures.
Work WorkOf(const Genome& genome, const std::vector<Shape>& shapes, int index, int batch) {
  const Layer& layer = genome.layer(index);
  double inputs = 0;
  for (const int input : layer.inputs) inputs += Values(shapes[input]);
  const double outputs = Values(shapes[index]);
  Work work{.flops = 0, .values = batch * (inputs + outputs)};
  if (const auto* conv = std::get_if<Conv2d>(&layer.operation)) {
    const double weights_per_filter =
        static_cast<double>(genome.InputChannels(index)) * conv->kernel * conv->kernel;
    work.flops = 2 * weights_per_filter * outputs * batch;
    work.values += conv->filters() * (weights_per_filter + 1);
  } else if (const auto* pool = std::get_if<MaxPool>(&layer.operation)) {
    work.flops = static_cast<double>(pool->kernel) * pool->kernel * outputs * batch;
  } else {
    work.flops = inputs * batch;
  }
  return work;
}

bool IsLaunched(const Operation& operation) {
  return std::holds_alternative<Conv2d>(operation) || std::holds_alternative<MaxPool>(operation) ||
         std::holds_alternative<GlobalAveragePool>(operation);
}

}  // namespace

absl::StatusOr<SimulatedCall> SimulateCall(const SimulatedDevice& device, const Genome& genome,
                                           int input_size, int batch) {
  SQUISH_ASSIGN_OR_RETURN(const std::vector<Shape> shapes, ComputeShapes(genome, input_size));
  SimulatedCall call;
  call.seconds = kBytesOfCopiedValue * batch * (Values(shapes.front()) + Values(shapes.back())) /
                 device.copy_bandwidth;
  for (int i = 0; i < genome.size(); ++i) {
    if (!IsLaunched(genome.layer(i).operation)) continue;
    const Work work = WorkOf(genome, shapes, i, batch);
    const double seconds = std::max(work.flops / (device.peak_flops * device.efficiency),
                                    device.bytes_per_value * work.values / device.bandwidth) +
                           device.launch_seconds;
    call.seconds += seconds;
    call.layers.push_back({genome.layer(i).name, 1000 * seconds});
  }
  return call;
}

SimulatedDevice FitDevice(const SimulatedStack& stack) {
  // Both are known to be possible: no status to look at.
  const Genome genome = *SqueezeNetV11(kPublishedClasses, 1);
  SimulatedDevice device;
  device.peak_flops = stack.peak_flops;
  device.bytes_per_value = stack.bytes_per_value;
  const auto simulate = [&](int batch) {
    return *SimulateCall(device, genome, kPublishedSize, batch);
  };
  const double seconds_at_2 = 2 / stack.images_per_second_at_2;
  const double seconds_at_16 = 16 / stack.images_per_second_at_16;
  // What 14 pictures more take does not depend on the launches, and falls as efficiency grows.
  double low = 1e-3, high = 1;
  for (int step = 0; step < kFitSteps; ++step) {
    device.efficiency = (low + high) / 2;
    const bool too_slow =
        simulate(16).seconds - simulate(2).seconds > seconds_at_16 - seconds_at_2;
    (too_slow ? low : high) = device.efficiency;
  }
  const SimulatedCall without_launches = simulate(2);
  device.launch_seconds = (seconds_at_2 - without_launches.seconds) /
                          static_cast<double>(without_launches.layers.size());
  return device;
}

EngineReady SimulatedEngine::Describe() const {
  return {.engine = "simulated",
          .precision = std::string(stack_.precision),
          .version = absl::StrCat("analytic roofline 2, ", stack_.name),
          .device_class = "simulated-tx1",
          .synthetic = true};
}

absl::StatusOr<std::unique_ptr<LoadedNetwork>> SimulatedEngine::Load(const LoadRequest& request) {
  SQUISH_ASSIGN_OR_RETURN(const Genome genome, ReadGenome(request.path));
  const absl::StatusOr<SimulatedCall> call =
      SimulateCall(device_, genome, request.input_size, request.batch);
  if (!call.ok()) return absl::UnimplementedError(call.status().message());
  return std::make_unique<SyntheticNetwork>(call->seconds, call->layers);
}

}  // namespace squish
