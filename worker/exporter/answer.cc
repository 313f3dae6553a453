#include "worker/exporter/answer.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/export/difference.h"
#include "common/export/handout.h"
#include "common/export/onnx_model.h"
#include "common/export/reference.h"
#include "worker/exporter/opencv_network.h"

namespace squish {
namespace {

constexpr int kMaximumBatch = 1024;
// What OpenCV is given at a time at most. Larger batches differ in their files by one
// number alone, and would cost gigabytes.
constexpr int kComparedBatch = 8;

const auto& BatchesOf(const v1::ExporterRequest& request) {
  return request.has_engine_files() ? request.engine_files().batches() : request.batches();
}

absl::Status CheckRequest(const v1::ExporterRequest& request) {
  std::vector<std::pair<const char*, const std::string*>> paths = {
      {"network_path", &request.network_path()}, {"output_folder", &request.output_folder()}};
  if (!request.has_engine_files()) paths.push_back({"reference_path", &request.reference_path()});
  for (const auto& [name, path] : paths) {
    if (path->empty()) {
      return absl::InvalidArgumentError(absl::StrCat("the request has no ", name));
    }
  }
  for (const int batch : BatchesOf(request)) {
    if (batch < 1 || batch > kMaximumBatch) {
      return absl::InvalidArgumentError(
          absl::StrCat("a batch of ", batch, " is not 1 to ", kMaximumBatch));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Serialise(const Network& network, int batch, int size) {
  SQUISH_ASSIGN_OR_RETURN(const onnx::ModelProto model,
                          ToOnnx(network, {.input_size = size, .batch = batch}));
  return model.SerializeAsString();
}

// Writes what `file` is about, and tells it so.
absl::Status Write(const std::string& bytes, const std::string& folder, v1::ExportedFile& file) {
  SQUISH_RETURN_IF_ERROR(WriteFileDurably(JoinPath(folder, file.name()), bytes));
  file.set_artifact(Sha256Hex(bytes));
  file.set_bytes(static_cast<int64_t>(bytes.size()));
  return absl::OkStatus();
}

absl::StatusOr<v1::ExporterEvent::Done> MakeEngineFiles(const Network& network,
                                                        const v1::ExporterRequest& request,
                                                        const FractionReporter& report) {
  const v1::EngineFilesOrder& order = request.engine_files();
  const std::set<int> batches(order.batches().begin(), order.batches().end());
  v1::ExporterEvent::Done done;
  for (const int batch : batches) {
    SQUISH_ASSIGN_OR_RETURN(const std::string bytes,
                            Serialise(network, batch, order.input_size()));
    v1::ExportedFile& file = *done.add_files();
    file.set_name(OnnxFileName(batch));
    SQUISH_RETURN_IF_ERROR(Write(bytes, request.output_folder(), file));
    report(static_cast<double>(done.files_size()) / static_cast<double>(batches.size()));
  }
  return done;
}

class Exporter {
 public:
  Exporter(const Network& network, const std::vector<ReferenceOutputs>& reference)
      : network_(network), reference_(reference) {}

  absl::StatusOr<v1::ExportedFile> Make(int batch, const std::string& folder) const {
    v1::ExportedFile file;
    file.set_name(OnnxFileName(batch));
    file.set_checked_with(OpenCvName());
    std::string bytes;
    for (const ReferenceOutputs& expected : reference_) {
      SQUISH_ASSIGN_OR_RETURN(const std::string model, Serialise(network_, batch, expected.size));
      absl::StatusOr<double> difference = Compare(model, batch, expected);
      if (!difference.ok()) return Annotate(difference.status(), file.name());
      if (expected.size == network_.preprocessing.input_size()) {
        file.set_difference(*difference);
        bytes = model;
      }
      if (expected.size == kSecondReferenceSize) file.set_difference_at_100(*difference);
    }
    SQUISH_RETURN_IF_ERROR(CheckDifferences(file, network_.preprocessing.input_size()));
    SQUISH_RETURN_IF_ERROR(Write(bytes, folder, file));
    return file;
  }

 private:
  static absl::StatusOr<double> Compare(const std::string& model, int batch,
                                        const ReferenceOutputs& expected) {
    SQUISH_ASSIGN_OR_RETURN(OpenCvNetwork opencv, OpenCvNetwork::FromOnnx(model));
    const int pictures = batch == 0 ? kComparedBatch : std::min(batch, kComparedBatch);
    SQUISH_ASSIGN_OR_RETURN(const std::vector<float> outputs,
                            opencv.Run(expected.pictures, pictures));
    return LargestDifference(outputs, expected.logits.values);
  }

  const Network& network_;
  const std::vector<ReferenceOutputs>& reference_;
};

// What comes from outside may hold line breaks and bytes that are no UTF-8.
std::string OneLine(absl::string_view message) {
  return absl::StrReplaceAll(message, {{"\n", " "}, {"\r", " "}});
}

}  // namespace

absl::StatusOr<v1::ExporterEvent::Done> Export(const v1::ExporterRequest& request,
                                               const FractionReporter& report) {
  SQUISH_RETURN_IF_ERROR(CheckRequest(request));
  report(0);
  SQUISH_ASSIGN_OR_RETURN(const std::string file, ReadFile(request.network_path()));
  absl::StatusOr<Network> network = Network::FromSafetensors(file);
  if (!network.ok()) return Annotate(network.status(), request.network_path());
  if (request.has_engine_files()) return MakeEngineFiles(*network, request, report);
  SQUISH_ASSIGN_OR_RETURN(const std::string reference_file, ReadFile(request.reference_path()));
  absl::StatusOr<std::vector<ReferenceOutputs>> reference =
      ReferenceFromSafetensors(reference_file, *network);
  if (!reference.ok()) return Annotate(reference.status(), request.reference_path());

  std::set<int> batches(request.batches().begin(), request.batches().end());
  batches.insert(0);
  const Exporter exporter(*network, *reference);
  v1::ExporterEvent::Done done;
  for (const int batch : batches) {
    SQUISH_ASSIGN_OR_RETURN(*done.add_files(), exporter.Make(batch, request.output_folder()));
    report(static_cast<double>(done.files_size()) / static_cast<double>(batches.size()));
  }
  return done;
}

v1::ExporterEvent AnswerLine(const std::string& line, const FractionReporter& report) {
  v1::ExporterEvent event;
  v1::ExporterRequest request;
  const auto parsed = google::protobuf::util::JsonStringToMessage(line, &request);
  if (!parsed.ok()) {
    // What follows the first line is a picture of the input, which may be anything.
    const std::string problem = parsed.message().as_string();
    event.mutable_failed()->set_message(
        absl::StrCat("the request is no ExporterRequest: ", problem.substr(0, problem.find('\n'))));
    return event;
  }
  absl::StatusOr<v1::ExporterEvent::Done> done = Export(request, report);
  if (done.ok()) {
    *event.mutable_done() = *std::move(done);
  } else {
    event.mutable_failed()->set_message(OneLine(done.status().message()));
  }
  return event;
}

}  // namespace squish
