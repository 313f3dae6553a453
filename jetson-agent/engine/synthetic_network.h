// A network in an engine that only pretends: a run is a multiplication.
#ifndef SQUISH_JETSON_AGENT_ENGINE_SYNTHETIC_NETWORK_H_
#define SQUISH_JETSON_AGENT_ENGINE_SYNTHETIC_NETWORK_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "jetson-agent/engine/server.h"

namespace squish {

// Every call takes the same time, and none of ours.
class SyntheticNetwork : public LoadedNetwork {
 public:
  // Without `layers` there is no telling what each of them takes.
  explicit SyntheticNetwork(double call_seconds, std::vector<LayerMilliseconds> layers = {})
      : call_seconds_(call_seconds), layers_(std::move(layers)) {}
  absl::StatusOr<RunTiming> Run(int64_t calls) override {
    return RunTiming{static_cast<double>(calls) * call_seconds_};
  }

  absl::StatusOr<std::vector<LayerMilliseconds>> Profile(int64_t calls) override {
    if (layers_.empty()) return LoadedNetwork::Profile(calls);
    return layers_;
  }

 private:
  const double call_seconds_;
  const std::vector<LayerMilliseconds> layers_;
};

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_ENGINE_SYNTHETIC_NETWORK_H_
