// One ExporterRequest from files to files.
//
//   network, reference ─► for each batch: ToOnnx ─► OpenCV ─► compare ─► write
//                                          └─► again at 100×100 ─┘
//   network, engine_files ─► for each batch: ToOnnx ─► write
#ifndef SQUISH_WORKER_EXPORTER_ANSWER_H_
#define SQUISH_WORKER_EXPORTER_ANSWER_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "common/weights/network.h"
#include "squish/v1/trainer.pb.h"

namespace squish {

using FractionReporter = std::function<void(double fraction)>;

// Writes an ONNX file (OnnxFileName) for any batch, and one for each of request.batches in
// rising order and each once, durably into output_folder, after its outputs and those of
// the same model at 100×100 were compared with the reference. With request.engine_files one for
// each of its batches, likewise, and nothing else. INVALID_ARGUMENT: a path is missing,
// a batch is not 1 to 1024, the network or the reference cannot be read, pictures are too small
// for the network, or OpenCV cannot read a model. FAILED_PRECONDITION: a file's outputs differ;
// says which and by how much. Else as ToOnnx, OpenCvNetwork::Run and WriteFileDurably.
absl::StatusOr<v1::ExporterEvent::Done> Export(const v1::ExporterRequest& request,
                                               const FractionReporter& report);

// The same for a request as it comes: one line of JSON. Always an event `done` or
// `failed`, whose message is one line.
v1::ExporterEvent AnswerLine(const std::string& line, const FractionReporter& report);

}  // namespace squish

#endif  // SQUISH_WORKER_EXPORTER_ANSWER_H_
