// A `squish-exporter` without OpenCV that does what the second batch says (fake_behaviour.h).
//
//   fake_exporter [START]
//
// START: "crash", "hang" or "babble" instead of `ready`.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <set>
#include <string>

#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/export/handout.h"
#include "squish/v1/trainer.pb.h"
#include "tests/unit/worker/fake_behaviour.h"
#include "tests/unit/worker/fake_child.h"

namespace squish {
namespace {

void SayProgress() {
  v1::ExporterEvent event;
  event.mutable_progress()->set_fraction(0.5);
  Say(event);
}

v1::ExportedFile Export(const v1::ExporterRequest& request, int batch, int behaviour) {
  // The network, and of an export the trainer's reference, are there.
  if (!ReadFile(request.network_path()).ok()) std::abort();
  if (!request.has_engine_files() && !ReadFile(request.reference_path()).ok()) std::abort();
  const std::string content = "onnx " + std::to_string(batch);
  v1::ExportedFile file;
  file.set_name(OnnxFileName(batch));
  if (behaviour != kLieNoFile) {
    std::ofstream(JoinPath(request.output_folder(), file.name())) << content << std::flush;
  }
  if (behaviour == kLieName) file.set_name("../" + file.name());
  file.set_artifact(Sha256Hex(behaviour == kLieArtifact ? "another" : content));
  file.set_bytes(static_cast<int64_t>(content.size()) + (behaviour == kLieBytes ? 1 : 0));
  if (request.has_engine_files()) return file;
  file.set_difference(behaviour == kLieDifference ? 0.5 : 1e-6);
  file.set_difference_at_100(behaviour == kLieDifferenceAt100 ? -1 : 2e-6);
  if (behaviour != kLieCheckedWith) file.set_checked_with("a fake");
  return file;
}

void Answer(const v1::ExporterRequest& request) {
  const auto& ordered =
      request.has_engine_files() ? request.engine_files().batches() : request.batches();
  const int behaviour = ordered.at(1);
  v1::ExporterEvent event;
  SayProgress();
  switch (behaviour) {
    case kFailAtOnce:
      event.mutable_failed()->set_message("the fake has had enough");
      return Say(event);
    case kExit:
      std::exit(3);
    case kAbort:
      std::abort();
    case kHang:
      Hang();
    case kStandStill:
      StandStill(SayProgress);
    case kSpeakText:
      std::cout << "exporting…" << std::endl;
      Hang();
    case kSpeakLongLine:
      std::cout << std::string(3 << 20, ' ') << std::endl;
      Hang();
    case kSayReadyAgain:
      event.mutable_ready();
      Say(event);
      Hang();
    default:
      break;
  }
  std::set<int> batches(ordered.begin(), ordered.end());
  if (request.has_engine_files()) {
    if (behaviour == kLieMissingFile) batches.erase(ordered.at(0));
  } else if (behaviour != kLieMissingFile) {
    batches.insert(0);
  }
  for (const int batch : batches) {
    *event.mutable_done()->add_files() = Export(request, batch, behaviour);
  }
  Say(event);
}

}  // namespace
}  // namespace squish

int main(int argc, char** argv) {
  squish::EndWithParent();
  squish::v1::ExporterEvent ready;
  ready.mutable_ready();
  return squish::ServeFake<squish::v1::ExporterRequest>(argc > 1 ? argv[1] : "", ready,
                                                        squish::Answer);
}
