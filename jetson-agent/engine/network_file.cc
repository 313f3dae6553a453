#include "jetson-agent/engine/network_file.h"

#include <string>
#include <utility>

#include "common/base/file.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/weights/network.h"

namespace squish {

absl::StatusOr<Genome> ReadGenome(absl::string_view path) {
  SQUISH_ASSIGN_OR_RETURN(const std::string file, ReadFile(path));
  absl::StatusOr<Network> network = Network::FromSafetensors(file);
  if (!network.ok()) return Annotate(network.status(), path);
  return std::move(network->genome);
}

}  // namespace squish
