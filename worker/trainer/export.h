// What of an export is LibTorch's: the TorchScript file, and the network's own outputs with
// which other formats are compared. No LibTorch in this header.
//
//   training pictures ─► at the input size, at 100×100 ─► network ─► reference
//                                                    └──► model.pt, loaded ─► compare
#ifndef SQUISH_WORKER_TRAINER_EXPORT_H_
#define SQUISH_WORKER_TRAINER_EXPORT_H_

#include <string>

#include "absl/status/statusor.h"
#include "common/dataset/cache.h"
#include "common/weights/network.h"
#include "squish/v1/job.pb.h"
#include "worker/trainer/training.h"

namespace squish {

struct Exported {
  v1::ExportedFile file;    // Of model.pt.
  std::string torchscript;  // Its bytes.
  std::string reference;    // common/export/reference.h, of eight training pictures.
};

// On the CPU and with one thread. INVALID_ARGUMENT: a network that does not fit the
// pictures (as CheckNetwork), or that takes none of 100×100. FAILED_PRECONDITION: another
// data set than the job's, no training pictures, or a TorchScript file whose outputs
// differ; says by how much. As CatchTorchErrors.
absl::StatusOr<Exported> RunExport(const v1::ExportJob& job, const Network& network,
                                   const DatasetCache& data, const ProgressReporter& report);

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_EXPORT_H_
