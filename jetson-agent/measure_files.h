// A measurement without a coordinator: two networks that lie on this machine, by the rules
// that jobs are measured by. And what it shares with the self-test, the engine started for it.
//
//   jetson-agent measure pets-knee pets-ancestor --engine trtexec:fp16 --state …
#ifndef SQUISH_JETSON_AGENT_MEASURE_FILES_H_
#define SQUISH_JETSON_AGENT_MEASURE_FILES_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "jetson-agent/engine/client.h"
#include "jetson-agent/measurement.h"
#include "squish/v1/job.pb.h"

namespace squish {

struct LocalEngineOptions {
  EngineOptions engine;
  std::string device_class;       // Empty: the engine's own, or the host's.
  std::string system_root = "/";  // As of BoardOptions.
};

struct LocalEngine {
  std::unique_ptr<EngineClient> client;  // Ready.
  std::string device_class;
  BoardOptions board;
};

// Errors as EngineClient's.
absl::StatusOr<LocalEngine> StartLocalEngine(const LocalEngineOptions& options, Clock& clock);

struct MeasureFilesOptions {
  // Each a network file, or a folder as `squishctl export` writes it, which an engine that
  // reads ONNX needs: model-batch-N.onnx of the protocol's batch lies there.
  std::string candidate;
  std::string ancestor;
  // Complete but for `input_size`: where it is 0 the candidate's own.
  v1::MeasurementSpec protocol;
  int engine_builds = 1;
};

// The result has all that a job's has. Outputs are not checked, as nobody says what they should
// be; what the engine's own are worth the result's `output_check` says. INVALID_ARGUMENT names a
// file that is no network, one without an input size where it is asked for, or a size at which
// the folder has no ONNX file. NOT_FOUND: there is no such file. Else as Measure.
absl::StatusOr<v1::MeasureResult> MeasureFiles(LocalEngine& engine,
                                               const MeasureFilesOptions& options, Clock& clock);

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_MEASURE_FILES_H_
