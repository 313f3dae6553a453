// What the agent and its synthetic engines read of a network file: its genome.
#ifndef SQUISH_JETSON_AGENT_ENGINE_NETWORK_FILE_H_
#define SQUISH_JETSON_AGENT_ENGINE_NETWORK_FILE_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/genome/genome.h"

namespace squish {

// Checks the whole file and returns the genome in it. INVALID_ARGUMENT names the file
// and what is wrong; else as ReadFile.
absl::StatusOr<Genome> ReadGenome(absl::string_view path);

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_ENGINE_NETWORK_FILE_H_
