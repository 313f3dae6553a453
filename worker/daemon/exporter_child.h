// A `squish-exporter` for one job: started, asked, and ended. The program starts in a fraction
// of a second, so none is kept waiting.
#ifndef SQUISH_WORKER_DAEMON_EXPORTER_CHILD_H_
#define SQUISH_WORKER_DAEMON_EXPORTER_CHILD_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/runner/runner.h"
#include "squish/v1/trainer.pb.h"

namespace squish {

struct ExporterOptions {
  std::vector<std::string> command;
  std::string stderr_path;
  // Between two lines, the first included, and between two rises of the fraction.
  absl::Duration silence_limit = absl::Minutes(2);
};

// What the exporter did, checked (check_export.h). The attempt is told how far it is, from
// `share` on to 1. DEADLINE_EXCEEDED: it hung. ABORTED: it died. INVALID_ARGUMENT,
// RESOURCE_EXHAUSTED: it babbled. NOT_FOUND, PERMISSION_DENIED: it cannot be started.
// CANCELLED: the attempt was. INTERNAL: it says why it could not do it. Thread-safe.
absl::StatusOr<v1::ExporterEvent::Done> AskExporter(const ExporterOptions& options,
                                                    const v1::ExporterRequest& request,
                                                    Attempt& attempt, double share);

}  // namespace squish

#endif  // SQUISH_WORKER_DAEMON_EXPORTER_CHILD_H_
