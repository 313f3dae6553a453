// From a data set's spec to its decoded cache: what the program `squish-decoder` does.
#ifndef SQUISH_COMMON_DATASET_PREPARE_H_
#define SQUISH_COMMON_DATASET_PREPARE_H_

#include <functional>

#include "absl/status/statusor.h"
#include "squish/v1/trainer.pb.h"

namespace squish {

// Makes the cache of `request`, or finds it: its name follows from the spec and from
// the names, sizes and times of the source's files, and its content is checked against
// its fingerprint. A damaged cache is made anew. Any number of processes may prepare
// the same set at once. `progress` is called now and then, also while another process
// makes the cache, with the fraction done.
//
// INVALID_ARGUMENT: the spec or the source is wrong; the message says where and what
// to do. ABORTED: the source changed while it was read. Others: the file system's.
absl::StatusOr<v1::DecoderEvent::Done> PrepareDataset(
    const v1::DecoderRequest& request, const std::function<void(double fraction)>& progress);

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_PREPARE_H_
