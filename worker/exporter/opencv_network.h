// An ONNX file as OpenCV's dnn runs it: an implementation that is not ours, by which files
// are checked before they are handed out. No OpenCV in this header.
#ifndef SQUISH_WORKER_EXPORTER_OPENCV_NETWORK_H_
#define SQUISH_WORKER_EXPORTER_OPENCV_NETWORK_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/weights/network.h"

namespace squish {

// Call once, first thing in main: OpenCV computes in the calling thread. Else it starts
// as many threads as there are processors, whatever the environment says.
void PrepareOpenCvProcess();

// "OpenCV dnn 4.6.0".
std::string OpenCvName();

// Movable; not thread-safe.
class OpenCvNetwork {
 public:
  // INVALID_ARGUMENT: OpenCV cannot read the file; the message is its own.
  static absl::StatusOr<OpenCvNetwork> FromOnnx(absl::string_view file);
  OpenCvNetwork(OpenCvNetwork&&) noexcept;
  OpenCvNetwork& operator=(OpenCvNetwork&&) noexcept;
  ~OpenCvNetwork();

  // The outputs for `pictures` (N × channels × size × size), batch of them at a time: what
  // is missing in the last call is filled up with the first pictures again. Outputs lie
  // row by row. INVALID_ARGUMENT: no pictures, or a batch below 1. INTERNAL: OpenCV
  // cannot compute them.
  absl::StatusOr<std::vector<float>> Run(const Tensor& pictures, int batch);

 private:
  struct State;
  explicit OpenCvNetwork(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace squish

#endif  // SQUISH_WORKER_EXPORTER_OPENCV_NETWORK_H_
