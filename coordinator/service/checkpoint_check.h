// Whether a checkpoint that a runner names can be one.
#ifndef SQUISH_COORDINATOR_SERVICE_CHECKPOINT_CHECK_H_
#define SQUISH_COORDINATOR_SERVICE_CHECKPOINT_CHECK_H_

#include "common/artifacts/blob_store.h"
#include "squish/v1/job.pb.h"

namespace squish {

// In range, and its artifact is here and claims to be a checkpoint: no other artifact may be
// named as one, since those that are out of date are removed. Reads a few bytes.
bool IsUsable(const v1::Checkpoint& checkpoint, const BlobStore& artifacts);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_CHECKPOINT_CHECK_H_
