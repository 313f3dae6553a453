// Whether what a trainer or an exporter says of the files that it wrote can be true.
// Thread-safe.
#ifndef SQUISH_WORKER_DAEMON_CHECK_EXPORT_H_
#define SQUISH_WORKER_DAEMON_CHECK_EXPORT_H_

#include "absl/status/status.h"
#include "common/genome/genome.h"
#include "squish/v1/trainer.pb.h"

namespace squish {

// Of the trainer. INVALID_ARGUMENT says what is untrue: another name than model.pt, a
// digest or size that is not the file's, a difference out of bounds, nothing that it was
// checked with, or no reference.
absl::Status CheckTorchScript(const v1::TrainerRequest& request, const v1::ExportedFile& file);

// Of the trainer: that there is no probe by these digests, or one of another shape than
// `genome` and the order demand.
absl::Status CheckProbe(const v1::TrainerRequest& request, const Genome& genome,
                        const v1::EngineFiles& files);

// Of the exporter: the same as of TorchScript of each file, but for files for engines, which
// are compared with nothing, and other files than those asked for.
absl::Status CheckOnnxFiles(const v1::ExporterRequest& request,
                            const v1::ExporterEvent::Done& done);

}  // namespace squish

#endif  // SQUISH_WORKER_DAEMON_CHECK_EXPORT_H_
