#include "worker/daemon/exporter_child.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/status_macros.h"
#include "common/child/child.h"
#include "worker/daemon/advance_watch.h"
#include "worker/daemon/attempt_hook.h"
#include "worker/daemon/check_export.h"
#include "worker/daemon/child_events.h"

namespace squish {
namespace {

constexpr absl::string_view kWho = "the exporter";

absl::StatusOr<v1::ExporterEvent::Done> Converse(Child& exporter, const ExporterOptions& options,
                                                 const v1::ExporterRequest& request,
                                                 Attempt& attempt, double share) {
  v1::ExporterEvent event;
  SQUISH_RETURN_IF_ERROR(ReadEvent(exporter, kWho, options.silence_limit, event));
  if (!event.has_ready()) return Babbled(kWho, "its first line is not `ready`");
  SQUISH_RETURN_IF_ERROR(WriteRequest(exporter, kWho, request));
  AdvanceWatch watch(kWho, options.silence_limit, Clock::System());
  while (true) {
    SQUISH_RETURN_IF_ERROR(ReadEvent(exporter, kWho, options.silence_limit, event));
    switch (event.event_case()) {
      case v1::ExporterEvent::kProgress:
        attempt.Progress(share + (1 - share) * event.progress().fraction(), "exporting to ONNX");
        SQUISH_RETURN_IF_ERROR(watch.See(event.progress().fraction()));
        break;
      case v1::ExporterEvent::kDone:
        return std::move(*event.mutable_done());
      case v1::ExporterEvent::kFailed:
        return absl::InternalError(absl::StrCat(kWho, " failed: ", event.failed().message()));
      default:
        return Babbled(kWho, "neither `progress`, `done` nor `failed`");
    }
  }
}

}  // namespace

absl::StatusOr<v1::ExporterEvent::Done> AskExporter(const ExporterOptions& options,
                                                    const v1::ExporterRequest& request,
                                                    Attempt& attempt, double share) {
  SQUISH_ASSIGN_OR_RETURN(
      const std::unique_ptr<Child> exporter,
      Child::Spawn(OurChild(options.command, /*threads=*/1, options.stderr_path)));
  absl::StatusOr<v1::ExporterEvent::Done> done;
  {
    const CancelHook hook(attempt, [child = exporter.get()] { child->Kill(); });
    done = Converse(*exporter, options, request, attempt, share);
  }
  if (attempt.cancelled()) return absl::CancelledError("the attempt was cancelled");
  if (!done.ok()) return done;
  SQUISH_RETURN_IF_ERROR(CheckOnnxFiles(request, *done));
  return done;
}

}  // namespace squish
