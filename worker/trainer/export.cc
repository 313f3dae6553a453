#include "worker/trainer/export.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/dataset/resize.h"
#include "common/export/difference.h"
#include "common/export/handout.h"
#include "common/export/reference.h"
#include "common/torch/inference.h"
#include "common/torch/numerics.h"
#include "worker/trainer/check_network.h"
#include "worker/trainer/torchscript.h"

namespace squish {
namespace {

constexpr int kPictures = 8;

absl::Status CheckExport(const v1::ExportJob& job, const Network& network,
                         const DatasetCache& data) {
  SQUISH_RETURN_IF_ERROR(CheckFingerprint(data, job.dataset_fingerprint()));
  SQUISH_RETURN_IF_ERROR(CheckSplit(data, v1::TRAIN));
  return Annotate(CheckNetwork(network, data), "the network");
}

// Training pictures from all over the split, which lies in the order of the classes;
// channels last, as they are cached, at `size` pixels a side.
std::vector<float> Pixels(const DatasetCache& data, const v1::Preprocessing& preprocessing,
                          int count, int size) {
  std::vector<float> pixels;
  std::vector<uint8_t> resized(static_cast<size_t>(size) * size * 3);
  for (int i = 0; i < count; ++i) {
    const int picture = static_cast<int>(int64_t{i} * data.Count(v1::TRAIN) / count);
    SquareResizer(data.Side(v1::TRAIN, picture), size)
        .Resize(data.Image(v1::TRAIN, picture), absl::MakeSpan(resized));
    for (size_t j = 0; j < resized.size(); ++j) {
      const int channel = static_cast<int>(j % 3);
      pixels.push_back(static_cast<float>((resized[j] / 255.0 - preprocessing.mean(channel)) /
                                          preprocessing.std(channel)));
    }
  }
  return pixels;
}

Tensor ChannelsFirst(const std::vector<float>& pixels, int count, int size) {
  Tensor pictures{{count, 3, size, size}, std::vector<float>(pixels.size())};
  const size_t plane = static_cast<size_t>(size) * size;
  for (size_t i = 0; i < pixels.size(); ++i) {
    const size_t channel = i % 3, place = i / 3 % plane, picture = i / 3 / plane;
    pictures.values[(picture * 3 + channel) * plane + place] = pixels[i];
  }
  return pictures;
}

absl::StatusOr<ReferenceOutputs> MakeReference(const Network& network, const DatasetCache& data,
                                               int size) {
  const int count = std::min(kPictures, data.Count(v1::TRAIN));
  const std::vector<float> pixels = Pixels(data, network.preprocessing, count, size);
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<Inference> inference,
                          Inference::Create(network.genome, network.weights, count, size));
  ReferenceOutputs outputs{size, ChannelsFirst(pixels, count, size), {}};
  outputs.logits.shape = {count, network.genome.classes()};
  outputs.logits.values.resize(static_cast<size_t>(count) * network.genome.classes());
  SQUISH_RETURN_IF_ERROR(inference->Run(pixels, absl::MakeSpan(outputs.logits.values)));
  return outputs;
}

void Report(const ProgressReporter& report, double fraction, std::string note) {
  v1::TrainerEvent::Progress progress;
  progress.set_fraction(fraction);
  progress.set_note(std::move(note));
  report(progress);
}

}  // namespace

absl::StatusOr<Exported> RunExport(const v1::ExportJob& job, const Network& network,
                                   const DatasetCache& data, const ProgressReporter& report) {
  SQUISH_RETURN_IF_ERROR(CheckExport(job, network, data));
  SetTorchThreads(1);
  Report(report, 0, "exporting to TorchScript");
  Exported exported;
  SQUISH_ASSIGN_OR_RETURN(exported.torchscript, ToTorchScript(network));
  exported.file.set_name(kTorchScriptFileName);
  exported.file.set_checked_with(LibTorchName());
  std::vector<ReferenceOutputs> reference;
  for (const int size : ReferenceSizes(network.preprocessing.input_size())) {
    const double fraction = 0.3 + 0.3 * static_cast<double>(reference.size());
    Report(report, fraction, absl::StrCat("comparing TorchScript's outputs at ", size, "×", size));
    SQUISH_ASSIGN_OR_RETURN(ReferenceOutputs expected, MakeReference(network, data, size));
    SQUISH_ASSIGN_OR_RETURN(const std::vector<float> outputs,
                            RunTorchScript(exported.torchscript, expected.pictures));
    const double difference = LargestDifference(outputs, expected.logits.values);
    if (size == network.preprocessing.input_size()) exported.file.set_difference(difference);
    if (size == kSecondReferenceSize) exported.file.set_difference_at_100(difference);
    reference.push_back(std::move(expected));
  }
  SQUISH_RETURN_IF_ERROR(CheckDifferences(exported.file, network.preprocessing.input_size()));
  exported.file.set_artifact(Sha256Hex(exported.torchscript));
  exported.file.set_bytes(static_cast<int64_t>(exported.torchscript.size()));
  exported.reference = ReferenceToSafetensors(reference);
  return exported;
}

}  // namespace squish
