#include "jetson-agent/engine/server.h"

#include <istream>
#include <map>
#include <new>
#include <ostream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace squish {
namespace {

EngineReply Refusal(const absl::Status& status) {
  std::string message(status.message());
  if (absl::IsUnimplemented(status)) return Unsupported{std::move(message)};
  return EngineError{std::move(message)};
}

class Server {
 public:
  explicit Server(Engine& engine) : engine_(engine) {}

  EngineReply Answer(const std::string& line) {
    absl::StatusOr<EngineRequest> request = ParseRequest(line);
    if (!request.ok()) return Refusal(request.status());
    try {
      return std::visit([this](const auto& what) { return Answer(what); }, *request);
    } catch (const std::bad_alloc&) {
      return EngineError{"there is not enough memory for it"};
    }
  }

 private:
  struct Entry {
    std::unique_ptr<LoadedNetwork> network;
    int batch;
  };

  EngineReply Answer(const LoadRequest& load) {
    networks_.erase(load.id);
    absl::StatusOr<std::unique_ptr<LoadedNetwork>> network = engine_.Load(load);
    if (!network.ok()) return Refusal(network.status());
    const Entry& loaded = networks_[load.id] = {*std::move(network), load.batch};
    return Loaded{load.id, loaded.network->EngineSha256()};
  }

  EngineReply Answer(const RunRequest& run) {
    const auto found = networks_.find(run.id);
    if (found == networks_.end()) return NotLoaded(run.id);
    absl::StatusOr<RunTiming> timing = found->second.network->Run(run.calls);
    if (!timing.ok()) return EngineError{std::string(timing.status().message())};
    return BlockReply{run.id, run.calls * found->second.batch, timing->seconds,
                      std::move(timing->latencies)};
  }

  EngineReply Answer(const OutputsRequest& outputs) {
    const auto found = networks_.find(outputs.id);
    if (found == networks_.end()) return NotLoaded(outputs.id);
    absl::StatusOr<std::vector<std::vector<double>>> values = found->second.network->Outputs();
    if (!values.ok()) return Refusal(values.status());
    return OutputsReply{outputs.id, *std::move(values)};
  }

  EngineReply Answer(const ProfileRequest& profile) {
    const auto found = networks_.find(profile.id);
    if (found == networks_.end()) return NotLoaded(profile.id);
    absl::StatusOr<std::vector<LayerMilliseconds>> layers =
        found->second.network->Profile(profile.calls);
    if (!layers.ok()) return Refusal(layers.status());
    return Profiled{profile.id, *std::move(layers)};
  }

  EngineReply Answer(const UnloadRequest& unload) {
    if (networks_.erase(unload.id) == 0) return NotLoaded(unload.id);
    return Unloaded{unload.id};
  }

  static EngineReply NotLoaded(const std::string& id) {
    return EngineError{absl::StrCat("no network is loaded as \"", id, "\"")};
  }

  Engine& engine_;
  std::map<std::string, Entry> networks_;
};

}  // namespace

void Serve(Engine& engine, std::istream& requests, std::ostream& replies) {
  replies << ToLine(engine.Describe()) << '\n' << std::flush;
  Server server(engine);
  std::string line;
  while (std::getline(requests, line)) replies << ToLine(server.Answer(line)) << '\n' << std::flush;
}

}  // namespace squish
