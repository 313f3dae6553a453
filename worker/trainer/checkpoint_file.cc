#include "worker/trainer/checkpoint_file.h"

#include <iostream>
#include <utility>

#include "common/base/file.h"

namespace squish {

CheckpointFile::CheckpointFile(std::string path, absl::Duration interval, Clock& clock,
                               const CheckpointHooks& hooks)
    : path_(std::move(path)),
      interval_(interval),
      clock_(clock),
      hooks_(hooks),
      last_(clock.Steady()) {
  hooks_.begin();
}

bool CheckpointFile::IsDue() {
  return hooks_.stopping() || clock_.Steady() - last_ >= interval_;
}

void CheckpointFile::Keep(const std::string& file, const v1::Checkpoint& what) {
  const absl::Status written = WriteFileDurably(path_, file);
  last_ = clock_.Steady();
  if (written.ok()) {
    hooks_.kept(what);
  } else {
    std::cerr << "no checkpoint: " << written.message() << std::endl;
  }
}

}  // namespace squish
