// A `squish-decoder` that does what the data set's name says: "crash", "hang", "babble",
// "lie-fingerprint", "lie-classes", "lie-cache"; else it makes a cache whose fingerprint
// is the digest of SOURCE_DIR/content, and fails when that is not there.
#include <cstdlib>
#include <iostream>
#include <string>

#include "common/base/file.h"
#include "common/base/sha256.h"
#include "squish/v1/trainer.pb.h"
#include "tests/unit/worker/fake_behaviour.h"
#include "tests/unit/worker/fake_child.h"

namespace squish {
namespace {

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

void Answer(const v1::DecoderRequest& request) {
  v1::DecoderEvent progress;
  progress.mutable_progress()->set_fraction(0.5);
  Say(progress);
  const std::string& name = request.dataset().name();
  if (name == "crash") std::abort();
  if (name == "babble") std::cout << "decoding…" << std::endl;
  if (name == "hang" || name == "babble") Hang();
  Say(Decode(request));
}

}  // namespace
}  // namespace squish

int main() {
  squish::EndWithParent();
  squish::v1::DecoderEvent ready;
  ready.mutable_ready();
  return squish::ServeFake<squish::v1::DecoderRequest>("", ready, squish::Answer);
}
