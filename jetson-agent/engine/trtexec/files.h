// What trtexec writes: its help, times, outputs and complaints, of TensorRT 6 to 8.x. Pure;
// thread-safe.
//
// The formats are those of its source, samples/common/sampleReporting.cpp of NVIDIA/TensorRT;
// docs/engines.md says which names are of which version.
#ifndef SQUISH_JETSON_AGENT_ENGINE_TRTEXEC_FILES_H_
#define SQUISH_JETSON_AGENT_ENGINE_TRTEXEC_FILES_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "jetson-agent/engine/server.h"

namespace squish {

struct TrtexecHelp {
  // "8201" where it says so ("&&&& RUNNING TensorRT.trtexec [TensorRT v8201]", from 8 on);
  // else empty.
  std::string version;
  std::set<std::string> options;  // With their dashes: "--onnx".

  bool Has(absl::string_view option) const { return options.count(std::string(option)) == 1; }
};

// Of `trtexec --help`. INVALID_ARGUMENT: it names no --onnx, --saveEngine, --loadEngine,
// --loadInputs, --exportTimes, --exportOutput, --iterations, --duration or --warmUp: it is no
// trtexec, or one before TensorRT 6; names the first.
absl::StatusOr<TrtexecHelp> ParseTrtexecHelp(absl::string_view text);

// The file of --exportTimes: of the last `calls` calls in it, whatever was before was
// warm-up. Seconds from the start of the first one's input copy to the end of the last one's
// output copy, as the host sees it; a latency is `endToEndMs`, where it is missing
// `latencyMs`. INVALID_ARGUMENT: it is no whole JSON, has fewer calls, lacks a field (named)
// or has times that cannot be.
absl::StatusOr<RunTiming> ParseTrtexecTimes(absl::string_view json, int64_t calls);

// The file of --exportOutput: the values of the output `logits`, `pictures` rows of equal
// length; what is not finite is NaN. INVALID_ARGUMENT as above.
absl::StatusOr<std::vector<std::vector<double>>> ParseTrtexecOutput(absl::string_view json,
                                                                    int pictures);

// What a trtexec that failed in `action` has said. UNIMPLEMENTED: an operation of the network
// that its parser does not know. RESOURCE_EXHAUSTED: device memory. INVALID_ARGUMENT: an
// option that it does not know. INTERNAL: all else, with its last complaint.
absl::Status TrtexecFailure(absl::string_view action, absl::string_view ending,
                            absl::string_view log);

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_ENGINE_TRTEXEC_FILES_H_
