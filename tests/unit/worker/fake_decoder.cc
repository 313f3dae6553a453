// A `squish-decoder` that does what the data set's name says: "crash", "hang", "babble",
// "lie-fingerprint", "lie-classes", "lie-cache"; else it makes a cache whose fingerprint
// is the digest of SOURCE_DIR/content, and fails when that is not there.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/child/parent_watch.h"
#include "google/protobuf/util/json_util.h"
#include "squish/v1/trainer.pb.h"
#include "tests/unit/worker/fake_behaviour.h"

namespace squish {
namespace {

void Say(const v1::DecoderEvent& event) {
  std::string line;
  if (!google::protobuf::util::MessageToJsonString(event, &line).ok()) std::abort();
  std::cout << line << std::endl;
}

v1::DecoderEvent Decode(const v1::DecoderRequest& request) {
  const std::string& name = request.dataset().name();
  v1::DecoderEvent event;
  std::string content = "built in";
  if (!request.dataset().has_built_in()) {
    const auto file = ReadFile(JoinPath(request.source_dir(), "content"));
    if (!file.ok()) {
      event.mutable_failed()->set_message(request.source_dir() + " holds no pictures");
      return event;
    }
    content = *file;
  }
  const std::string cache = JoinPath(request.cache_dir(), Sha256Hex(name + content) + ".cache");
  if (name != "lie-cache" && !WriteFileDurably(cache, content).ok()) std::abort();
  v1::DecoderEvent::Done& done = *event.mutable_done();
  done.set_cache_path(cache);
  done.mutable_summary()->set_fingerprint(name == "lie-fingerprint" ? "?" : Sha256Hex(content));
  if (request.expected_fingerprint() != done.summary().fingerprint() &&
      !request.expected_fingerprint().empty()) {
    done.set_difference("content has changed since " + request.expected_fingerprint());
  }
  if (name != "lie-classes") {
    for (const char* label : {"cat", "dog"}) done.mutable_summary()->add_class_names(label);
  }
  done.mutable_summary()->set_selection_images(kFakeSelectionImages);
  done.mutable_summary()->set_val_images(kFakeValImages);
  return event;
}

int Main() {
  EndWithParent();
  v1::DecoderEvent ready;
  ready.mutable_ready();
  Say(ready);
  std::string line;
  if (!std::getline(std::cin, line)) return 0;
  v1::DecoderRequest request;
  if (!google::protobuf::util::JsonStringToMessage(line, &request).ok()) return 1;
  v1::DecoderEvent progress;
  progress.mutable_progress()->set_fraction(0.5);
  Say(progress);
  const std::string& name = request.dataset().name();
  if (name == "crash") std::abort();
  if (name == "babble") std::cout << "decoding…" << std::endl;
  while (name == "hang" || name == "babble") ::pause();
  Say(Decode(request));
  return 0;
}

}  // namespace
}  // namespace squish

int main() { return squish::Main(); }
