// The contract between the agent and an engine: newline-delimited JSON, described for
// strangers in docs/engines.md. Both sides share these types and their text form.
//
//   engine                                    agent
//     ──► ready: who it is
//                     load: a network file    ◄──
//     ──► loaded | unsupported | error
//                     run: so many calls      ◄──   (any number of times)
//     ──► block | error
//                     outputs: of the probe   ◄──   (once, where there is a probe)
//     ──► outputs | unsupported | error
//                     profile: layer by layer ◄──   (seldom)
//     ──► profiled | unsupported | error
//                     unload                  ◄──
//     ──► unloaded | error
//
// Every request has exactly one answer. Fields that a reader does not know are
// ignored, so that the contract can grow. Pure; thread-safe.
#ifndef SQUISH_JETSON_AGENT_ENGINE_CONTRACT_H_
#define SQUISH_JETSON_AGENT_ENGINE_CONTRACT_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace squish {

inline constexpr int kEngineContract = 1;

// --- What the agent asks ----------------------------------------------------

struct LoadRequest {
  std::string id;       // By which the network is named from now on.
  std::string path;     // A local network file (.safetensors with a genome).
  int batch = 1;        // Images a call.
  int input_size = 0;   // Side of the square input in pixels.
  int threads = 1;      // Of the host, for engines that compute there.
  // The same network as ONNX, `batch` and `input_size` fixed in it. Empty: there is none.
  std::string onnx = {};
  // Pictures to run on, .safetensors with `pictures`, fp32, N × 3 × input_size × input_size.
  // Empty: there are none.
  std::string probe = {};
  // Engines that build networks make one of its own for each number, 1 to 16.
  int build = 1;
};

struct RunRequest {
  std::string id;
  int64_t calls = 1;  // Exactly so many, timed as a whole.
};

struct UnloadRequest {
  std::string id;
};

// How long each layer takes.
struct ProfileRequest {
  std::string id;
  int64_t calls = 1;  // Over so many.
};

// The network's outputs for all pictures of the probe.
struct OutputsRequest {
  std::string id;
};

using EngineRequest =
    std::variant<LoadRequest, RunRequest, OutputsRequest, ProfileRequest, UnloadRequest>;

// --- What the engine says ---------------------------------------------------

// Of one `block`; more say no more about quantiles, and a line has its limit.
inline constexpr size_t kMaximumLatencies = 1000;

inline constexpr int kMaximumBuilds = 16;

inline constexpr double kMaximumLoadSeconds = 7200;

// What an engine reads networks from.
enum class NetworkFormat { kSafetensors, kOnnx };

struct EngineReady {
  std::string engine;        // [a-z0-9._-], 1 to 64: "torch"
  std::string precision;     // The same alphabet: "fp32"
  std::string version;       // Of the engine and what it stands on, for people.
  std::string device_class;  // Where it is not the host's; else empty.
  bool synthetic = false;    // Its speeds are not measured on hardware.
  NetworkFormat format = NetworkFormat::kSafetensors;
  bool outputs = false;             // It answers OutputsRequest.
  bool restarts_per_block = false;  // It starts anew for each run, which takes a while.
  bool builds = false;              // LoadRequest.build matters.
  double load_seconds = 0;          // A load may take so long, 0 to 7,200; 0: nothing to speak of.
};

struct Loaded {
  std::string id;
  std::string engine_sha256 = {};  // Of the file that was built for the network; may be empty.
};

struct BlockReply {
  std::string id;
  int64_t images = 0;  // calls · batch
  double seconds = 0;  // Steady time of the whole run, copies to and from included.
  // Seconds of single calls, taken evenly from the block; at most kMaximumLatencies, none
  // from an engine that cannot tell.
  std::vector<double> latencies = {};
};

// Logits by picture of the probe. What is not finite is NaN.
struct OutputsReply {
  std::string id;
  std::vector<std::vector<double>> values;
};

struct LayerMilliseconds {
  std::string layer;        // By its name in the genome.
  double milliseconds = 0;  // Of one call: the median.
};

struct Profiled {
  std::string id;
  std::vector<LayerMilliseconds> layers;
};

struct Unloaded {
  std::string id;
};

// The engine cannot run this network, which is a fact about the network; or it cannot time
// layers, or give outputs.
struct Unsupported {
  std::string message;
};

// The request could not be fulfilled for any other reason.
struct EngineError {
  std::string message;
};

using EngineReply = std::variant<EngineReady, Loaded, BlockReply, OutputsReply, Profiled, Unloaded,
                                 Unsupported, EngineError>;

// --- Text form --------------------------------------------------------------

// One line without its newline.
std::string ToLine(const EngineRequest& request);
std::string ToLine(const EngineReply& reply);

// INVALID_ARGUMENT: no JSON object with exactly one known key, a field missing, of
// another type or out of range. Messages from engines are cut to 2 KiB.
absl::StatusOr<EngineRequest> ParseRequest(absl::string_view line);
absl::StatusOr<EngineReply> ParseReply(absl::string_view line);

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_ENGINE_CONTRACT_H_
