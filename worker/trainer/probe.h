// A probe of a network: what engines that run it are checked with (common/export/probe.h). No
// LibTorch in this header.
#ifndef SQUISH_WORKER_TRAINER_PROBE_H_
#define SQUISH_WORKER_TRAINER_PROBE_H_

#include <string>

#include "absl/status/statusor.h"
#include "common/dataset/cache.h"
#include "common/weights/network.h"
#include "squish/v1/job.pb.h"

namespace squish {

struct Probe {
  std::string pictures;  // Files.
  std::string outputs;
};

// On the CPU and with one thread. `pictures` follow from the data, its mean and deviation, and
// the order's input size alone. Where an output is not finite all of them are written as 0,
// which checks nothing: what becomes of such a network, its training says. INVALID_ARGUMENT: a
// network that does not fit the data's pictures (as CheckNetwork) or takes none of the order's
// size. FAILED_PRECONDITION: another data set than the order's, or no training pictures. As
// CatchTorchErrors.
absl::StatusOr<Probe> RunProbe(const v1::EngineFilesOrder& order, const Network& network,
                               const DatasetCache& data);

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_PROBE_H_
