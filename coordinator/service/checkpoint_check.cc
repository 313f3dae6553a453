#include "coordinator/service/checkpoint_check.h"

#include <fstream>
#include <string>

#include "common/weights/checkpoint.h"

namespace squish {
namespace {

constexpr size_t kMaximumClassBytes = 512;  // As of a result.

}  // namespace

bool IsUsable(const v1::Checkpoint& checkpoint, const BlobStore& artifacts) {
  const bool in_range = checkpoint.step() > 0 && checkpoint.fraction() >= 0 &&
                        checkpoint.fraction() <= 1 && !checkpoint.numerics_class().empty() &&
                        checkpoint.numerics_class().size() <= kMaximumClassBytes;
  if (!in_range || !artifacts.Use(checkpoint.artifact())) return false;
  std::ifstream file(artifacts.PathOf(checkpoint.artifact()), std::ios::binary);
  std::string beginning(kCheckpointMarkBytes, '\0');
  file.read(beginning.data(), static_cast<std::streamsize>(beginning.size()));
  beginning.resize(static_cast<size_t>(file.gcount()));
  return BeginsAsCheckpoint(beginning);
}

}  // namespace squish
