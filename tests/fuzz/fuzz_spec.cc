// An experiment's specification, as a user wrote it.
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/spec/experiment_spec.h"
#include "google/protobuf/text_format.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace squish;
  const auto spec = ParseExperimentSpec(TextOf(data, size), "spec.txtpb");
  if (!spec.ok()) return 0;
  const std::string bytes = spec->SerializeAsString();

  v1::ExperimentSpec sent;
  Require(sent.ParseFromString(bytes), "a spec that was accepted cannot be sent");

  const auto again = CompleteExperimentSpec(*spec);
  Require(again.status(), "a completed spec is refused");
  Require(again->SerializeAsString() == bytes, "a completed spec is completed to another one");

  // As `squishctl` writes it for people.
  std::string text;
  Require(google::protobuf::TextFormat::PrintToString(*spec, &text), "a spec cannot be printed");
  const auto read = ParseExperimentSpec(text, "printed.txtpb");
  Require(read.status(), "a printed spec is refused");
  Require(read->SerializeAsString() == bytes, "a printed spec is read as another one");
  return 0;
}
