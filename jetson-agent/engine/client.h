// The agent's side of the contract: one engine child, watched.
//
//   Spawn ──► AwaitReady ──► Load … Run … Unload ──► (the next measurement)
//
// Nothing that a child says is believed before it is checked: the form of each line,
// which request it answers, the count of images, and that a block did not last longer
// than its answer took to come, nor a call of it longer than the block. After any error but
// UNIMPLEMENTED the child is of no further use: destroy the client.
//
// Thread-compatible; Kill may be called from any thread.
#ifndef SQUISH_JETSON_AGENT_ENGINE_CLIENT_H_
#define SQUISH_JETSON_AGENT_ENGINE_CLIENT_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/child/child.h"
#include "jetson-agent/engine/contract.h"
#include "jetson-agent/measure/protocol.h"

namespace squish {

struct EngineOptions {
  ChildOptions child;
  // An engine that says nothing for so long after a request hangs.
  absl::Duration silence_limit = absl::Seconds(30);
};

// Every method returns, beside what it says itself:
//   ABORTED            the engine died
//   DEADLINE_EXCEEDED  it said nothing for silence_limit
//   DATA_LOSS          it broke the contract
//   INTERNAL           it answered `error`; the message is its own
class EngineClient {
 public:
  // Starts the child. NOT_FOUND, PERMISSION_DENIED as Child::Spawn.
  static absl::StatusOr<std::unique_ptr<EngineClient>> Spawn(const EngineOptions& options,
                                                             Clock& clock = Clock::System());

  // Waits until the engine has said who it is; at once when it has before.
  absl::Status AwaitReady();

  // After AwaitReady.
  const EngineReady& info() const { return info_; }

  // UNIMPLEMENTED: the engine refuses the network. May take EngineReady.load_seconds more
  // than the silence limit.
  absl::Status Load(const LoadRequest& request);

  // Of a loaded network, as Loaded.engine_sha256.
  const std::string& EngineSha256(const std::string& id) { return networks_[id].engine_sha256; }

  // Runs `calls` calls of a loaded network.
  absl::StatusOr<Block> Run(const std::string& id, int64_t calls);

  // The outputs of a loaded network for the probe. UNIMPLEMENTED: the engine gives none.
  absl::StatusOr<std::vector<std::vector<double>>> Outputs(const std::string& id);

  // How long each layer of a loaded network takes. UNIMPLEMENTED: the engine cannot tell.
  absl::StatusOr<std::vector<LayerMilliseconds>> Profile(const std::string& id, int64_t calls);

  absl::Status Unload(const std::string& id);

  void Kill() { child_->Kill(); }

  // Whether the child has ended.
  bool Exited() { return child_->Exited(); }

 private:
  EngineClient(std::unique_ptr<Child> child, absl::Duration silence_limit, Clock& clock)
      : child_(std::move(child)), silence_limit_(silence_limit), clock_(clock) {}

  struct LoadedNetwork {
    int batch = 0;
    std::string engine_sha256;
  };

  absl::StatusOr<EngineReply> ReadReply(absl::Duration silence_limit);
  absl::StatusOr<EngineReply> Ask(const EngineRequest& request,
                                  absl::Duration additional = absl::ZeroDuration());

  const std::unique_ptr<Child> child_;
  const absl::Duration silence_limit_;
  Clock& clock_;
  bool ready_ = false;
  EngineReady info_;
  std::map<std::string, LoadedNetwork> networks_;
};

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_ENGINE_CLIENT_H_
