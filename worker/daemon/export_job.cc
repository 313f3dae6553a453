#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/export/handout.h"
#include "worker/daemon/attempt_step.h"
#include "worker/daemon/check_export.h"
#include "worker/daemon/child_events.h"
#include "worker/daemon/find_dataset.h"
#include "worker/daemon/jobs.h"

namespace squish {
namespace {

// One picture at a time through eight of a split is little work.
constexpr int kThreads = 1;
// Of the attempt's progress; the rest is the exporter's.
constexpr double kTrainersShare = 0.4;

// The TorchScript file and the reference, by the trainer.
StepOr<v1::ExportedFile> ExportTorchScript(const v1::TrainerRequest& request, Attempt& attempt,
                                           TrainerPool& trainers) {
  const TrainerPool::Lease trainer = trainers.Acquire(kThreads);
  absl::StatusOr<v1::TrainerEvent> answer =
      trainer->Ask(request, kThreads, attempt, kTrainersShare);
  if (!answer.ok()) return ChildFailure(answer.status());
  const absl::Status checked = CheckTorchScript(request, answer->exported());
  if (!checked.ok()) {
    trainer->Replace();
    return ChildFailure(checked);
  }
  return std::move(*answer->mutable_exported());
}

// The artifact that the job is about, which is a file of the export as it is.
StepOr<v1::ExportedFile> DescribeNetwork(const v1::ExportJob& job, const std::string& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  if (error) {
    return MakeFailure(v1::Failure::LOCAL_RESOURCES, absl::StrCat(path, ": ", error.message()));
  }
  v1::ExportedFile file;
  file.set_name(kNetworkFileName);
  file.set_artifact(job.network());
  file.set_bytes(static_cast<int64_t>(bytes));
  file.set_checked_with("the network itself");
  return file;
}

}  // namespace

v1::AttemptResult RunExport(Attempt& attempt, const std::string& output_folder,
                            DatasetShelf& datasets, TrainerPool& trainers,
                            const ExporterOptions& exporter, Clock& clock) {
  const absl::Duration start = clock.Steady();
  const TemporaryFolder folder(output_folder);
  const absl::Status made = MakeFolder(folder.path());
  if (!made.ok()) return FailedAttempt(MakeFailure(v1::Failure::LOCAL_RESOURCES, made.message()));

  v1::TrainerRequest request;
  *request.mutable_export_files() = attempt.job().export_files();
  const v1::ExportJob& job = request.export_files();
  SQUISH_ASSIGN_OR_FAIL(const v1::DecoderEvent::Done dataset,
                        FindDataset(attempt, job.dataset(), job.dataset_fingerprint(), datasets));
  request.set_dataset_cache_path(dataset.cache_path());
  SQUISH_ASSIGN_OR_FAIL(const std::string network_path,
                        FetchFile(attempt, job.network(), "the network to export"));
  request.set_network_path(network_path);
  request.set_output_path(JoinPath(folder.path(), kTorchScriptFileName));
  request.set_reference_path(JoinPath(folder.path(), "reference.safetensors"));
  SQUISH_ASSIGN_OR_FAIL(v1::ExportedFile torchscript,
                        ExportTorchScript(request, attempt, trainers));

  v1::ExporterRequest onnx;
  onnx.set_network_path(network_path);
  onnx.set_reference_path(request.reference_path());
  onnx.set_output_folder(folder.path());
  *onnx.mutable_batches() = job.batches();
  absl::StatusOr<v1::ExporterEvent::Done> done =
      AskExporter(exporter, onnx, attempt, kTrainersShare);
  if (!done.ok()) return FailedAttempt(ChildFailure(done.status()));
  if (auto damaged = CheckStillWhole(network_path, job.network(), "the network to export")) {
    return FailedAttempt(*std::move(damaged));
  }

  v1::AttemptResult result;
  auto& files = *result.mutable_export_files()->mutable_files();
  files.Swap(done->mutable_files());
  *files.Add() = std::move(torchscript);
  for (v1::ExportedFile& file : files) {
    SQUISH_ASSIGN_OR_FAIL(std::string digest,
                          StoreFile(attempt, JoinPath(folder.path(), file.name())));
    file.set_artifact(std::move(digest));
  }
  SQUISH_ASSIGN_OR_FAIL(*files.Add(), DescribeNetwork(job, network_path));
  std::sort(files.begin(), files.end(), [](const v1::ExportedFile& a, const v1::ExportedFile& b) {
    return a.name() < b.name();
  });
  result.mutable_export_files()->set_wall_seconds(absl::ToDoubleSeconds(clock.Steady() - start));
  return result;
}

}  // namespace squish
