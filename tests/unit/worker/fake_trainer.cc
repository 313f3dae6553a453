// A `squish-trainer` without LibTorch that does what the job's seed says (FakeTraining).
//
//   fake_trainer [FIFO [START]]
//
// Writes a line to FIFO when it starts. START: "crash", "hang" or "babble" instead of
// `ready`.
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <limits>
#include <string>

#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/child/parent_watch.h"
#include "common/genome/ancestors.h"
#include "common/weights/network.h"
#include "google/protobuf/util/json_util.h"
#include "squish/v1/trainer.pb.h"
#include "tests/unit/worker/fake_behaviour.h"

namespace squish {
namespace {

void Say(const v1::TrainerEvent& event, bool twice = false) {
  std::string line;
  if (!google::protobuf::util::MessageToJsonString(event, &line).ok()) std::abort();
  line += '\n';
  std::cout << (twice ? line + line : line) << std::flush;
}

[[noreturn]] void Hang() {
  while (true) ::pause();
}

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
  result.set_selection_accuracy(0.75);
  result.set_selection_log_loss(0.5);
  result.set_images_seen(1000);
  result.set_numerics_class("fake");
  result.set_wall_seconds(4.0);
  result.set_step_seconds(3.0);
  return result;
}

void Answer(const v1::TrainerRequest& request) {
  const uint64_t behaviour = request.job().seed();
  v1::TrainerEvent event;
  if (behaviour == kFailAtOnce) {
    event.mutable_failed()->set_message("the fake has had enough");
    return Say(event);
  }
  SayProgress(behaviour);
  switch (behaviour) {
    case kExit:
      std::exit(3);
    case kAbort:
      std::abort();
    case kHang:
      Hang();
    case kStandStill:
      for (;; ::usleep(50'000)) SayProgress(behaviour);
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
    case kDiverge:
      event.mutable_done()->set_outcome(v1::TrainResult::DIVERGED);
      event.mutable_done()->set_artifact("left over");
      return Say(event);
    default:
      break;
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

int Main(int argc, char** argv) {
  EndWithParent();
  if (argc > 1) std::ofstream(argv[1]) << "started " << ::getpid() << std::endl;
  const std::string start = argc > 2 ? argv[2] : "";
  if (start == "crash") return 127;
  if (start == "hang") Hang();
  v1::TrainerEvent greeting;
  if (start == "babble") {
    greeting.mutable_failed()->set_message("no");
  } else {
    greeting.mutable_ready()->set_cuda(true);
  }
  Say(greeting);
  for (std::string line; std::getline(std::cin, line);) {
    v1::TrainerRequest request;
    if (!google::protobuf::util::JsonStringToMessage(line, &request).ok()) return 1;
    Answer(request);
  }
  return 0;
}

}  // namespace
}  // namespace squish

int main(int argc, char** argv) { return squish::Main(argc, argv); }
