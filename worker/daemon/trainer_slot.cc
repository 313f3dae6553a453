#include "worker/daemon/trainer_slot.h"

#include <spdlog/spdlog.h>

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "worker/daemon/cancel_hook.h"
#include "worker/daemon/child_events.h"

namespace squish {
namespace {

constexpr absl::string_view kWho = "the trainer";

}  // namespace

TrainerSlot::TrainerSlot(const TrainerOptions& options, int number, TrainerCounters& counters)
    : options_(options),
      stderr_path_(JoinPath(options.log_folder, absl::StrCat("trainer-", number, ".log"))),
      counters_(counters) {}

absl::Status TrainerSlot::Warm(int threads) {
  if (child_ != nullptr && threads_ == threads) return absl::OkStatus();
  child_.reset();  // Before the next one needs its memory.
  ready_ = false;
  threads_ = threads;
  SQUISH_ASSIGN_OR_RETURN(child_, Child::Spawn(OurChild(options_.command, threads, stderr_path_)));
  return absl::OkStatus();
}

absl::StatusOr<v1::TrainerEvent::Ready> TrainerSlot::AwaitReady() {
  if (ready_) return greeting_;
  v1::TrainerEvent event;
  SQUISH_RETURN_IF_ERROR(ReadEvent(*child_, kWho, options_.start_limit, event));
  if (!event.has_ready()) return Babbled(kWho, "its first line is not `ready`");
  greeting_ = std::move(*event.mutable_ready());
  ready_ = true;
  return greeting_;
}

absl::Status TrainerSlot::Prepare(int threads) {
  SQUISH_RETURN_IF_ERROR(Warm(threads));
  if (!ready_) return absl::OkStatus();
  // Between jobs a trainer has nothing to say. One that died, or talks, is no loss yet:
  // the job gets another.
  const absl::StatusOr<std::string> line = child_->ReadLine(absl::ZeroDuration());
  if (absl::IsDeadlineExceeded(line.status())) return absl::OkStatus();
  spdlog::warn("a waiting trainer {}; it is replaced",
               line.ok() ? "babbled" : std::string(line.status().message()));
  Replace();
  return Warm(threads);
}

absl::StatusOr<v1::TrainResult> TrainerSlot::Train(const v1::TrainerRequest& request,
                                                   Attempt& attempt) {
  SQUISH_RETURN_IF_ERROR(Prepare(request.job().threads()));
  absl::StatusOr<v1::TrainResult> result;
  {
    const CancelHook hook(attempt, [child = child_.get()] { child->Kill(); });
    result = Converse(request, attempt);
  }
  if (attempt.cancelled()) {
    // Not the trainer's fault, but it is dead or deep in a job that nobody wants.
    StartNext();
    return absl::CancelledError("the attempt was cancelled");
  }
  if (!result.ok() && !absl::IsInternal(result.status())) Replace();
  return result;
}

absl::StatusOr<v1::TrainResult> TrainerSlot::Converse(const v1::TrainerRequest& request,
                                                      Attempt& attempt) {
  SQUISH_RETURN_IF_ERROR(AwaitReady().status());
  SQUISH_RETURN_IF_ERROR(WriteRequest(*child_, kWho, request));
  counted_step_seconds_ = 0;
  double furthest = -1;
  absl::Duration advanced = Clock::System().Steady();
  v1::TrainerEvent event;
  while (true) {
    SQUISH_RETURN_IF_ERROR(ReadEvent(*child_, kWho, options_.silence_limit, event));
    switch (event.event_case()) {
      case v1::TrainerEvent::kProgress:
        CountSteps(event.progress().step_seconds());
        attempt.Progress(event.progress().fraction(), event.progress().note());
        if (event.progress().fraction() > furthest) {
          furthest = event.progress().fraction();
          advanced = Clock::System().Steady();
        } else if (Clock::System().Steady() - advanced > options_.silence_limit) {
          return absl::DeadlineExceededError(
              absl::StrCat(kWho, " talked but did not advance for ",
                           absl::FormatDuration(options_.silence_limit)));
        }
        break;
      case v1::TrainerEvent::kDone:
        CountSteps(event.done().step_seconds());
        return std::move(*event.mutable_done());
      case v1::TrainerEvent::kFailed:
        return absl::InternalError(absl::StrCat(kWho, " failed: ", event.failed().message()));
      default:
        return Babbled(kWho, "neither `progress`, `done` nor `failed`");
    }
  }
}

void TrainerSlot::CountSteps(double step_seconds) {
  if (!std::isfinite(step_seconds) || step_seconds <= counted_step_seconds_) return;
  counters_.step_microseconds +=
      static_cast<int64_t>(std::llround((step_seconds - counted_step_seconds_) * 1e6));
  counted_step_seconds_ = step_seconds;
}

void TrainerSlot::Replace() {
  ++counters_.restarts;
  StartNext();
}

void TrainerSlot::StartNext() {
  child_.reset();
  const absl::Status status = Warm(threads_);
  if (!status.ok()) spdlog::error("no next trainer: {}", std::string(status.message()));
}

}  // namespace squish
