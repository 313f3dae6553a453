// squish-trainer: the child process in which networks are trained, evaluated and exported
// to TorchScript, so that LibTorch is in no process that serves others. Reads a
// TrainerRequest a line on stdin and answers each with `progress` lines and one `done`,
// `evaluated`, `exported` or `failed` (TrainerEvent, JSON); see
// proto/squish/v1/trainer.proto. Its first line is `ready`; it ends with its input. SIGTERM
// asks a training that makes checkpoints for a last one, and then ends it too.
#include <cstdlib>
#include <iostream>
#include <string>

#include "CLI/CLI.hpp"
#include "common/child/parent_watch.h"
#include "common/child/protocol_output.h"
#include "common/torch/numerics.h"
#include "google/protobuf/util/json_util.h"
#include "worker/trainer/answer.h"
#include "worker/trainer/stop_signal.h"

namespace squish {
namespace {

void Say(ProtocolOutput& output, const v1::TrainerEvent& event) {
  std::string line;
  if (!google::protobuf::util::MessageToJsonString(event, &line).ok()) std::abort();
  if (!output.WriteLine(line)) std::exit(EXIT_FAILURE);
}

void Serve(ProtocolOutput& output) {
  v1::TrainerEvent ready;
  const bool cuda = CudaAvailable();
  ready.mutable_ready()->set_cuda(cuda);
  ready.mutable_ready()->set_numerics_class(NumericsClass(/*threads=*/1, cuda));
  Say(output, ready);
  const CacheOpener open_cache = [](const std::string& path) { return DatasetCache::Open(path); };
  const ProgressReporter report = [&](const v1::TrainerEvent::Progress& progress) {
    v1::TrainerEvent event;
    *event.mutable_progress() = progress;
    Say(output, event);
  };
  const CheckpointHooks hooks = {
      .begin = [] { SetPatience(true); },
      .stopping = StopRaised,
      .kept =
          [&](const v1::Checkpoint& checkpoint) {
            v1::TrainerEvent event;
            *event.mutable_checkpoint() = checkpoint;
            Say(output, event);
            if (StopRaised()) EndByStopSignal();
          }};
  for (std::string line; std::getline(std::cin, line);) {
    Say(output, AnswerLine(line, Clock::System(), open_cache, report, hooks));
    SetPatience(false);  // What is done has been said.
  }
}

}  // namespace
}  // namespace squish

int main(int argc, char** argv) {
  CLI::App app(
      "Trains, evaluates and exports networks. Started by worker daemons: reads one TrainerRequest "
      "(JSON) a line on stdin, writes TrainerEvents on stdout.");
  CLI11_PARSE(app, argc, argv);
  squish::PrepareTorchProcess();
  squish::EndWithParent();
  squish::CatchStopSignal();
  squish::ProtocolOutput output;
  squish::Serve(output);
}
