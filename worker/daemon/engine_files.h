// The step of a synthesis that makes what engines are given beside the network.
//
//   network ─┬─► trainer: probe's pictures and outputs ─┬─► stored, named
//            └─► exporter: an ONNX file for each batch ─┘
#ifndef SQUISH_WORKER_DAEMON_ENGINE_FILES_H_
#define SQUISH_WORKER_DAEMON_ENGINE_FILES_H_

#include <string>

#include "absl/strings/string_view.h"
#include "squish/v1/job.pb.h"
#include "worker/daemon/attempt_step.h"
#include "worker/daemon/dataset_shelf.h"
#include "worker/daemon/exporter_child.h"
#include "worker/daemon/trainer_pool.h"

namespace squish {

// Makes them of an artifact, which `what` names in messages ("the network"). `folder` is made for
// the files on their way, and removed. Failures as those of an export.
StepOr<v1::EngineFiles> MakeEngineFiles(Attempt& attempt, const v1::EngineFilesOrder& order,
                                        const std::string& network, absl::string_view what,
                                        const std::string& folder, DatasetShelf& datasets,
                                        TrainerPool& trainers, const ExporterOptions& exporter);

}  // namespace squish

#endif  // SQUISH_WORKER_DAEMON_ENGINE_FILES_H_
