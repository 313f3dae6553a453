// Lines of children: engines of strangers, and our own trainer, decoder and exporter, whose
// libraries may misbehave. Also what an engine is asked, which ours read.
#include <google/protobuf/util/json_util.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "jetson-agent/engine/contract.h"
#include "squish/v1/trainer.pb.h"
#include "tests/fuzz/fuzz.h"
#include "worker/daemon/child_events.h"

namespace squish {
namespace {

template <typename Message>
void ExamineContract(absl::StatusOr<Message> (*parse)(absl::string_view), absl::string_view line) {
  const absl::StatusOr<Message> message = parse(line);
  if (!message.ok()) return;
  const std::string written = ToLine(*message);
  Require(written.find('\n') == std::string::npos, "a message has more than one line");
  const absl::StatusOr<Message> again = parse(written);
  Require(again.status(), "a message that we wrote is refused");
  Require(again->index() == message->index() && ToLine(*again) == written,
          "a message is read as another one");
}

void ExamineEvent(google::protobuf::Message&& event, absl::string_view line) {
  if (!ParseEvent(line, "the child", event).ok()) return;
  std::string written;
  Require(google::protobuf::util::MessageToJsonString(event, &written).ok(),
          "an event cannot be written");
  Require(ParseEvent(written, "the child", event), "an event that we wrote is refused");
}

}  // namespace
}  // namespace squish

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace squish;
  const absl::string_view line = TextOf(data, size);
  ExamineContract(&ParseRequest, line);
  ExamineContract(&ParseReply, line);
  ExamineEvent(v1::TrainerEvent(), line);
  ExamineEvent(v1::DecoderEvent(), line);
  ExamineEvent(v1::ExporterEvent(), line);
  return 0;
}
