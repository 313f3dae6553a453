// The coordinator: everything it does, without threads and without gRPC.
//
//   tasks of one batch ──► RunBatch: Begin ─► tasks ─► Settle ─► COMMIT ─► answers
//                            (one transaction, one fsync)           └─► memory is built
//                                                                   anew if it fails
//
//   Synchronizer ─ who works on what        Fleet       ─ who is connected
//   Experiments  ─ what is live             Attempts    ─ leases, results
//   Planner      ─ what is wanted next      Ledger      ─ memory and disk in step
//
// A task calls the methods below. Their answers are held until the batch is on disk;
// when it cannot be committed they become UNAVAILABLE and nothing has happened. A
// method's writes are all or nothing: a refused call leaves no trace.
//
// Not thread-safe: one thread calls RunBatch (see loop.h). Tests call it directly, with
// a FakeClock.
#ifndef SQUISH_COORDINATOR_SERVICE_COORDINATOR_H_
#define SQUISH_COORDINATOR_SERVICE_COORDINATOR_H_

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/rpc/rpc.h"
#include "coordinator/population/population.h"
#include "coordinator/service/attempts.h"
#include "coordinator/service/changes.h"
#include "coordinator/service/coordinator_metrics.h"
#include "coordinator/service/disk_guard.h"
#include "coordinator/service/experiments.h"
#include "coordinator/service/fleet.h"
#include "coordinator/service/ledger.h"
#include "coordinator/service/planner.h"
#include "coordinator/service/synchronizer.h"
#include "coordinator/service/watch_hub.h"
#include "squish/v1/experiment_service.pb.h"
#include "squish/v1/runner.pb.h"

namespace squish {

class Coordinator {
 public:
  struct Options {
    absl::Duration lease = absl::Seconds(30);
    absl::Duration park_limit = absl::Seconds(10);  // At most a third of the lease is used.
    Fleet::Limits set_aside;
    // With less free on the disk no new work is given out (disk_guard.h). 0: always.
    int64_t minimum_free_bytes = 0;
    DiskGuard::FreeBytes free_bytes;  // Empty: the population's.
    // Every so often all artifacts that something names are gathered, an experiment after each
    // batch, and handed to `on_named`, in the loop. Empty: never.
    absl::Duration gather_every = absl::Hours(1);
    std::function<void(std::set<std::string> named)> on_named;
    // Told after a commit when the last live experiment has ended (or one was submitted
    // again that had): whether every one of these SUCCEEDED. May be empty.
    std::function<void(bool all_succeeded)> on_all_ended;
    // Told when memory could not be built anew after a failed commit: nothing can be
    // done any more. Must not return in a server. May be empty in tests.
    std::function<void(const absl::Status&)> on_fatal;
  };
  using Task = std::function<void(Coordinator&)>;

  // Takes up what is in the population. All outlive it. Errors as the population's
  // reads and Commit.
  static absl::StatusOr<std::unique_ptr<Coordinator>> Create(Population* population, Clock* clock,
                                                             CoordinatorMetrics* metrics,
                                                             Options options);
  ~Coordinator();

  // One transaction: the tasks in order, then leases and waiting calls. An empty batch
  // looks after time. Call it at NextWake() at the latest.
  void RunBatch(std::vector<Task> tasks);
  absl::Duration NextWake() const;

