// What the agent does with its jobs: MEASURE, one at a time, with one engine child
// that stays warm between measurements.
//
//   attempt ──► fetch both networks ──► Measure (measurement.h) ──► MeasureResult
//                                           │
//                engine crashes, hangs, babbles, fails ──► Failure, engine replaced
//
// Thread-safe. Measurements never overlap, whoever calls.
#ifndef SQUISH_JETSON_AGENT_MEASURE_EXECUTOR_H_
#define SQUISH_JETSON_AGENT_MEASURE_EXECUTOR_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/base/clock.h"
#include "common/runner/runner.h"
#include "jetson-agent/engine/client.h"
#include "jetson-agent/measurement.h"

namespace squish {

struct MeasureExecutorOptions {
  EngineOptions engine;
  std::string device_class;  // Empty: the engine's own, or the host's.
  BoardOptions board;        // But for `software`, which the executor reads.
};

class MeasureExecutor : public JobExecutor {
 public:
  // Starts the engine and waits until it is ready, so that a wrong command line is
  // known at once. Errors as EngineClient. `clock` must outlive the executor.
  static absl::StatusOr<std::unique_ptr<MeasureExecutor>> Create(MeasureExecutorOptions options,
                                                                 Clock& clock);

  const EngineReady& engine() const { return engine_info_; }
  const std::string& device_class() const { return device_class_; }
  const v1::BoardInfo& board() const { return board_.software; }

  v1::AttemptResult Execute(Attempt& attempt) override;
  // An agent has no data sets.
  std::vector<v1::DatasetReport> PrepareDatasets(
      const std::vector<v1::DatasetSpec>& wanted,
      const std::vector<std::string>& fingerprints) override;
  void OnDatasetsChanged(std::function<void()> changed) override;
  void FillMetrics(v1::RunnerMetrics& metrics) override;

 private:
  MeasureExecutor(MeasureExecutorOptions options, Clock& clock,
                  std::unique_ptr<EngineClient> engine);

  // Measures. A cancellation ends the engine. Keeps the engine only if nothing went wrong.
  absl::StatusOr<v1::MeasureResult> MeasureWatched(Attempt& attempt,
                                                   const MeasurementInputs& inputs)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(measuring_);
  absl::Status EnsureEngine() ABSL_EXCLUSIVE_LOCKS_REQUIRED(measuring_);

  const MeasureExecutorOptions options_;
  const BoardOptions board_;
  Clock& clock_;
  const EngineReady engine_info_;
  const std::string device_class_;
  std::atomic<int64_t> engine_restarts_ = 0;
  absl::Mutex measuring_;
  std::unique_ptr<EngineClient> engine_ ABSL_GUARDED_BY(measuring_);  // Null: to be started.
};

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_MEASURE_EXECUTOR_H_
