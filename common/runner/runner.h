// The client side of the Synchronize protocol, shared by worker, agent and load
// generators: keeps the connection, holds attempts, spools results on disk until the
// coordinator has acknowledged them, moves artifacts.
//
//   coordinator ◄── Synchronize (parked while idle) ──► Runner ──► JobExecutor
//        ▲                                                │  ▲         │
//        └──────────── artifacts (Fetch, Store) ──────────┘  └─ spool ◄┘ results
//
// Survives an absent coordinator: calls again with backoff, delivers what was spooled;
// attempts go on meanwhile. A kill at any moment loses no finished result: a result is
// sent to nobody before it is in the spool, and is sent until it is acknowledged.
//
// STATE/lock       held while a runner uses the folder
// STATE/runner_id  the runner's identity, kept over restarts
// STATE/spool/     finished results that nobody has acknowledged (spool.h)
// STATE/artifacts/ networks, fetched or made (artifact_cache.h)
#ifndef SQUISH_COMMON_RUNNER_RUNNER_H_
#define SQUISH_COMMON_RUNNER_RUNNER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/artifacts/blob_store.h"
#include "squish/v1/runner.pb.h"

namespace squish {

// One attempt, handed to the executor. Thread-safe; lives as long as the attempt's
// handler holds it.
class Attempt {
 public:
  virtual ~Attempt() = default;
  virtual const std::string& id() const = 0;
  virtual const v1::Job& job() const = 0;
  // True once the coordinator no longer wants it, or the runner stops. Poll it, or
  // register one callback (called at once when already cancelled). The callback runs
  // under a lock: it may not call the attempt, and OnCancel({}) returns when it has
  // run or never will. Call that before what the callback uses goes away.
  virtual bool cancelled() const = 0;
  virtual void OnCancel(std::function<void()> callback) = 0;
  virtual void Progress(double fraction, std::string note) = 0;
  // The runner stops and gives the attempt up: a last chance to send a checkpoint. The
  // attempt is cancelled some seconds later, or when its work is over and what it sent is
  // there; its failure is dropped. Without a callback it is cancelled at once. Otherwise as
  // OnCancel.
  virtual void OnStop(std::function<void()> callback) = 0;
  // A checkpoint of it, to be sent while work goes on. `what` has all but the artifact. Of
  // several on their way the latest is sent; the coordinator is told when it has it.
  virtual void Checkpoint(std::string file, const v1::Checkpoint& what) = 0;
  // At which fraction its work began, having gone on from the job's checkpoint.
  virtual void ResumedAt(double fraction) = 0;
  // A local file with the artifact's bytes, downloaded if need be; it stays until the
  // attempt ends. Waits for an absent coordinator; CANCELLED ends that. NOT_FOUND: the
  // coordinator has no such artifact. DATA_LOSS: its bytes are damaged there.
  // RESOURCE_EXHAUSTED: no room on this disk.
  virtual absl::StatusOr<std::string> Fetch(absl::string_view digest) = 0;
  // Moves a file into the local store and uploads it; durable at the coordinator after
  // OK. Returns its digest. Waits for an absent coordinator and for one whose disk is full;
  // CANCELLED ends that.
  virtual absl::StatusOr<std::string> Store(absl::string_view path) = 0;
};

// What a daemon does with its jobs. Methods may be called from any thread.
class JobExecutor {
 public:
  virtual ~JobExecutor() = default;
  // Runs the attempt to its end and fills `outcome` of the result (ids are set by the
  // runner). Called on a thread of the attempt's own; at most `slots` at a time. Of a
  // cancelled attempt a failure is dropped; a result that it finished is still sent.
  virtual v1::AttemptResult Execute(Attempt& attempt) = 0;
  // The data sets that live experiments need, and of each the fingerprint that one of them
  // was pinned to, or empty (as many as there are sets). Returns what is known of them now;
  // preparation goes on in the background, and `changed` is called when it got on.
  // (not from within PrepareDatasets). After OnDatasetsChanged({}) none is called.
  virtual std::vector<v1::DatasetReport> PrepareDatasets(
      const std::vector<v1::DatasetSpec>& wanted,
      const std::vector<std::string>& fingerprints) = 0;
  virtual void OnDatasetsChanged(std::function<void()> changed) = 0;
  // Fills in metrics (child restarts, step seconds, …); those of the process are there.
  virtual void FillMetrics(v1::RunnerMetrics& metrics) = 0;
};

struct RunnerOptions {
  std::string coordinator;   // host:port
  std::string state_folder;  // Spool, artifact cache, runner id. Locked: one runner.
  // id empty: kept in (or drawn into) the state folder. incarnation is drawn; host and
  // protocol_version are filled in where empty.
  v1::RunnerInfo info;
  // Networks that no attempt uses are forgotten, the longest unused first, above this.
  int64_t artifact_cache_bytes = int64_t{2} << 30;
  // For last checkpoints. Those who start runners may kill them after ten seconds.
  absl::Duration stop_limit = absl::Seconds(7);
};

class Runner {
 public:
  // FAILED_PRECONDITION: another runner uses the folder. INVALID_ARGUMENT: a runner id
  // that is none, or slots outside 1 to 64. Else as MakeFolder. `executor` outlives it.
  static absl::StatusOr<std::unique_ptr<Runner>> Create(RunnerOptions options,
                                                        JobExecutor* executor);
  virtual ~Runner() = default;

  // Serves until Stop; call it once. Returns OK then, or FAILED_PRECONDITION when the
  // coordinator refuses this version for good.
  virtual absl::Status Run() = 0;

  // Asks Run to end: gives up attempts (Attempt::OnStop), cancels those that are left after
  // `stop_limit`, drains. Safe in any thread; not in a signal handler.
  virtual void Stop() = 0;
};

}  // namespace squish

#endif  // SQUISH_COMMON_RUNNER_RUNNER_H_
