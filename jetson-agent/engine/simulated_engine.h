// The engine `simulated`: a board that is not there. Its speeds are computed, not
// measured, and always say so; they are good for trying things out, and for nothing
// that one would claim of a real board.
//
// The model is a roofline per layer. A call with B pictures takes
//
//   Σ over layers  max(FLOPs / (peak · efficiency), bytes / bandwidth) + launch
//   + (picture bytes + output bytes) / copy bandwidth
//
// with FLOPs = 2 · MACs · B, bytes = the layer's inputs and outputs for B pictures plus its
// weights once. ReLU is fused into the layer before it; Concat is free, its inputs are written in
// place; Dropout does nothing. A larger batch is faster for a picture, as launches and weights
// are shared.
//
// Efficiency and launch are what makes the model give the images/s of SqueezeNet v1.1 that others
// have published for a Jetson TX1 at batches of 2 and 16; that it then gives those at 4 and 8 is
// tested (SimulatedTest.FittedToBatches2And16ItPredicts4And8).
#ifndef SQUISH_JETSON_AGENT_ENGINE_SIMULATED_ENGINE_H_
#define SQUISH_JETSON_AGENT_ENGINE_SIMULATED_ENGINE_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/genome/genome.h"
#include "jetson-agent/engine/server.h"

namespace squish {

// Peak and bandwidth are the published ones of a Jetson TX1 (256 cores · 2 FLOP ·
// 998 MHz = 511 GFLOP/s in fp32; LPDDR4, 25.6 GB/s); how fast copies are is a round guess.
struct SimulatedDevice {
  double peak_flops = 511e9;
  double efficiency = 1;        // Of the peak, that layers reach.
  double bandwidth = 25.6e9;    // Bytes/s.
  double bytes_per_value = 4;
  double copy_bandwidth = 5e9;  // Bytes/s, between host and device, of fp32 values.
  double launch_seconds = 0;    // Of one layer.
};

// Software on a TX1 (JetPack 2.3, GPU at 998 MHz) whose speed with the unmodified SqueezeNet v1.1
// of 1,000 classes at 224×224 was measured and published by others.
struct SimulatedStack {
  absl::string_view name;
  absl::string_view precision;
  double peak_flops;  // fp16 is twice as fast as fp32.
  double bytes_per_value;
  double images_per_second_at_2, images_per_second_at_16;  // At these batches.
};
inline constexpr SimulatedStack kSimulatedStacks[] = {
    {"tensorrt-fp32", "fp32", 511e9, 4, 243, 278},
    {"tensorrt-fp16", "fp16", 1022e9, 2, 370, 530},
    {"caffe-fp32", "fp32", 511e9, 4, 78.8, 130},
};

// The device that is as fast as published at both batches. Deterministic; some ms.
SimulatedDevice FitDevice(const SimulatedStack& stack);

struct SimulatedCall {
  double seconds = 0;
  std::vector<LayerMilliseconds> layers;  // That are launched; without copies.
};

// INVALID_ARGUMENT as ComputeShapes.
absl::StatusOr<SimulatedCall> SimulateCall(const SimulatedDevice& device, const Genome& genome,
                                           int input_size, int batch);

class SimulatedEngine : public Engine {
 public:
  explicit SimulatedEngine(const SimulatedStack& stack = kSimulatedStacks[0])
      : stack_(stack), device_(FitDevice(stack)) {}
  EngineReady Describe() const override;
  // UNIMPLEMENTED: the input is too small for the network.
  absl::StatusOr<std::unique_ptr<LoadedNetwork>> Load(const LoadRequest& request) override;

 private:
  const SimulatedStack stack_;
  const SimulatedDevice device_;
};

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_ENGINE_SIMULATED_ENGINE_H_
