// Whether a network and a data set belong together; what every task asks first. No
// LibTorch in this header.
#ifndef SQUISH_WORKER_TRAINER_CHECK_NETWORK_H_
#define SQUISH_WORKER_TRAINER_CHECK_NETWORK_H_

#include <string>

#include "absl/status/status.h"
#include "common/dataset/cache.h"
#include "common/weights/network.h"

namespace squish {

// INVALID_ARGUMENT: the network wants other pictures, channels or classes than the data
// set has, or its pictures are too small for it.
absl::Status CheckNetwork(const Network& network, const DatasetCache& data);

// FAILED_PRECONDITION: the cache holds another data set, or has no pictures in `split`.
absl::Status CheckFingerprint(const DatasetCache& data, const std::string& fingerprint);
absl::Status CheckSplit(const DatasetCache& data, v1::Split split);

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_CHECK_NETWORK_H_
