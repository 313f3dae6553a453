// One measurement: drives an engine through the protocol of measure/protocol.h.
#ifndef SQUISH_JETSON_AGENT_MEASUREMENT_H_
#define SQUISH_JETSON_AGENT_MEASUREMENT_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/clock.h"
#include "jetson-agent/board_monitor.h"
#include "jetson-agent/engine/client.h"
#include "jetson-agent/measure/output_check.h"
#include "squish/v1/job.pb.h"

namespace squish {

struct MeasurementInputs {
  std::string candidate_path;
  std::string ancestor_path;  // May be the same file: each is loaded on its own.
  v1::MeasurementSpec protocol;
  BoardOptions board;
  // Of what jobs bring beside the networks, all that is there; else empty.
  std::string candidate_onnx;
  std::string ancestor_onnx;
  std::string probe;         // Path of the probe's pictures.
  Logits candidate_outputs;  // The network's own, for the probe.
  Logits ancestor_outputs;
  int engine_builds = 1;  // By engines whose builds may differ.
};

// Waits for the engine, loads both networks, compares outputs, warms up, measures, unloads.
// All that the result says is filled in but the device class. An engine that refuses the
// candidate gives UNSUPPORTED, which is a result; one that computes something else than the
// networks, or that reads ONNX where there is none, INVALID. A board that got too hot or slowed
// down is left to cool and measured again while there is time. `progress` is told a fraction
// and a note.
//
// ABORTED, DEADLINE_EXCEEDED, DATA_LOSS, INTERNAL as EngineClient, which is then of no
// further use. FAILED_PRECONDITION: the engine refuses the ancestor.
absl::StatusOr<v1::MeasureResult> Measure(
    EngineClient& engine, const MeasurementInputs& inputs, Clock& clock,
    const std::function<void(double, std::string)>& progress);

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_MEASUREMENT_H_
