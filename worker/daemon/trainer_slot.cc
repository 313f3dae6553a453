#include "worker/daemon/trainer_slot.h"

#include <spdlog/spdlog.h>

#include <atomic>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "worker/daemon/advance_watch.h"
#include "worker/daemon/attempt_hook.h"
#include "worker/daemon/child_events.h"

namespace squish {
namespace {

constexpr absl::string_view kWho = "the trainer";

// The event that answers a task.
v1::TrainerEvent::EventCase Answering(v1::TrainerRequest::TaskCase task) {
  switch (task) {
    case v1::TrainerRequest::kEvaluate:
      return v1::TrainerEvent::kEvaluated;
    case v1::TrainerRequest::kExportFiles:
      return v1::TrainerEvent::kExported;
    case v1::TrainerRequest::kProbe:
      return v1::TrainerEvent::kProbed;
    default:
      return v1::TrainerEvent::kDone;
  }
}

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

absl::StatusOr<v1::TrainerEvent> TrainerSlot::Ask(const v1::TrainerRequest& request, int threads,
                                                  Attempt& attempt, double share) {
  SQUISH_RETURN_IF_ERROR(Prepare(threads));
  absl::StatusOr<v1::TrainerEvent> answer;
  std::atomic<bool> terminated = false;
  {
    const CancelHook hook(attempt, [child = child_.get()] { child->Kill(); });
    if (request.checkpoint_path().empty()) {
      answer = Converse(request, attempt, share);
    } else {
      const StopHook stop(attempt, [&] {
        terminated = true;
        child_->Terminate();
      });
      answer = Converse(request, attempt, share);
    }
  }
  if (terminated) {
    child_.reset();
    if (!answer.ok()) return absl::CancelledError("the attempt was given up");
  }
  if (attempt.cancelled()) {
    // Not the trainer's fault, but it is dead or deep in a job that nobody wants.
    StartNext();
    return absl::CancelledError("the attempt was cancelled");
  }
  if (!answer.ok() && !absl::IsInternal(answer.status())) Replace();
  return answer;
}

absl::StatusOr<v1::TrainerEvent> TrainerSlot::Converse(const v1::TrainerRequest& request,
                                                       Attempt& attempt, double share) {
  SQUISH_RETURN_IF_ERROR(AwaitReady().status());
  SQUISH_RETURN_IF_ERROR(WriteRequest(*child_, kWho, request));
  counted_step_seconds_ = 0;
  counted_resumed_ = false;
  AdvanceWatch watch(kWho, options_.silence_limit, Clock::System());
  v1::TrainerEvent event;
  while (true) {
    SQUISH_RETURN_IF_ERROR(ReadEvent(*child_, kWho, options_.silence_limit, event));
    switch (event.event_case()) {
      case v1::TrainerEvent::kProgress:
        TakeProgress(event.progress(), attempt, share);
        SQUISH_RETURN_IF_ERROR(watch.See(event.progress().fraction()));
        break;
      case v1::TrainerEvent::kCheckpoint:
        if (request.checkpoint_path().empty()) return Babbled(kWho, "an unwanted checkpoint");
        TakeCheckpoint(request.checkpoint_path(), event.checkpoint(), attempt);
        break;
      case v1::TrainerEvent::kFailed:
        return absl::InternalError(absl::StrCat(kWho, " failed: ", event.failed().message()));
      default:
        if (event.event_case() != Answering(request.task_case())) {
          return Babbled(kWho, "neither `progress`, `checkpoint`, what was asked for nor `failed`");
        }
        CountSteps(event.done().step_seconds());  // 0 where nothing was trained.
        return event;
    }
  }
}

void TrainerSlot::TakeProgress(const v1::TrainerEvent::Progress& progress, Attempt& attempt,
                               double share) {
  CountSteps(progress.step_seconds());
  if (progress.resumed_at() > 0 && !counted_resumed_) {
    counted_resumed_ = true;
    ++counters_.resumed;
    attempt.ResumedAt(progress.resumed_at());
  }
  attempt.Progress(share * progress.fraction(), progress.note());
}

void TrainerSlot::TakeCheckpoint(const std::string& path, const v1::Checkpoint& what,
                                 Attempt& attempt) {
  absl::StatusOr<std::string> file = ReadFile(path);
  if (!file.ok()) {
    spdlog::warn("a checkpoint cannot be read: {}", file.status().ToString());
    return;
  }
  ++counters_.checkpoints;
  attempt.Checkpoint(*std::move(file), what);
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
