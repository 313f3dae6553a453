// The live experiments: loaded at start, submitted, steered by their owners, given
// their data set. Ended experiments are on disk only.
//
//   Submit ─► live ─► data set pinned ─► planned … ─► SUCCEEDED | FAILED | CANCELLED
//              ▲ │
//   Load ──────┘ └─ Pause, Resume, Retry, Cancel
//
// Not thread-safe; part of the coordinator's loop. Methods that change something run
// inside a transaction.
#ifndef SQUISH_COORDINATOR_SERVICE_EXPERIMENTS_H_
#define SQUISH_COORDINATOR_SERVICE_EXPERIMENTS_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/genome/genome.h"
#include "coordinator/service/attempts.h"
#include "coordinator/service/fleet.h"
#include "coordinator/service/ledger.h"
#include "coordinator/service/live_experiment.h"
#include "coordinator/service/planner.h"
#include "squish/v1/dataset.pb.h"
#include "squish/v1/experiment.pb.h"

namespace squish {

// A data set that live experiments need.
struct WantedDataset {
  v1::DatasetSpec spec;
  std::string fingerprint;  // That one of them was pinned to; empty: none yet.
};
using WantedDatasets = std::map<std::string, WantedDataset>;  // By DatasetKey.

class Experiments {
 public:
  // All outlive it.
  Experiments(Ledger* ledger, Planner* planner, LiveExperiments* live)
      : ledger_(*ledger), planner_(*planner), live_(*live) {}

  // Takes up every live experiment from the population: running attempts are adopted
  // with a full new term, and what is wanted and missing is ordered. Errors as the
  // population's reads.
  absl::Status Load();

  // The spec with every default, and what a branch begins with, filled in; checked as far
  // as can be without the data set. INVALID_ARGUMENT names the field and what to do.
  absl::StatusOr<v1::ExperimentSpec> Complete(const v1::ExperimentSpec& spec);

  // The genome of generation 0 of a complete spec, for so many classes.
  absl::StatusOr<Genome> FirstGenome(const v1::ExperimentSpec& spec, int classes);

  // Starts an experiment, or returns the one that was made with this key. `spec` may
  // be incomplete. Errors as Complete.
  absl::StatusOr<StoredExperiment> Submit(const v1::ExperimentSpec& spec,
                                          absl::string_view idempotency_key);

  // NOT_FOUND: no experiment has that id. FAILED_PRECONDITION: it has ended.
  absl::Status Pause(absl::string_view id);
  absl::Status Resume(absl::string_view id);
  // FAILED_PRECONDITION also when no job is out of retries.
  absl::Status Retry(absl::string_view id);
  absl::Status Cancel(absl::string_view id);

  // What a worker found: the first usable READY report pins a data set.
  void PinDataset(const v1::DatasetReport& report);
  WantedDatasets Wanted() const;
  // How a READY report differs from what a live experiment was pinned to, as far as
  // summaries tell; empty where it does not.
  std::string DifferenceFromPinned(const v1::DatasetReport& report) const;

  // An agent connected or was started anew: measurements that it could do and that
  // were invalid too often are tried again.
  void AgentArrived(const ConnectedRunner& agent);

  // Null when no live experiment has that id.
  const LiveExperiment* Find(absl::string_view id) const;
  const LiveExperiments& live() const { return live_; }

  // Drops the experiments that ended in this batch.
  void DropEnded();

 private:
  absl::Status Load(StoredExperiment stored);
  absl::Status LoadOpenGeneration(LiveExperiment& experiment);
  absl::Status LoadJobs(LiveExperiment& experiment);
  absl::StatusOr<LiveExperiment*> FindToChange(absl::string_view id);
  absl::Status CheckAncestor(const v1::ExperimentSpec& spec);
  absl::Status FillBranch(v1::ExperimentSpec& spec);
  absl::Status RecountAncestor(const v1::ExperimentSpec& origin, v1::ExperimentSpec& spec);
  absl::Status CheckClasses(const LiveExperiment& experiment, const v1::DatasetSummary& dataset);

  Ledger& ledger_;
  Planner& planner_;
  LiveExperiments& live_;
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_EXPERIMENTS_H_
