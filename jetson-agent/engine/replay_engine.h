// The engine `replay`: answers with speeds that were recorded earlier, so that an
// evolution can be repeated without its board. Computes nothing and returns at once.
//
// The record is a CSV file with the header `architecture_digest,images_per_second`.
// Where a digest stands twice, its first line counts.
#ifndef SQUISH_JETSON_AGENT_ENGINE_REPLAY_ENGINE_H_
#define SQUISH_JETSON_AGENT_ENGINE_REPLAY_ENGINE_H_

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "jetson-agent/engine/server.h"

namespace squish {

// Images/s by architecture digest. INVALID_ARGUMENT names the line that is wrong.
absl::StatusOr<std::map<std::string, double>> ParseRecord(absl::string_view csv);

class ReplayEngine : public Engine {
 public:
  // INVALID_ARGUMENT as ParseRecord, with the file's name; else as ReadFile.
  static absl::StatusOr<std::unique_ptr<ReplayEngine>> Open(absl::string_view path);

  EngineReady Describe() const override;

  // NOT_FOUND: the record does not hold the architecture; names digest and file. That
  // is about the record, never about the network.
  absl::StatusOr<std::unique_ptr<LoadedNetwork>> Load(const LoadRequest& request) override;

 private:
  ReplayEngine(std::string path, std::map<std::string, double> record);

  const std::string path_;
  const std::map<std::string, double> record_;
};

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_ENGINE_REPLAY_ENGINE_H_
