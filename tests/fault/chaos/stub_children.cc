// The worker's children without LibTorch, OpenCV and ONNX: `squish-trainer`, `squish-decoder`
// and `squish-exporter`, by the name that the program is started under. They speak the real
// protocol (trainer.proto) and write real networks, whose weights and figures are functions of
// the task alone, in a few hundredths of a second.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <set>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/file.h"
#include "common/base/random.h"
#include "common/base/sha256.h"
#include "common/child/parent_watch.h"
#include "common/export/handout.h"
#include "common/export/probe.h"
#include "common/weights/network.h"
#include "common/weights/strengths.h"
#include "google/protobuf/util/json_util.h"
#include "squish/v1/trainer.pb.h"

namespace squish {
namespace {

constexpr char kNumericsClass[] = "stub";
constexpr int kClasses = 3;
constexpr int kSelectionImages = 60;
constexpr int kValImages = 30;
constexpr int kTrainImages = 240;

// A task takes as long as its digest says.
constexpr int kShortestMilliseconds = 20;
constexpr uint32_t kMillisecondsRange = 80;
constexpr int kSteps = 4;  // With a line of progress after each.

template <typename Event>
void Say(const Event& event) {
  std::string line;
  if (!google::protobuf::util::MessageToJsonString(event, &line).ok()) std::abort();
  std::cout << line + '\n' << std::flush;
}

// Numbers that follow from the task and nothing else.
RandomStream NumbersOf(const google::protobuf::Message& task, uint64_t purpose) {
  const std::string digest = Sha256Hex(task.ShortDebugString());
  return RandomStream(RandomDomain::kWeights,
                      {std::stoull(digest.substr(0, 16), nullptr, 16),
                       std::stoull(digest.substr(16, 16), nullptr, 16), purpose});
}

void WorkFor(const RandomStream& numbers) {
  const int milliseconds =
      kShortestMilliseconds + static_cast<int>(numbers.Below(0, kMillisecondsRange));
  for (int step = 1; step <= kSteps; ++step) {
    absl::SleepFor(absl::Milliseconds(milliseconds) / kSteps);  // The work itself.
    v1::TrainerEvent event;
    event.mutable_progress()->set_fraction(static_cast<double>(step) / kSteps);
    event.mutable_progress()->set_note("pretending");
    event.mutable_progress()->set_step_seconds(1e-3 * milliseconds * step / kSteps);
    Say(event);
  }
}

// The digest of what was written; empty: it could not be.
std::string Write(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary);
  file << content << std::flush;
  return file ? Sha256Hex(content) : "";
}

absl::StatusOr<Network> ReadNetwork(const std::string& path) {
  absl::StatusOr<std::string> file = ReadFile(path);
  if (!file.ok()) return file.status();
  return Network::FromSafetensors(*file);
}

v1::TrainerEvent Failure(absl::string_view message) {
  v1::TrainerEvent event;
  event.mutable_failed()->set_message(std::string(message));
  return event;
}

TensorMap MakeStrengths(const Genome& genome, const RandomStream& numbers) {
  TensorMap strengths;
  uint64_t position = 0;
  for (const int conv : genome.convs()) {
    const int filters = genome.conv(conv).filters();
    const std::string& name = genome.layer(conv).name;
    for (const std::string& tensor : {TaylorName(name), ActivationName(name)}) {
      strengths[tensor].shape = {filters};
      for (int filter = 0; filter < filters; ++filter) {
        strengths[tensor].values.push_back(static_cast<float>(numbers.Uniform(position++)));
      }
    }
  }
  return strengths;
}

// Each weight a little larger or smaller than it was. The outcome also depends on what the
// weights were, so that a damaged file that went unnoticed would show.
v1::TrainerEvent Train(const v1::TrainerRequest& request) {
  absl::StatusOr<Network> network = ReadNetwork(request.network_path());
  if (!network.ok()) return Failure(network.status().message());
  const RandomStream numbers = NumbersOf(request.job(), 1);
  uint64_t position = 0;
  for (auto& [name, tensor] : network->weights) {
    for (float& value : tensor.values) {
      value *= static_cast<float>(0.75 + 0.5 * numbers.Uniform(position++));
    }
  }
  WorkFor(NumbersOf(request.job(), 2));
  v1::TrainerEvent event;
  v1::TrainResult& result = *event.mutable_done();
  result.set_outcome(v1::TrainResult::TRAINED);
  result.set_artifact(Write(request.output_path(), network->ToSafetensors()));
  result.set_weights_digest(WeightsDigest(network->weights));
  if (request.job().strength_images() > 0) {
    result.set_strengths(
        Write(request.strengths_path(),
              SerializeStrengths(MakeStrengths(network->genome, NumbersOf(request.job(), 3)))));
  }
  if (result.artifact().empty()) return Failure("the network could not be written");
  const RandomStream figures = NumbersOf(request.job(), 4);
  result.set_selection_accuracy(figures.Uniform(0));
  result.set_selection_log_loss(2 * figures.Uniform(1));
  result.set_images_seen(1000);
  result.set_numerics_class(kNumericsClass);
  return event;
}

v1::TrainerEvent Evaluate(const v1::TrainerRequest& request) {
  const absl::StatusOr<Network> network = ReadNetwork(request.network_path());
  if (!network.ok()) return Failure(network.status().message());
  const RandomStream numbers = NumbersOf(request.evaluate(), 1);
  WorkFor(NumbersOf(request.evaluate(), 2));
  const int images = request.evaluate().split() == v1::VAL ? kValImages : kSelectionImages;
  const int of_class = images / kClasses;
  v1::TrainerEvent event;
  v1::EvaluateResult& result = *event.mutable_evaluated();
  v1::Evaluation& evaluation = *result.mutable_evaluation();
  std::string predictions = absl::StrCat(WeightsDigest(network->weights), "\n");
  int right = 0;
  for (int label = 0; label < kClasses; ++label) {
    const int hits = static_cast<int>(
        numbers.Below(static_cast<uint64_t>(label), static_cast<uint32_t>(of_class) + 1));
    right += hits;
    for (int predicted = 0; predicted < kClasses; ++predicted) {
      // Whoever is not recognised is taken for the next class.
      const bool mistaken = predicted == (label + 1) % kClasses;
      const int count = predicted == label ? hits : mistaken ? of_class - hits : 0;
      evaluation.add_confusion(count);
      absl::StrAppend(&predictions, label, ",", predicted, ",", count, "\n");
    }
  }
  evaluation.set_images(images);
  evaluation.set_accuracy(static_cast<double>(right) / images);
  evaluation.set_balanced_accuracy(static_cast<double>(right) / images);
  evaluation.set_log_loss(numbers.Uniform(kClasses));
  result.set_numerics_class(kNumericsClass);
  result.set_predictions(Write(request.output_path(), predictions));
  return event;
}

v1::TrainerEvent Export(const v1::TrainerRequest& request) {
  const absl::StatusOr<Network> network = ReadNetwork(request.network_path());
  if (!network.ok()) return Failure(network.status().message());
  WorkFor(NumbersOf(request.export_files(), 2));
  const std::string content =
      absl::StrCat("TorchScript of ", WeightsDigest(network->weights), "\n");
  v1::TrainerEvent event;
  v1::ExportedFile& file = *event.mutable_exported();
  file.set_name(kTorchScriptFileName);
  file.set_artifact(Write(request.output_path(), content));
  file.set_bytes(static_cast<int64_t>(content.size()));
  file.set_checked_with("a stub");
  Write(request.reference_path(), "reference");
  return event;
}

// Pictures that follow from the order, and outputs from the pictures and the weights.
v1::TrainerEvent Probe(const v1::TrainerRequest& request) {
  const absl::StatusOr<Network> network = ReadNetwork(request.network_path());
  if (!network.ok()) return Failure(network.status().message());
  const int side = request.probe().input_size();
  const RandomStream pixels = NumbersOf(request.probe().dataset(), 5);
  Tensor pictures{{kProbePictures, 3, side, side}, {}};
  for (int i = 0; i < kProbePictures * 3 * side * side; ++i) {
    pictures.values.push_back(static_cast<float>(pixels.Uniform(static_cast<uint64_t>(i))));
  }
  const std::string digest = WeightsDigest(network->weights);
  Tensor outputs{{kProbePictures, network->genome.classes()}, {}};
  for (int i = 0; i < kProbePictures * network->genome.classes(); ++i) {
    outputs.values.push_back(static_cast<float>(digest[static_cast<size_t>(i) % digest.size()]));
  }
  v1::TrainerEvent event;
  v1::EngineFiles& files = *event.mutable_probed();
  files.set_probe_pictures(
      Write(request.pictures_path(), ProbePicturesToSafetensors(pictures)));
  files.set_probe_outputs(Write(request.output_path(), ProbeOutputsToSafetensors(outputs)));
  return event;
}

void AnswerTrainer(const v1::TrainerRequest& request) {
  if (request.has_evaluate()) return Say(Evaluate(request));
  if (request.has_export_files()) return Say(Export(request));
  if (request.has_probe()) return Say(Probe(request));
  Say(Train(request));
}

void AnswerExporter(const v1::ExporterRequest& request) {
  v1::ExporterEvent event;
  const absl::StatusOr<Network> network = ReadNetwork(request.network_path());
  if (!network.ok()) {
    event.mutable_failed()->set_message(std::string(network.status().message()));
    return Say(event);
  }
  const bool for_engines = request.has_engine_files();
  const auto& ordered = for_engines ? request.engine_files().batches() : request.batches();
  std::set<int> batches(ordered.begin(), ordered.end());
  if (!for_engines) batches.insert(0);
  v1::ExporterEvent::Done& done = *event.mutable_done();
  for (const int batch : batches) {
    const std::string content =
        absl::StrCat("ONNX, batch ", batch, ", of ", WeightsDigest(network->weights), "\n");
    v1::ExportedFile& file = *done.add_files();
    file.set_name(OnnxFileName(batch));
    file.set_artifact(Write(JoinPath(request.output_folder(), file.name()), content));
    file.set_bytes(static_cast<int64_t>(content.size()));
    if (!for_engines) file.set_checked_with("a stub");
  }
  Say(event);
}

void AnswerDecoder(const v1::DecoderRequest& request) {
  v1::DecoderEvent event;
  const std::string fingerprint = Sha256Hex(request.dataset().name());
  const std::string cache = JoinPath(request.cache_dir(), absl::StrCat(fingerprint, ".cache"));
  if (!WriteFileDurably(cache, "pictures").ok()) {
    event.mutable_failed()->set_message("the cache could not be written");
    return Say(event);
  }
  v1::DecoderEvent::Done& done = *event.mutable_done();
  done.set_cache_path(cache);
  done.mutable_summary()->set_fingerprint(fingerprint);
  for (const char* name : {"disc", "square", "triangle"}) {
    done.mutable_summary()->add_class_names(name);
  }
  for (int channel = 0; channel < 3; ++channel) {
    done.mutable_summary()->add_mean(0.5f);
    done.mutable_summary()->add_std(0.25f);
  }
  done.mutable_summary()->set_train_images(kTrainImages);
  done.mutable_summary()->set_selection_images(kSelectionImages);
  done.mutable_summary()->set_val_images(kValImages);
  Say(event);
}

// Greets and answers each line until the input ends.
template <typename Request, typename Event>
int Serve(void (*answer)(const Request&)) {
  Event ready;
  ready.mutable_ready();
  Say(ready);
  for (std::string line; std::getline(std::cin, line);) {
    Request request;
    if (!google::protobuf::util::JsonStringToMessage(line, &request).ok()) return 1;
    answer(request);
  }
  return 0;
}

}  // namespace
}  // namespace squish

int main(int, char** argv) {
  squish::EndWithParent();
  const std::string name = argv[0];
  if (absl::EndsWith(name, "decoder")) {
    return squish::Serve<squish::v1::DecoderRequest, squish::v1::DecoderEvent>(
        squish::AnswerDecoder);
  }
  if (absl::EndsWith(name, "exporter")) {
    return squish::Serve<squish::v1::ExporterRequest, squish::v1::ExporterEvent>(
        squish::AnswerExporter);
  }
  return squish::Serve<squish::v1::TrainerRequest, squish::v1::TrainerEvent>(squish::AnswerTrainer);
}
