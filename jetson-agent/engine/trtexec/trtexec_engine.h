// The engine `trtexec`: NVIDIA's own tool of TensorRT 6 to 8.x, which lies on every Jetson
// with JetPack 4.3 to 4.6, made to speak our contract.
//
//   load ──► is there an engine file of this network?  no ──► trtexec --onnx --saveEngine
//              yes ──► one call, to see that it is of this TensorRT; else built anew
//   run ───► trtexec --loadEngine --iterations --exportTimes      (a process for each block)
//   outputs ► trtexec --loadEngine --loadInputs --exportOutput    (one for each batch)
//
// Options are used where the tool's own --help names them, as they differ between versions.
// Engine files are kept in the cache folder, the most recently used of them, by the ONNX
// file's digest, precision, batch, number of the build, workspace, and the tool itself.
// First builds share a timing cache where the tool has one (TensorRT 8); other builds do
// without, or they would choose the same kernels again.
#ifndef SQUISH_JETSON_AGENT_ENGINE_TRTEXEC_TRTEXEC_ENGINE_H_
#define SQUISH_JETSON_AGENT_ENGINE_TRTEXEC_TRTEXEC_ENGINE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "jetson-agent/engine/server.h"
#include "jetson-agent/engine/trtexec/files.h"

namespace squish {

struct TrtexecOptions {
  std::string trtexec = "/usr/src/tensorrt/bin/trtexec";  // Where JetPack puts it.
  std::string precision = "fp32";                         // Or "fp16".
  std::string cache_folder;  // Made when it is missing; of one engine process alone.
  int workspace_mib = 256;   // Of device memory, that a kernel may use.
  absl::Duration build_limit = absl::Minutes(30);
  absl::Duration run_limit = absl::Minutes(2);
};

// Used by one thread. Its processes are in the group of ours.
class TrtexecEngine : public Engine {
 public:
  static constexpr int kKeptEngines = 64;

  // Asks trtexec for its --help. INVALID_ARGUMENT: the precision or the limits are none, or it
  // is no trtexec that we know; NOT_FOUND, PERMISSION_DENIED: it cannot be started; all name
  // it. Else as MakeFolder.
  static absl::StatusOr<std::unique_ptr<TrtexecEngine>> Create(TrtexecOptions options);

  EngineReady Describe() const override;

  // UNIMPLEMENTED: trtexec does not know an operation of the network. Else any error.
  absl::StatusOr<std::unique_ptr<LoadedNetwork>> Load(const LoadRequest& request) override;

  // For the networks that it loads.

  // Runs trtexec to its end. DEADLINE_EXCEEDED: it did not end in time. Else as
  // TrtexecFailure and Child::Spawn.
  absl::Status Invoke(absl::string_view action, std::vector<std::string> arguments,
                      absl::Duration limit) const;
  bool Has(absl::string_view option) const { return help_.Has(option); }
  const TrtexecOptions& options() const { return options_; }
  // Of files that are of no use after a request.
  std::string ScratchPath(absl::string_view name) const;

 private:
  TrtexecEngine(TrtexecOptions options, std::string identity)
      : options_(std::move(options)), identity_(std::move(identity)) {}

  absl::StatusOr<std::string> EnginePath(const LoadRequest& request) const;
  // Writes the engine file.
  absl::Status Build(const LoadRequest& request, const std::string& path) const;

  const TrtexecOptions options_;
  const std::string identity_;  // SHA-256 of the program.
  TrtexecHelp help_;
};

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_ENGINE_TRTEXEC_TRTEXEC_ENGINE_H_
