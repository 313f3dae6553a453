// A network in an engine that only pretends: a run is a multiplication.
#ifndef SQUISH_JETSON_AGENT_ENGINE_SYNTHETIC_NETWORK_H_
#define SQUISH_JETSON_AGENT_ENGINE_SYNTHETIC_NETWORK_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "jetson-agent/engine/server.h"

namespace squish {

// Every call takes the same time, and none of ours.
class SyntheticNetwork : public LoadedNetwork {
 public:
  explicit SyntheticNetwork(double call_seconds) : call_seconds_(call_seconds) {}
  absl::StatusOr<double> Run(int64_t calls) override {
    return static_cast<double>(calls) * call_seconds_;
  }

 private:
  const double call_seconds_;
};

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_ENGINE_SYNTHETIC_NETWORK_H_
