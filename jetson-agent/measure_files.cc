#include "jetson-agent/measure_files.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/export/handout.h"
#include "common/weights/network.h"
#include "jetson-agent/device_class.h"

namespace squish {
namespace {

bool IsFolder(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

struct NetworkFiles {
  std::string network;
  std::string onnx;  // Empty where the engine reads none.
  int input_size = 0;
};

absl::StatusOr<NetworkFiles> FindFiles(const std::string& path, bool reads_onnx, int batch) {
  NetworkFiles files;
  const bool is_folder = IsFolder(path);
  files.network = is_folder ? JoinPath(path, kNetworkFileName) : path;
  SQUISH_ASSIGN_OR_RETURN(const std::string file, ReadFile(files.network));
  const absl::StatusOr<Network> network = Network::FromSafetensors(file);
  if (!network.ok()) return Annotate(network.status(), files.network);
  files.input_size = network->preprocessing.input_size();
  if (!reads_onnx) return files;
  if (!is_folder) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": this engine reads ONNX; name the folder that 'squishctl export' wrote"));
  }
  files.onnx = JoinPath(path, OnnxFileName(batch));
  if (!std::filesystem::exists(files.onnx)) {
    return absl::NotFoundError(absl::StrCat(
        "there is no ", files.onnx, "; an experiment's 'exports { batches: ", batch,
        " }' makes one"));
  }
  return files;
}

// An exported ONNX file is right for pictures of the network's own size alone.
absl::Status CheckSize(const std::string& path, const NetworkFiles& files, int input_size) {
  if (files.onnx.empty() || files.input_size == input_size) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": its ONNX file is for pictures of ", files.input_size, "×",
                   files.input_size, ", not ", input_size, "×", input_size));
}

}  // namespace

absl::StatusOr<LocalEngine> StartLocalEngine(const LocalEngineOptions& options, Clock& clock) {
  LocalEngine engine;
  engine.board.system_root = options.system_root;
  engine.board.software = ReadSoftware(options.system_root);
  SQUISH_ASSIGN_OR_RETURN(engine.client, EngineClient::Spawn(options.engine, clock));
  SQUISH_RETURN_IF_ERROR(engine.client->AwaitReady());
  engine.device_class =
      ChooseDeviceClass(options.device_class, engine.client->info().device_class,
                        options.system_root, engine.board.software);
  return engine;
}

absl::StatusOr<v1::MeasureResult> MeasureFiles(LocalEngine& engine,
                                               const MeasureFilesOptions& options, Clock& clock) {
  const bool reads_onnx = engine.client->info().format == NetworkFormat::kOnnx;
  const int batch = options.protocol.batch();
  SQUISH_ASSIGN_OR_RETURN(const NetworkFiles candidate,
                          FindFiles(options.candidate, reads_onnx, batch));
  SQUISH_ASSIGN_OR_RETURN(const NetworkFiles ancestor,
                          FindFiles(options.ancestor, reads_onnx, batch));
  MeasurementInputs inputs;
  inputs.protocol = options.protocol;
  if (inputs.protocol.input_size() == 0) inputs.protocol.set_input_size(candidate.input_size);
  SQUISH_RETURN_IF_ERROR(CheckSize(options.candidate, candidate, inputs.protocol.input_size()));
  SQUISH_RETURN_IF_ERROR(CheckSize(options.ancestor, ancestor, inputs.protocol.input_size()));
  inputs.board = engine.board;
  inputs.candidate_path = candidate.network;
  inputs.ancestor_path = ancestor.network;
  inputs.candidate_onnx = candidate.onnx;
  inputs.ancestor_onnx = ancestor.onnx;
  inputs.engine_builds = options.engine_builds;
  SQUISH_ASSIGN_OR_RETURN(v1::MeasureResult result,
                          Measure(*engine.client, inputs, clock, [](double, std::string) {}));
  result.mutable_setting()->set_device_class(engine.device_class);
  return result;
}

}  // namespace squish