  // --- For tasks. Codes as in experiment_service.proto and runner.proto.
  absl::StatusOr<v1::Experiment> Submit(const Caller& caller, const v1::SubmitRequest& request);
  absl::StatusOr<v1::Experiment> Get(const Caller& caller, const v1::GetExperimentRequest& request);
  absl::StatusOr<v1::ListExperimentsResponse> List(const Caller& caller,
                                                   const v1::ListExperimentsRequest& request);
  absl::StatusOr<v1::ListIndividualsResponse> ListIndividuals(
      const Caller& caller, const v1::ListIndividualsRequest& request);
  absl::StatusOr<v1::ListChampionsResponse> ListChampions(const Caller& caller,
                                                          const v1::ListChampionsRequest& request);
  absl::StatusOr<v1::ListRunnersResponse> ListRunners(const Caller& caller,
                                                      const v1::ListRunnersRequest& request);
  absl::StatusOr<v1::EstimateResponse> Estimate(const Caller& caller,
                                                const v1::EstimateRequest& request);
  absl::StatusOr<v1::Experiment> Pause(const Caller& caller, const v1::PauseRequest& request);
  absl::StatusOr<v1::Experiment> Resume(const Caller& caller, const v1::ResumeRequest& request);
  absl::StatusOr<v1::Experiment> Retry(const Caller& caller, const v1::RetryRequest& request);
  absl::StatusOr<v1::Experiment> Cancel(const Caller& caller, const v1::CancelRequest& request);
  void Watch(const Caller& caller, const v1::WatchRequest& request,
             std::shared_ptr<WatchSink> sink);
  void Synchronize(const Caller& caller, const v1::SynchronizeRequest& request, uint64_t call,
                   Synchronizer::Answer answer);
  void Abandon(uint64_t call) { parts_->synchronizer.Abandon(call); }
  // Copies the database, a piece after each batch, while work goes on. `done` is called after
  // some batch. UNAVAILABLE: the coordinator stops. Else as Population::StartCopy.
  void Backup(const Caller& caller, std::function<void(absl::StatusOr<DatabaseCopy>)> done);
  // The coordinator stops: waiting calls and watches end, and no call waits any more.
  void Stop();

  // Runs `then` after the batch: OK when it is on disk, else UNAVAILABLE.
  void AfterCommit(std::function<void(const absl::Status& committed)> then) {
    after_commit_.push_back(std::move(then));
  }

 private:
  // Everything in memory that follows from the disk, and the fleet. Thrown away and
  // built anew as a whole.
  struct Parts {
    Parts(Population* population, Clock* clock, const Options& options, const DiskGuard* guard);
    Ledger ledger;
    LiveExperiments live;
    Fleet fleet;
    Planner planner;
    Attempts attempts;
    Experiments experiments;
    Synchronizer synchronizer;
  };

  struct PendingCopy {
    std::unique_ptr<DatabaseCopy> copy;
    std::function<void(absl::StatusOr<DatabaseCopy>)> done;
  };

  Coordinator(Population* population, Clock* clock, CoordinatorMetrics* metrics, Options options);

  absl::Status Load();
  void NoticeGap();
  void LookAtDisk();
  void StepCopies();
  void StepGathering();
  void Finish(const absl::Status& committed);
  void Publish();
  void NoteEnded();
  void RemoveCheckpoints(const std::vector<std::string>& artifacts);
  void CheckAllEnded();
  absl::StatusOr<v1::Experiment> DescribeFor(absl::string_view id);
  v1::Experiment DescribeNow(const LiveExperiment& experiment);
  absl::Status StartWatch(const std::string& id, const std::shared_ptr<WatchSink>& sink);

  Population& population_;
  Clock& clock_;
  CoordinatorMetrics& metrics_;
  const Options options_;
  DiskGuard guard_;
  absl::Duration looked_;  // When the guard did.
  std::unique_ptr<Parts> parts_;
  WatchHub hub_;
  std::vector<std::function<void(const absl::Status&)>> after_commit_;
  std::deque<PendingCopy> copies_;  // The first is being made.
  // Names of artifacts, while they are being gathered. What comes to be named meanwhile is in
  // use (BlobStore::Use); what was named and is no longer is found the next time.
  struct Gathering {
    std::vector<StoredExperiment> left;
    std::set<std::string> named;
  };
  std::optional<Gathering> gathering_;
  absl::Duration gathered_;  // When the last one ended.
  absl::Duration last_batch_;
  bool stopping_ = false;
  bool all_succeeded_ = true;  // Of those that ended, or were asked for, since the start.
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_COORDINATOR_H_
