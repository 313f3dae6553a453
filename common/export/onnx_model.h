// A network as an ONNX model.
//
//   SQUISH_ASSIGN_OR_RETURN(const onnx::ModelProto model, ToOnnx(network, {.input_size = 224}));
//   const std::string file = model.SerializeAsString();
//
// Opset 11, which OpenCV 4.6's dnn and TensorRT 7 and 8 read, and of it only Conv, Relu,
// MaxPool, Concat, GlobalAveragePool and Flatten. One input `pictures` (batch × channels ×
// size × size, normalised), one output `logits` (batch × classes): the network's own
// outputs, after whatever lies behind its head, without softmax. What is to be done to a
// picture, and the class names, are in metadata_props (HandoutMetadata).
//
// The genome's pools round up. Runtimes disagree about ONNX's ceil_mode, so pools here
// round down and are padded at their ends by what is missing, which depends on the size of
// the picture: a model is for one size, and right for no other.
//
// Pure; thread-safe.
#ifndef SQUISH_COMMON_EXPORT_ONNX_MODEL_H_
#define SQUISH_COMMON_EXPORT_ONNX_MODEL_H_

#include <onnx/onnx_pb.h>

#include "absl/status/statusor.h"
#include "common/weights/network.h"

namespace squish {

struct OnnxOptions {
  int input_size = 0;  // Side of the square pictures in pixels.
  int batch = 0;       // Pictures a call; 0: any number, as `batch` of the caller's choice.
};

// The same network and options give the same bytes. INVALID_ARGUMENT: the pictures are too
// small for the genome (as ComputeShapes), the weights are not the genome's, or the batch is
// negative. INTERNAL: ONNX's own checker refuses the model. RESOURCE_EXHAUSTED: it has more
// than the 2 GiB that a protobuf message may.
absl::StatusOr<onnx::ModelProto> ToOnnx(const Network& network, const OnnxOptions& options);

}  // namespace squish

#endif  // SQUISH_COMMON_EXPORT_ONNX_MODEL_H_
