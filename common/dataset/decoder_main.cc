// squish-decoder: the child process in which pictures are decoded, so that a bad file
// may end it and nothing else. Reads DecoderRequest lines on stdin and answers each
// with `progress` lines and one `done` or `failed` (DecoderEvent, JSON); see
// proto/squish/v1/trainer.proto. Its first line is `ready`; it ends with its input.
#include <malloc.h>

#include <iostream>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/dataset/image_folder.h"
#include "common/dataset/prepare.h"
#include "google/protobuf/util/json_util.h"
#include "nlohmann/json.hpp"
#include "squish/v1/trainer.pb.h"

namespace squish {
namespace {

constexpr int kKeptBytes = 32 << 20;  // The most that malloc takes.

void Say(const v1::DecoderEvent& event) {
  std::string line;
  if (!google::protobuf::util::MessageToJsonString(event, &line).ok()) std::abort();
  std::cout << line << std::endl;
}

// Bytes that are no UTF-8 (of a file's name, of a babbled request) replaced: JSON has no
// others.
std::string AsUtf8(absl::string_view text) {
  const nlohmann::json json = std::string(text);
  return nlohmann::json::parse(
             json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))
      .get<std::string>();
}

void SayProgress(double fraction) {
  v1::DecoderEvent event;
  event.mutable_progress()->set_fraction(fraction);
  Say(event);
}

absl::StatusOr<v1::DecoderEvent::Done> Answer(const std::string& line) {
  v1::DecoderRequest request;
  const auto parsed = google::protobuf::util::JsonStringToMessage(line, &request);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the request is no DecoderRequest: ", parsed.message().as_string()));
  }
  return PrepareDataset(request, SayProgress, OpenAnyPictureSource);
}

void Serve() {
  v1::DecoderEvent ready;
  ready.mutable_ready();
  Say(ready);
  for (std::string line; std::getline(std::cin, line);) {
    absl::StatusOr<v1::DecoderEvent::Done> done = Answer(line);
    v1::DecoderEvent event;
    if (done.ok()) {
      *event.mutable_done() = *std::move(done);
    } else {
      event.mutable_failed()->set_message(AsUtf8(done.status().message()));
    }
    Say(event);
  }
}

}  // namespace
}  // namespace squish

int main(int argc, char** argv) {
  CLI::App app(
      "Decodes a data set into its cache. Started by worker daemons: reads one "
      "DecoderRequest (JSON) a line on stdin, writes DecoderEvents on stdout.");
  CLI11_PARSE(app, argc, argv);
  // Pictures come and go by the thousand: their memory is kept rather than given back to
  // the system and cleared anew each time.
  mallopt(M_MMAP_THRESHOLD, squish::kKeptBytes);
  mallopt(M_TRIM_THRESHOLD, squish::kKeptBytes);
  squish::Serve();
}
