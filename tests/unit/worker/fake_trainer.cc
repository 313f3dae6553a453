// A `squish-trainer` without LibTorch that does what it is told (fake_behaviour.h).
//
//   fake_trainer [FIFO [START]]
//
// Writes a line to FIFO when it starts. START: "crash", "hang" or "babble" instead of
// `ready`.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/export/probe.h"
#include "common/genome/ancestors.h"
#include "common/weights/network.h"
#include "common/weights/strengths.h"
#include "squish/v1/trainer.pb.h"
#include "tests/unit/worker/fake_behaviour.h"
#include "tests/unit/worker/fake_child.h"

namespace squish {
namespace {

std::string Setting(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "none" : value;
}

std::string Note(uint64_t behaviour) {
  if (behaviour != kTellEnvironment) return "pid " + std::to_string(::getpid());
  return Setting("OMP_NUM_THREADS") + " " + Setting("MKL_NUM_THREADS") + " " +
         Setting("OPENBLAS_NUM_THREADS") + " " + std::to_string(::getpriority(PRIO_PROCESS, 0)) +
         " " + Setting("SQUISH_LEAK");
}

void SayProgress(uint64_t behaviour) {
  v1::TrainerEvent event;
  event.mutable_progress()->set_fraction(0.5);
  event.mutable_progress()->set_note(Note(behaviour));
  event.mutable_progress()->set_step_seconds(2.0);
  Say(event);
}

std::string Write(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content << std::flush;
  return Sha256Hex(content);
}

void MakeCheckpoint(const v1::TrainerRequest& request, const std::string& content, int step) {
  Write(request.checkpoint_path(), content);
  v1::TrainerEvent event;
  event.mutable_checkpoint()->set_step(step);
  event.mutable_checkpoint()->set_fraction(0.1 * step);
  event.mutable_checkpoint()->set_numerics_class("fake");
  Say(event);
}

// From CatchSigterm on one is kept for AwaitSigterm, whichever thread it comes to.
int signal_pipe[2];

void CatchSigterm() {
  if (::pipe(signal_pipe) != 0) std::abort();
  ::signal(SIGTERM, [](int) { (void)!::write(signal_pipe[1], "x", 1); });
}

void AwaitSigterm() {
  char byte = 0;
  while (::read(signal_pipe[0], &byte, 1) != 1) {
  }
}

void TellResumption(const v1::TrainerRequest& request) {
  v1::TrainerEvent event;
  event.mutable_progress()->set_note(ReadFile(request.resume_path()).value_or("nothing"));
  event.mutable_progress()->set_fraction(0.6);
  if (!request.resume_path().empty()) event.mutable_progress()->set_resumed_at(0.5);
  Say(event);
}

// Writes them where they are wanted; their digest.
std::string FindStrengths(const v1::TrainerRequest& request, const Genome& genome,
                          uint64_t behaviour) {
  if (request.job().strength_images() == 0) return Sha256Hex("unwanted");
  TensorMap strengths;
  for (const int conv : genome.convs()) {
    const int filters = genome.conv(conv).filters();
    const std::string& name = genome.layer(conv).name;
    strengths[TaylorName(name)] = strengths[ActivationName(name)] = {
        {filters}, std::vector<float>(filters, 0.5f)};
  }
  if (behaviour == kLieGarbageStrengths) strengths.begin()->second.values[0] = -1;
  const std::string file = SerializeStrengths(strengths);
  if (behaviour == kLieNoStrengths) return Sha256Hex(file);
  const std::string digest = Write(request.strengths_path(), file);
  return behaviour == kLieStrengths ? Sha256Hex("others") : digest;
}

// Writes the network that the behaviour calls for; the truth about it.
v1::TrainResult Train(const v1::TrainerRequest& request, uint64_t behaviour) {
  auto network = Network::FromSafetensors(*ReadFile(request.network_path()));
  if (!network.ok()) std::abort();
  if (behaviour == kLieOtherGenome) {
    network->genome = *SqueezeNetV11(network->genome.classes(), 0.2);
    network->weights = FreshWeights(network->genome, 1, 0, 0);
  }
  for (auto& [name, tensor] : network->weights) {
    for (float& value : tensor.values) value *= 0.5f;
  }
  const std::string file = behaviour == kLieGarbageFile ? "no network" : network->ToSafetensors();
  if (behaviour != kLieNoFile) {
    std::ofstream(request.output_path(), std::ios::binary) << file << std::flush;
  }
  v1::TrainResult result;
  result.set_outcome(v1::TrainResult::TRAINED);
  result.set_artifact(Sha256Hex(file));
  result.set_weights_digest(WeightsDigest(network->weights));
  result.set_strengths(FindStrengths(request, network->genome, behaviour));
  result.set_selection_accuracy(0.75);
  result.set_selection_log_loss(0.5);
  result.set_images_seen(1000);
  result.set_numerics_class("fake");
  result.set_wall_seconds(4.0);
  result.set_step_seconds(3.0);
  return result;
}

// Of two classes.
v1::EvaluateResult Evaluate(const v1::TrainerRequest& request, uint64_t behaviour) {
  const bool val = request.evaluate().split() == v1::VAL;
  v1::EvaluateResult result;
  v1::Evaluation& evaluation = *result.mutable_evaluation();
  evaluation.set_images(val ? kFakeValImages : kFakeSelectionImages);
  for (const int count : val ? std::vector<int>{2, 1, 0, 3} : std::vector<int>{1, 1, 0, 2}) {
    evaluation.add_confusion(count);
  }
  evaluation.set_accuracy(val ? 5.0 / 6 : 0.75);
  evaluation.set_balanced_accuracy(val ? (2.0 / 3 + 1) / 2 : 0.75);
  evaluation.set_log_loss(0.5);
  result.set_numerics_class("fake");
  result.set_wall_seconds(2);
  result.set_predictions(Sha256Hex("no file"));
  if (behaviour != kLieNoFile) result.set_predictions(Write(request.output_path(), "a,b\n"));
  if (behaviour == kLieArtifact) result.set_predictions(Sha256Hex("another"));
  if (behaviour == kLieImages) evaluation.set_images(evaluation.images() + 1);
  if (behaviour == kLieCounts) evaluation.set_confusion(0, 7);
  if (behaviour == kLieNegativeCount) evaluation.set_confusion(1, -1);
  if (behaviour == kLieConfusion) evaluation.add_confusion(0);
  if (behaviour == kLieAccuracy) evaluation.set_accuracy(1);
  if (behaviour == kLieBalanced) evaluation.set_balanced_accuracy(1);
  if (behaviour == kLieLoss) evaluation.set_log_loss(std::numeric_limits<double>::quiet_NaN());
  if (behaviour == kLieNumerics) result.clear_numerics_class();
  if (behaviour == kLieSeconds) result.set_wall_seconds(-1);
  return result;
}

v1::ExportedFile Export(const v1::TrainerRequest& request, uint64_t behaviour) {
  const std::string content = "torchscript";
  v1::ExportedFile file;
  file.set_name(behaviour == kLieName ? "../model.pt" : "model.pt");
  file.set_artifact(Sha256Hex(behaviour == kLieArtifact ? "another" : content));
  file.set_bytes(static_cast<int64_t>(content.size()) + (behaviour == kLieBytes ? 1 : 0));
  file.set_difference(behaviour == kLieDifference ? 0.5 : 1e-6);
  file.set_difference_at_100(behaviour == kLieDifferenceAt100 ? -1 : 2e-6);
  if (behaviour != kLieCheckedWith) file.set_checked_with("a fake");
  if (behaviour != kLieNoFile) Write(request.output_path(), content);
  if (behaviour != kLieNoReference) Write(request.reference_path(), "reference");
  return file;
}

v1::EngineFiles Probe(const v1::TrainerRequest& request, uint64_t behaviour) {
  const auto network = Network::FromSafetensors(*ReadFile(request.network_path()));
  if (!network.ok()) std::abort();
  const int64_t side = request.probe().input_size() + (behaviour == kLieGarbageFile ? 1 : 0);
  const int64_t classes = network->genome.classes();
  const auto filled = [](std::vector<int64_t> shape) {
    size_t count = 1;
    for (const int64_t length : shape) count *= static_cast<size_t>(length);
    return Tensor{std::move(shape), std::vector<float>(count, 0.5f)};
  };
  const std::string pictures = ProbePicturesToSafetensors(filled({kProbePictures, 3, side, side}));
  const std::string outputs = ProbeOutputsToSafetensors(filled({kProbePictures, classes}));
  v1::EngineFiles files;
  files.set_probe_pictures(Write(request.pictures_path(), pictures));
  files.set_probe_outputs(behaviour == kLieNoFile ? Sha256Hex(outputs)
                                                  : Write(request.output_path(), outputs));
  if (behaviour == kLieArtifact) files.set_probe_outputs(Sha256Hex("another"));
  return files;
}

uint64_t BehaviourOf(const v1::TrainerRequest& request) {
  if (request.has_evaluate()) return request.evaluate().threads();
  if (request.has_export_files()) return request.export_files().batches(0);
  if (request.has_probe()) return request.probe().batches(0);
  return request.job().seed();
}

void Answer(const v1::TrainerRequest& request) {
  const uint64_t behaviour = BehaviourOf(request);
  v1::TrainerEvent event;
  if (behaviour == kFailAtOnce) {
    event.mutable_failed()->set_message("the fake has had enough");
    return Say(event);
  }
  if (behaviour == kAwaitStop) CatchSigterm();
  SayProgress(behaviour);
  switch (behaviour) {
    case kExit:
      std::exit(3);
    case kAbort:
      std::abort();
    case kHang:
      Hang();
    case kStandStill:
      StandStill([behaviour] { SayProgress(behaviour); });
    case kSpeakText:
      std::cout << "epoch 1: \x01 loss 0.5" << std::endl;
      Hang();
    case kSpeakLongLine:
      std::cout << std::string(3 << 20, ' ') << std::endl;
      Hang();
    case kSayReadyAgain:
      event.mutable_ready();
      Say(event);
      Hang();
    case kMakeCheckpoints:
      for (const int step : {1, 2}) {
        MakeCheckpoint(request, "checkpoint " + std::to_string(step), step);
      }
      break;
    case kAwaitStop:
      AwaitSigterm();
      MakeCheckpoint(request, "the last", 9);
      std::exit(128 + SIGTERM);
    case kTellResumption:
      TellResumption(request);
      break;
    case kUnwantedCheckpoint:
      event.mutable_checkpoint()->set_step(1);
      Say(event);
      Hang();
    case kDiverge:
      event.mutable_done()->set_outcome(v1::TrainResult::DIVERGED);
      event.mutable_done()->set_artifact("left over");
      event.mutable_done()->set_strengths("left over");
      return Say(event);
    case kAnswerAnother:
      event.mutable_done()->set_outcome(v1::TrainResult::DIVERGED);
      return Say(event);
    default:
      break;
  }
  if (request.has_evaluate()) {
    *event.mutable_evaluated() = Evaluate(request, behaviour);
    return Say(event);
  }
  if (request.has_export_files()) {
    *event.mutable_exported() = Export(request, behaviour);
    return Say(event);
  }
  if (request.has_probe()) {
    *event.mutable_probed() = Probe(request, behaviour);
    return Say(event);
  }
  v1::TrainResult& result = *event.mutable_done();
  result = Train(request, behaviour);
  if (behaviour == kLieArtifact) result.set_artifact(Sha256Hex("another"));
  if (behaviour == kLieWeightsDigest) result.set_weights_digest(Sha256Hex("others"));
  if (behaviour == kLieAccuracy) result.set_selection_accuracy(1.5);
  if (behaviour == kLieLoss) {
    result.set_selection_log_loss(std::numeric_limits<double>::quiet_NaN());
  }
  if (behaviour == kLieOutcome) result.clear_outcome();
  Say(event, /*twice=*/behaviour == kTalkAfterwards);
  if (behaviour == kDieAfterwards) std::exit(0);
}

}  // namespace
}  // namespace squish

int main(int argc, char** argv) {
  squish::EndWithParent();
  if (argc > 1) std::ofstream(argv[1]) << "started " << ::getpid() << std::endl;
  squish::v1::TrainerEvent ready;
  ready.mutable_ready()->set_cuda(true);
  return squish::ServeFake<squish::v1::TrainerRequest>(argc > 2 ? argv[2] : "", ready,
                                                       squish::Answer);
}
