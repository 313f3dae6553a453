// The series that the coordinator exposes, of itself and of its runners (they open no
// port). docs/metrics.md lists them. Not thread-safe: the coordinator's loop fills them,
// Prometheus reads them on a thread of its own.
#ifndef SQUISH_COORDINATOR_SERVICE_COORDINATOR_METRICS_H_
#define SQUISH_COORDINATOR_SERVICE_COORDINATOR_METRICS_H_

#include "absl/time/time.h"
#include "common/metrics/metrics.h"
#include "coordinator/jobs/job_board.h"
#include "coordinator/service/attempts.h"
#include "coordinator/service/changes.h"
#include "coordinator/service/fleet.h"

namespace squish {

class CoordinatorMetrics {
 public:
  explicit CoordinatorMetrics(Metrics* metrics);

  // Counts what a committed batch did.
  void Count(const Changes& changes);

  // Counts artifacts that were removed. In any thread.
  void CountRemoved(int64_t artifacts, int64_t bytes);

  // Whether the gauges were last shown a second ago or more.
  bool IsDue(absl::Duration now) const { return now - shown_ >= absl::Seconds(1); }
  // Shows how things are.
  void Show(absl::Duration now, const JobBoard& board, const Fleet& fleet,
            const LiveExperiments& live, Population& population);

 private:
  void ShowExperiment(const LiveExperiment& experiment);
  void ShowRunners(const Fleet& fleet);
  void ShowDeviceClasses(const JobBoard& board, const Fleet& fleet, const LiveExperiments& live);

  absl::Duration shown_ = -absl::InfiniteDuration();
  GaugeFamily jobs_;
  GaugeFamily runners_;
  GaugeFamily runners_set_aside_;
  GaugeTable agents_;
  GaugeTable measurements_queued_;
  GaugeFamily experiments_;
  GaugeFamily generation_;
  GaugeFamily best_accuracy_;
  GaugeFamily best_ratio_;
  GaugeFamily smallest_megabytes_;
  CounterFamily images_planned_;
  CounterFamily images_wasted_;
  CounterFamily nondeterministic_;
  CounterFamily lease_expiries_;
  CounterFamily artifacts_removed_;
  CounterFamily artifact_bytes_removed_;
  HistogramFamily latency_;
  GaugeTable runner_resident_bytes_;
  GaugeTable runner_step_seconds_;
  GaugeTable runner_child_restarts_;
  GaugeTable runner_checkpoints_;
  GaugeTable runner_resumed_;
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_COORDINATOR_METRICS_H_
