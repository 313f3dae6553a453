#include "jetson-agent/measure_executor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/base/text.h"
#include "jetson-agent/device_class.h"
#include "jetson-agent/engine/network_file.h"
#include "jetson-agent/engine/pictures.h"
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

BoardOptions WithSoftware(BoardOptions board) {
  board.software = ReadSoftware(board.system_root);
  return board;
}

// The ONNX file of this batch; empty: there is none.
absl::StatusOr<std::string> FetchOnnx(Attempt& attempt, const v1::EngineFiles& files, int batch) {
  for (const v1::EngineFiles::Onnx& onnx : files.onnx()) {
    if (onnx.batch() == batch) return attempt.Fetch(onnx.artifact());
  }
  return std::string();
}

// What the network gives for the probe; empty: nobody says.
absl::StatusOr<Logits> FetchOutputs(Attempt& attempt, const v1::EngineFiles& files) {
  if (files.probe_outputs().empty()) return Logits();
  SQUISH_ASSIGN_OR_RETURN(const std::string path, attempt.Fetch(files.probe_outputs()));
  absl::StatusOr<Logits> outputs = ReadProbeOutputs(path);
  if (outputs.ok()) return outputs;
  return Annotate(outputs.status(), absl::StrCat("artifact ", files.probe_outputs()));
}

// Beside the networks: what the engine has a use for.
absl::Status FetchEngineFiles(Attempt& attempt, const EngineReady& engine,
                              MeasurementInputs& inputs) {
  const v1::MeasureJob& job = attempt.job().measure();
  const v1::EngineFiles &candidate = job.candidate_files(), &ancestor = job.ancestor_files();
  const int batch = job.protocol().batch();
  if (engine.format == NetworkFormat::kOnnx) {
    SQUISH_ASSIGN_OR_RETURN(inputs.candidate_onnx, FetchOnnx(attempt, candidate, batch));
    SQUISH_ASSIGN_OR_RETURN(inputs.ancestor_onnx, FetchOnnx(attempt, ancestor, batch));
  }
  if (engine.synthetic || candidate.probe_pictures().empty()) return absl::OkStatus();
  SQUISH_ASSIGN_OR_RETURN(inputs.probe, attempt.Fetch(candidate.probe_pictures()));
  if (!engine.outputs) return absl::OkStatus();
  SQUISH_ASSIGN_OR_RETURN(inputs.candidate_outputs, FetchOutputs(attempt, candidate));
  // Outputs for other pictures would say nothing.
  if (ancestor.probe_pictures() != candidate.probe_pictures()) return absl::OkStatus();
  SQUISH_ASSIGN_OR_RETURN(inputs.ancestor_outputs, FetchOutputs(attempt, ancestor));
  return absl::OkStatus();
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
      board_(WithSoftware(options_.board)),
      clock_(clock),
      engine_info_(engine->info()),
      device_class_(ChooseDeviceClass(options_.device_class, engine_info_.device_class,
                                      board_.system_root, board_.software)),
      engine_(std::move(engine)) {}

v1::AttemptResult MeasureExecutor::Execute(Attempt& attempt) {
  if (!attempt.job().has_measure()) {
    return Failed(v1::Failure::INTERNAL, "an agent does nothing but MEASURE");
  }
  const v1::MeasureJob& job = attempt.job().measure();
  MeasurementInputs inputs;
  inputs.protocol = job.protocol();
  inputs.board = board_;
  absl::StatusOr<std::string> path =
      FetchNetwork(attempt, job.candidate(), job.candidate_architecture());
  if (!path.ok()) return Failed(FetchFailure(path.status()), path.status().message());
  inputs.candidate_path = *std::move(path);
  path = FetchNetwork(attempt, job.ancestor(), job.ancestor_architecture());
  if (!path.ok()) return Failed(FetchFailure(path.status()), path.status().message());
  inputs.ancestor_path = *std::move(path);
  inputs.engine_builds = std::clamp(job.engine_builds(), 1, kMaximumBuilds);
  const absl::Status files = FetchEngineFiles(attempt, engine_info_, inputs);
  if (!files.ok()) return Failed(FetchFailure(files), files.message());

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
