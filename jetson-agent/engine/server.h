// The engine's side of the contract: what an engine of ours implements, and the loop
// that speaks for it.
#ifndef SQUISH_JETSON_AGENT_ENGINE_SERVER_H_
#define SQUISH_JETSON_AGENT_ENGINE_SERVER_H_

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "jetson-agent/engine/contract.h"

namespace squish {

// What a run took.
struct RunTiming {
  double seconds = 0;
  std::vector<double> latencies = {};  // As BlockReply.latencies.
};

// A network inside an engine, ready to run. Used by one thread.
class LoadedNetwork {
 public:
  virtual ~LoadedNetwork() = default;
  // As Loaded.engine_sha256.
  virtual std::string EngineSha256() const { return ""; }
  // Makes `calls` calls, one after the other. Any error.
  virtual absl::StatusOr<RunTiming> Run(int64_t calls) = 0;
  // Logits of every picture of the probe. UNIMPLEMENTED: the engine computes none, or there
  // is no probe. Else any error.
  virtual absl::StatusOr<std::vector<std::vector<double>>> Outputs() {
    return absl::UnimplementedError("this engine gives no outputs");
  }
  // How long each layer takes in one call, over so many. UNIMPLEMENTED: there is no telling.
  virtual absl::StatusOr<std::vector<LayerMilliseconds>> Profile(int64_t /*calls*/) {
    return absl::UnimplementedError("this engine cannot time layers");
  }
};

// Used by one thread.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual EngineReady Describe() const = 0;
  // UNIMPLEMENTED: the engine refuses this network. Else any error.
  virtual absl::StatusOr<std::unique_ptr<LoadedNetwork>> Load(const LoadRequest& request) = 0;
};

// Says `ready`, then answers one request a line until `requests` end. A request that
// makes no sense, or for which memory does not suffice, is answered with `error`.
void Serve(Engine& engine, std::istream& requests, std::ostream& replies);

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_ENGINE_SERVER_H_
