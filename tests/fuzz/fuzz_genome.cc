// A genome's JSON, as it comes in network files and over the network.
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "common/genome/cost.h"
#include "common/genome/genome.h"
#include "common/genome/genome_json.h"
#include "tests/fuzz/fuzz.h"

namespace squish {
namespace {

void Examine(const Genome& genome) {
  const absl::StatusOr<Genome> again = Genome::FromJson(genome.Json());
  Require(again.status(), "a genome's own JSON is refused");
  Require(*again == genome && again->layers() == genome.layers() &&
              again->Digest() == genome.Digest() &&
              again->ArchitectureDigest() == genome.ArchitectureDigest(),
          "a genome's JSON is read as another genome");
  for (const int input_size : {1, 64, 8192}) {
    const absl::StatusOr<Cost> cost = ComputeCost(genome, input_size);
    Require(!cost.ok() || (cost->parameters > 0 && cost->macs > 0), "a network costs nothing");
  }
}

}  // namespace
}  // namespace squish

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace squish;
  const absl::string_view text = TextOf(data, size);
  if (const absl::StatusOr<Genome> genome = Genome::FromJson(text); genome.ok()) {
    Require(genome->Json() == text, "text that is not canonical is accepted");
    Examine(*genome);
  }
  // The same of text that is not canonical: far more of it is well-formed.
  absl::StatusOr<std::vector<Layer>> layers = LayersFromJson(text);
  if (!layers.ok()) return 0;
  if (const auto genome = Genome::Create(*std::move(layers)); genome.ok()) Examine(*genome);
  return 0;
}
