// The client side of the Synchronize protocol, shared by worker, agent and load
// generators: keeps the connection, holds attempts, spools results on disk until the
// coordinator has acknowledged them, moves artifacts.
//
//   coordinator ◄── Synchronize (parked while idle) ──► Runner ──► JobExecutor
//        ▲                                                │  ▲         │
//        └──────────── artifacts (Fetch, Store) ──────────┘  └─ spool ◄┘ results
//
// Survives an absent coordinator: calls again with backoff, delivers what was spooled.
// A kill at any moment loses no finished result: a result is acknowledged to nobody
// before it is in the spool, and is sent until it is acknowledged.
#ifndef SQUISH_COMMON_RUNNER_RUNNER_H_
#define SQUISH_COMMON_RUNNER_RUNNER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
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
  // register one callback (called at once when already cancelled).
  virtual bool cancelled() const = 0;
  virtual void OnCancel(std::function<void()> callback) = 0;
  virtual void Progress(double fraction, std::string note) = 0;
  // A local file with the artifact's bytes, downloaded if need be. NOT_FOUND,
  // UNAVAILABLE, DATA_LOSS, CANCELLED.
  virtual absl::StatusOr<std::string> Fetch(absl::string_view digest) = 0;
  // Puts a file into the local store and uploads it; durable at the coordinator after
  // OK. Returns its digest. Waits for an absent coordinator; CANCELLED ends that.
  virtual absl::StatusOr<std::string> Store(absl::string_view path) = 0;
};

// What a daemon does with its jobs. Methods may be called from any thread.
class JobExecutor {
 public:
  virtual ~JobExecutor() = default;
  // Runs the attempt to its end and fills `outcome` of the result (ids are set by the
  // runner). Called on a thread of the attempt's own; at most `slots` at a time.
  virtual v1::AttemptResult Execute(Attempt& attempt) = 0;
  // The data sets that live experiments need. Returns what is known of them now;
  // preparation goes on in the background, and `changed` is called when it got on.
  virtual std::vector<v1::DatasetReport> PrepareDatasets(
      const std::vector<v1::DatasetSpec>& wanted) = 0;
  virtual void OnDatasetsChanged(std::function<void()> changed) = 0;
  // Fills in metrics (child restarts, step seconds, …).
  virtual void FillMetrics(v1::RunnerMetrics& metrics) = 0;
};

struct RunnerOptions {
  std::string coordinator;   // host:port
  std::string state_folder;  // Spool, artifact cache, runner id. Locked: one runner.
  v1::RunnerInfo info;       // id empty: kept in (or drawn into) the state folder.
};

class Runner {
 public:
  // FAILED_PRECONDITION: another runner uses the folder. Else as MakeFolder.
  static absl::StatusOr<std::unique_ptr<Runner>> Create(RunnerOptions options,
                                                        JobExecutor* executor);
  virtual ~Runner() = default;

  // Serves until Stop. Returns OK then, or FAILED_PRECONDITION when the coordinator
  // refuses this version for good.
  virtual absl::Status Run() = 0;

  // Asks Run to end: cancels attempts, drains. Safe in any thread; not in a signal handler.
  virtual void Stop() = 0;
};

}  // namespace squish

#endif  // SQUISH_COMMON_RUNNER_RUNNER_H_
