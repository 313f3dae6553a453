#include "jetson-agent/engine/replay_engine.h"

#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "jetson-agent/engine/network_file.h"
#include "jetson-agent/engine/synthetic_network.h"

namespace squish {
namespace {

constexpr absl::string_view kHeader = "architecture_digest,images_per_second";

absl::Status BadLine(int number, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("line ", number, ": ", what));
}

}  // namespace

absl::StatusOr<std::map<std::string, double>> ParseRecord(absl::string_view csv) {
  std::map<std::string, double> record;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(csv, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (number == 1) {
      if (line != kHeader) return BadLine(number, absl::StrCat("must be \"", kHeader, "\""));
      continue;
    }
    if (line.empty()) continue;
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ',');
    if (fields.size() != 2) return BadLine(number, "must have two fields");
    if (!IsSha256Hex(fields[0])) {
      return BadLine(number, "the digest must be 64 lower-case hexadecimal digits");
    }
    double speed = 0;
    if (!absl::SimpleAtod(fields[1], &speed) || !(speed > 0) || !std::isfinite(speed)) {
      return BadLine(number, "images per second must be a positive number");
    }
    record.emplace(fields[0], speed);
  }
  return record;
}

ReplayEngine::ReplayEngine(std::string path, std::map<std::string, double> record)
    : path_(std::move(path)), record_(std::move(record)) {}

absl::StatusOr<std::unique_ptr<ReplayEngine>> ReplayEngine::Open(absl::string_view path) {
  SQUISH_ASSIGN_OR_RETURN(const std::string csv, ReadFile(path));
  auto record = ParseRecord(csv);
  if (!record.ok()) return Annotate(record.status(), path);
  return std::unique_ptr<ReplayEngine>(new ReplayEngine(std::string(path), *std::move(record)));
}

EngineReady ReplayEngine::Describe() const {
  return {.engine = "replay",
          .precision = "fp32",
          .version = absl::StrCat("replay of ", path_),
          .device_class = "replayed",
          .synthetic = true};
}

absl::StatusOr<std::unique_ptr<LoadedNetwork>> ReplayEngine::Load(const LoadRequest& request) {
  SQUISH_ASSIGN_OR_RETURN(const Genome genome, ReadGenome(request.path));
  const auto found = record_.find(genome.ArchitectureDigest());
  if (found == record_.end()) {
    return absl::NotFoundError(absl::StrCat("the record ", path_, " holds no speed for architecture ",
                                            genome.ArchitectureDigest()));
  }
  return std::make_unique<SyntheticNetwork>(request.batch / found->second);
}

}  // namespace squish
