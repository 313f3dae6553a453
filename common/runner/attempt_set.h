// The attempts that a runner holds: each on a thread of its own, at most `slots` at a
// time, and each result in the spool before anybody is told.
//
//   Adopt ─► waits for a slot ─► runs ─► result spooled ─► reaped
//                    └── Cancel ──┴────► failure dropped ──┘
//                        GiveUp
//
// Thread-safe, but for StartAndReap and EndAll, which are for one thread.
#ifndef SQUISH_COMMON_RUNNER_ATTEMPT_SET_H_
#define SQUISH_COMMON_RUNNER_ATTEMPT_SET_H_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/runner/artifact_cache.h"
#include "common/runner/artifact_client.h"
#include "common/runner/attempt.h"
#include "common/runner/runner.h"
#include "common/runner/spool.h"
#include "squish/v1/runner.pb.h"

namespace squish {

class AttemptSet {
 public:
  // All outlive it. `on_news` is called, by any thread, after each attempt's end and when one
  // has something new to tell of a checkpoint.
  AttemptSet(int slots, JobExecutor* executor, Spool* spool, ArtifactCache* cache,
             ArtifactClient* client, std::function<void()> on_news);
  ~AttemptSet();  // EndAll.
  AttemptSet(const AttemptSet&) = delete;
  AttemptSet& operator=(const AttemptSet&) = delete;

  // Takes up an attempt unless it is held already, or its result is in the spool. One
  // whose id cannot name a file, or that came without its job, is logged and left.
  void Adopt(const v1::Assignment& assignment) ABSL_LOCKS_EXCLUDED(mutex_);

  // Cancels those of `named` that are not `wanted`. Attempts that came since are kept.
  void CancelUnwanted(const std::set<std::string>& named, const std::set<std::string>& wanted)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Joins threads of finished attempts and starts those that wait, as slots allow.
  void StartAndReap() ABSL_LOCKS_EXCLUDED(mutex_);

  // How far those are that neither finished nor were cancelled.
  std::vector<v1::AttemptProgress> Progress() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether no further attempt could start.
  bool Full() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Stops all (RunnerAttempt::Stop), waits for their ends for so long at most, and returns how
  // far those are that did not finish and have a checkpoint. No other is adopted any more.
  std::vector<v1::AttemptProgress> GiveUp(absl::Duration limit) ABSL_LOCKS_EXCLUDED(mutex_);

  // Cancels all and waits for their ends; nothing is adopted any more.
  void EndAll() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Held {
    std::shared_ptr<RunnerAttempt> attempt;
    std::thread thread;  // Not joinable: waits for a slot.
    bool finished = false;
  };
  void Work(RunnerAttempt& attempt) ABSL_LOCKS_EXCLUDED(mutex_);
  v1::AttemptResult Execute(RunnerAttempt& attempt);
  bool AllEnded() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SpoolResult(const v1::AttemptResult& result, const RunnerAttempt& attempt);

  const int slots_;
  JobExecutor* const executor_;
  Spool* const spool_;
  ArtifactCache* const cache_;
  ArtifactClient* const client_;
  const std::function<void()> on_news_;

  mutable absl::Mutex mutex_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, Held> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace squish

#endif  // SQUISH_COMMON_RUNNER_ATTEMPT_SET_H_
