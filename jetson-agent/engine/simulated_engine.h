// The engine `simulated`: a board that is not there. Its speeds are computed, not
// measured, and always say so; they are good for trying things out, and for nothing
// that one would claim of a real board.
//
// The model is a roofline per layer. A call with B pictures takes
//
//   Σ over layers  max(FLOPs / (peak · efficiency), bytes / bandwidth) + launch
//   + (picture bytes + output bytes) / copy bandwidth
//
// with FLOPs = 2 · MACs · B, bytes = the layer's fp32 inputs and outputs for B
// pictures plus its weights once. ReLU is fused into the layer before it; Concat is
// free, its inputs are written in place; Dropout does nothing.
#ifndef SQUISH_JETSON_AGENT_ENGINE_SIMULATED_ENGINE_H_
#define SQUISH_JETSON_AGENT_ENGINE_SIMULATED_ENGINE_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/genome/genome.h"
#include "jetson-agent/engine/server.h"

namespace squish {

// Peak and bandwidth are the published ones of a Jetson TX1 (256 cores · 2 FLOP ·
// 998 MHz = 511 GFLOP/s; LPDDR4, 25.6 GB/s). The others are round guesses, not
// fitted to a board.
struct SimulatedDevice {
  double peak_flops = 511e9;
  double efficiency = 0.5;
  double bandwidth = 25.6e9;      // Bytes/s.
  double copy_bandwidth = 5e9;    // Bytes/s, between host and device.
  double launch_seconds = 20e-6;  // Of one layer.
};

struct SimulatedCall {
  double seconds = 0;
  std::vector<LayerMilliseconds> layers;  // That are launched; without copies.
};

// INVALID_ARGUMENT as ComputeShapes.
absl::StatusOr<SimulatedCall> SimulateCall(const SimulatedDevice& device, const Genome& genome,
                                           int input_size, int batch);

class SimulatedEngine : public Engine {
 public:
  EngineReady Describe() const override;
  // UNIMPLEMENTED: the input is too small for the network.
  absl::StatusOr<std::unique_ptr<LoadedNetwork>> Load(const LoadRequest& request) override;

 private:
  const SimulatedDevice device_{};
};

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_ENGINE_SIMULATED_ENGINE_H_
