// Files of tensors: networks, strengths, checkpoints, somebody's SqueezeNet.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "common/genome/genome.h"
#include "common/weights/checkpoint.h"
#include "common/weights/network.h"
#include "common/weights/safetensors.h"
#include "common/weights/strengths.h"
#include "tests/fuzz/fuzz.h"

namespace squish {
namespace {

// The genome of the corpus: two convolutions.
constexpr char kGenome[] =
    R"({"version":1,"layers":[{"name":"input","op":"input","inputs":[],"channels":1},)"
    R"({"name":"a","op":"conv2d","inputs":[0],"kernel":1,"stride":1,"padding":0,"lineage":[0,1]},)"
    R"({"name":"b","op":"conv2d","inputs":[1],"kernel":1,"stride":1,"padding":0,"lineage":[0,1]},)"
    R"({"name":"c","op":"global_average_pool","inputs":[2]}]})";

const Genome& SmallGenome() {
  static const auto& genome = *new Genome(Genome::FromJson(kGenome).value());
  return genome;
}

bool IsWithin(absl::string_view part, absl::string_view whole) {
  const std::less_equal<const char*> before;
  return before(whole.data(), part.data()) &&
         before(part.data() + part.size(), whole.data() + whole.size());
}

void ExamineView(absl::string_view file) {
  const absl::StatusOr<SafetensorsView> view = ParseSafetensors(file);
  if (!view.ok()) return;
  for (const auto& [name, tensor] : view->tensors) {
    Require(IsWithin(tensor.bytes, file), "a tensor lies outside the file");
  }
  const std::string canonical = SerializeSafetensors(view->metadata, view->tensors);
  const absl::StatusOr<SafetensorsView> again = ParseSafetensors(canonical);
  Require(again.status(), "a canonical file is refused");
  Require(SerializeSafetensors(again->metadata, again->tensors) == canonical,
          "a canonical file is read as another one");
}

void ExamineNetwork(absl::string_view file) {
  const absl::StatusOr<Network> network = Network::FromSafetensors(file);
  if (!network.ok()) return;
  Require(CheckWeights(network->genome, network->weights), "a network has wrong weights");
  const std::string canonical = network->ToSafetensors();
  const absl::StatusOr<Network> again = Network::FromSafetensors(canonical);
  Require(again.status(), "a network's own file is refused");
  Require(again->ToSafetensors() == canonical, "a network's file is read as another network");
}

void ExamineStrengths(absl::string_view file) {
  const absl::StatusOr<TensorMap> strengths = ReadStrengths(file, SmallGenome());
  if (!strengths.ok()) return;
  Require(CheckStrengths(SmallGenome(), *strengths), "strengths were read that are none");
  const auto again = ReadStrengths(SerializeStrengths(*strengths), SmallGenome());
  Require(again.status(), "a file of strengths that we wrote is refused");
  Require(*again == *strengths, "a file of strengths is read as others");
}

void ExamineCheckpoint(absl::string_view file) {
  const absl::StatusOr<TrainingState> state = ReadCheckpoint(file);
  if (!state.ok()) return;
  const absl::StatusOr<TrainingState> again = ReadCheckpoint(SerializeCheckpoint(*state));
  Require(again.status(), "a checkpoint that we wrote is refused");
  Require(again->step == state->step && again->losses.size() == state->losses.size(),
          "a checkpoint is read as another one");
}

}  // namespace
}  // namespace squish

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view file = squish::TextOf(data, size);
  squish::ExamineView(file);
  squish::ExamineNetwork(file);
  squish::ExamineStrengths(file);
  squish::ExamineCheckpoint(file);
  (void)squish::ImportTorchvisionSqueezeNet(file);
  return 0;
}
