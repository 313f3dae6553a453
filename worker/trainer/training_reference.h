// Training pictures, and a network's own outputs for them: what other programs' outputs are
// compared with. No LibTorch in this header.
#ifndef SQUISH_WORKER_TRAINER_TRAINING_REFERENCE_H_
#define SQUISH_WORKER_TRAINER_TRAINING_REFERENCE_H_

#include "absl/status/statusor.h"
#include "common/dataset/cache.h"
#include "common/export/reference.h"
#include "common/weights/network.h"

namespace squish {

// Of `count` training pictures, at least 1, from all over the split, which lies in the order of
// the classes; some are there twice where it has fewer. They are resized from how they are
// cached to `size` pixels a side (common/dataset/resize.h) and normalised as the network wants
// it: the same bits on every machine. Outputs are computed on the CPU. The split is not empty.
// As Inference::Create.
absl::StatusOr<ReferenceOutputs> MakeReference(const Network& network, const DatasetCache& data,
                                               int count, int size);

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_TRAINING_REFERENCE_H_
