// One warm trainer: a `squish-trainer` child that is kept between jobs, so that a job
// does not wait for LibTorch to load.
//
//     Warm ──► starting ──► ready ──► Ask ──► ready ──► …
//                              ▲         │ dies, hangs, babbles, or its attempt is cancelled
//                              └─ next ◄─┘
//
// A trainer that is lost costs the attempt that it worked for, and the next one is
// started at once. A trainer belongs to a number of threads, because they are in its
// environment; a job with another number gets a new trainer.
//
// Thread-compatible: owned by one attempt at a time (TrainerPool).
#ifndef SQUISH_WORKER_DAEMON_TRAINER_SLOT_H_
#define SQUISH_WORKER_DAEMON_TRAINER_SLOT_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/child/child.h"
#include "common/runner/runner.h"
#include "squish/v1/trainer.pb.h"

namespace squish {

struct TrainerOptions {
  std::vector<std::string> command;
  std::string log_folder;  // Trainers' stderr goes to trainer-N.log in here.
  // Until the first line. Long: many trainers may start at once on a slow disk.
  absl::Duration start_limit = absl::Minutes(2);
  // Between two lines of a job, and between two rises of its fraction; trainers report
  // every few seconds.
  absl::Duration silence_limit = absl::Minutes(2);
};

// What all trainers of a daemon have in common to tell. Thread-safe.
struct TrainerCounters {
  std::atomic<int64_t> restarts = 0;           // Trainers that had to be replaced.
  std::atomic<int64_t> step_microseconds = 0;  // Inside training steps.
  std::atomic<int64_t> checkpoints = 0;        // That were made.
  std::atomic<int64_t> resumed = 0;            // Trainings that went on from one.
};

class TrainerSlot {
 public:
  // `number` names the log file. `counters` outlive the slot.
  TrainerSlot(const TrainerOptions& options, int number, TrainerCounters& counters);

  // Starts a trainer with so many threads unless that is what is here; does not wait
  // for it. NOT_FOUND, PERMISSION_DENIED: the program cannot be started.
  absl::Status Warm(int threads);

  // Waits until the trainer is ready. Errors as ReadEvent.
  absl::StatusOr<v1::TrainerEvent::Ready> AwaitReady();

  // Has the trainer do the request's task with so many threads; the event that says what
  // came of it: `done`, `evaluated`, `exported` or `probed`, as the task is. The attempt is told
  // `share` times the trainer's progress. DEADLINE_EXCEEDED: the trainer hung. ABORTED: it
  // died. INVALID_ARGUMENT, RESOURCE_EXHAUSTED: it babbled. NOT_FOUND, PERMISSION_DENIED:
  // it cannot be started. CANCELLED: the attempt was. In all these cases it is replaced.
  // INTERNAL: the trainer says why it could not do the job; it stays. Checkpoints go to the
  // attempt as they come; when the attempt is given up, a training that makes some is asked
  // for a last one, after which the trainer ends: CANCELLED too, and there is no next one
  // before it is needed.
  absl::StatusOr<v1::TrainerEvent> Ask(const v1::TrainerRequest& request, int threads,
                                       Attempt& attempt, double share = 1.0);

  // Ends a trainer that cannot be trusted, and starts the next.
  void Replace();

  int threads() const { return threads_; }

 private:
  // One that is alive, quiet, ready, and has so many threads.
  absl::Status Prepare(int threads);
  absl::StatusOr<v1::TrainerEvent> Converse(const v1::TrainerRequest& request, Attempt& attempt,
                                            double share);
  void TakeProgress(const v1::TrainerEvent::Progress& progress, Attempt& attempt, double share);
  void TakeCheckpoint(const std::string& path, const v1::Checkpoint& what, Attempt& attempt);
  void CountSteps(double step_seconds);
  void StartNext();

  const TrainerOptions options_;
  const std::string stderr_path_;
  TrainerCounters& counters_;
  int threads_ = 0;
  bool ready_ = false;
  v1::TrainerEvent::Ready greeting_;
  double counted_step_seconds_ = 0;  // Of the job that is running.
  bool counted_resumed_ = false;     // Likewise.
  std::unique_ptr<Child> child_;     // Null: none could be started.
};

}  // namespace squish

#endif  // SQUISH_WORKER_DAEMON_TRAINER_SLOT_H_
