#include "jetson-agent/measure_executor.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/base/text.h"
#include "jetson-agent/device_class.h"
#include "jetson-agent/engine/network_file.h"
#include "jetson-agent/measurement.h"

namespace squish {
namespace {

constexpr size_t kMaximumMessageBytes = 4096;  // Of a Failure.

// A first engine that dies is started so often in all: it may have been killed, by a
// kernel short of memory for instance. A wrong program dies every time.
constexpr int kFirstStarts = 5;

// What a broken engine or measurement means to the coordinator.
v1::Failure::Code EngineFailure(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kAborted:
      return v1::Failure::CHILD_CRASHED;
    case absl::StatusCode::kDeadlineExceeded:
      return v1::Failure::CHILD_HUNG;
    case absl::StatusCode::kDataLoss:
      return v1::Failure::CHILD_BABBLED;
    default:
      return v1::Failure::INTERNAL;
  }
}

v1::Failure::Code FetchFailure(const absl::Status& status) {
  return absl::IsResourceExhausted(status) ? v1::Failure::LOCAL_RESOURCES
                                           : v1::Failure::BAD_ARTIFACT;
}

v1::AttemptResult Failed(v1::Failure::Code code, absl::string_view message) {
  v1::AttemptResult result;
  result.mutable_failure()->set_code(code);
  result.mutable_failure()->set_message(std::string(Utf8Prefix(message, kMaximumMessageBytes)));
  return result;
}

// A local file with the network, once it is seen to be the one that the job means.
absl::StatusOr<std::string> FetchNetwork(Attempt& attempt, const std::string& artifact,
                                         const std::string& architecture) {
  SQUISH_ASSIGN_OR_RETURN(std::string path, attempt.Fetch(artifact));
  SQUISH_ASSIGN_OR_RETURN(const Genome genome, ReadGenome(path));
  if (genome.ArchitectureDigest() != architecture) {
    return absl::InvalidArgumentError(
        absl::StrCat("artifact ", artifact, " holds architecture ", genome.ArchitectureDigest(),
                     ", the job says ", architecture));
  }
  return path;
}

}  // namespace

absl::StatusOr<std::unique_ptr<MeasureExecutor>> MeasureExecutor::Create(
    MeasureExecutorOptions options, Clock& clock) {
  std::unique_ptr<EngineClient> engine;
  absl::Status ready = absl::AbortedError("");
  for (int starts = 0; absl::IsAborted(ready) && starts < kFirstStarts; ++starts) {
    SQUISH_ASSIGN_OR_RETURN(engine, EngineClient::Spawn(options.engine, clock));
    ready = engine->AwaitReady();
  }
  SQUISH_RETURN_IF_ERROR(ready);
  return std::unique_ptr<MeasureExecutor>(
      new MeasureExecutor(std::move(options), clock, std::move(engine)));
}

MeasureExecutor::MeasureExecutor(MeasureExecutorOptions options, Clock& clock,
                                 std::unique_ptr<EngineClient> engine)
    : options_(std::move(options)),
      clock_(clock),
      engine_info_(engine->info()),
      device_class_(ChooseDeviceClass(options_.device_class, engine_info_.device_class)),
      engine_(std::move(engine)) {}

v1::AttemptResult MeasureExecutor::Execute(Attempt& attempt) {
  if (!attempt.job().has_measure()) {
    return Failed(v1::Failure::INTERNAL, "an agent does nothing but MEASURE");
  }
  const v1::MeasureJob& job = attempt.job().measure();
  MeasurementInputs inputs;
  inputs.protocol = job.protocol();
  absl::StatusOr<std::string> path =
      FetchNetwork(attempt, job.candidate(), job.candidate_architecture());
  if (!path.ok()) return Failed(FetchFailure(path.status()), path.status().message());
  inputs.candidate_path = *std::move(path);
  path = FetchNetwork(attempt, job.ancestor(), job.ancestor_architecture());
  if (!path.ok()) return Failed(FetchFailure(path.status()), path.status().message());
  inputs.ancestor_path = *std::move(path);

  absl::MutexLock lock(&measuring_);
  absl::StatusOr<v1::MeasureResult> measured = MeasureWatched(attempt, inputs);
  if (!measured.ok()) return Failed(EngineFailure(measured.status()), measured.status().message());
  measured->mutable_setting()->set_device_class(device_class_);
  v1::AttemptResult result;
  *result.mutable_measure() = *std::move(measured);
  return result;
}

absl::StatusOr<v1::MeasureResult> MeasureExecutor::MeasureWatched(Attempt& attempt,
                                                                  const MeasurementInputs& inputs) {
  SQUISH_RETURN_IF_ERROR(EnsureEngine());
  attempt.OnCancel([engine = engine_.get()] { engine->Kill(); });
  absl::StatusOr<v1::MeasureResult> result =
      Measure(*engine_, inputs, clock_, [&attempt](double fraction, std::string note) {
        attempt.Progress(fraction, std::move(note));
      });
  attempt.OnCancel({});  // From here on the engine is safe.
  if (!result.ok() || attempt.cancelled()) engine_ = nullptr;
  return result;
}

absl::Status MeasureExecutor::EnsureEngine() {
  if (engine_ != nullptr && !engine_->Exited()) return absl::OkStatus();
  engine_ = nullptr;
  ++engine_restarts_;
  SQUISH_ASSIGN_OR_RETURN(engine_, EngineClient::Spawn(options_.engine, clock_));
  return absl::OkStatus();
}

std::vector<v1::DatasetReport> MeasureExecutor::PrepareDatasets(
    const std::vector<v1::DatasetSpec>&, const std::vector<std::string>&) {
  return {};
}

void MeasureExecutor::OnDatasetsChanged(std::function<void()>) {}

void MeasureExecutor::FillMetrics(v1::RunnerMetrics& metrics) {
  metrics.set_child_restarts(engine_restarts_);
}

}  // namespace squish
