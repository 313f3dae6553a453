#include "worker/daemon/engine_files.h"

#include <utility>

#include "common/base/file.h"
#include "common/export/handout.h"
#include "worker/daemon/check_export.h"
#include "worker/daemon/child_events.h"
#include "worker/daemon/find_dataset.h"

namespace squish {
namespace {

// Of the attempt's progress; the rest is the exporter's.
constexpr double kTrainersShare = 0.5;

// What it answers has the digests of its files, which are where the request says.
StepOr<v1::EngineFiles> MakeProbe(const v1::TrainerRequest& request, const Genome& genome,
                                  Attempt& attempt, TrainerPool& trainers) {
  const TrainerPool::Lease trainer = trainers.AcquireAny();
  absl::StatusOr<v1::TrainerEvent> answer =
      trainer->Ask(request, trainer->threads(), attempt, kTrainersShare);
  if (!answer.ok()) return ChildFailure(answer.status());
  const absl::Status checked = CheckProbe(request, genome, answer->probed());
  if (!checked.ok()) {
    trainer->Replace();
    return ChildFailure(checked);
  }
  return std::move(*answer->mutable_probed());
}

}  // namespace

StepOr<v1::EngineFiles> MakeEngineFiles(Attempt& attempt, const v1::EngineFilesOrder& order,
                                        const std::string& network, absl::string_view what,
                                        const std::string& folder, DatasetShelf& datasets,
                                        TrainerPool& trainers, const ExporterOptions& exporter) {
  const TemporaryFolder files_folder(folder);
  const absl::Status made = MakeFolder(folder);
  if (!made.ok()) return MakeFailure(v1::Failure::LOCAL_RESOURCES, made.message());
  v1::TrainerRequest probe;
  *probe.mutable_probe() = order;
  SQUISH_ASSIGN_OR_RETURN_FAILURE(
      const v1::DecoderEvent::Done dataset,
      FindDataset(attempt, order.dataset(), order.dataset_fingerprint(), datasets));
  probe.set_dataset_cache_path(dataset.cache_path());
  SQUISH_ASSIGN_OR_RETURN_FAILURE(const Network read, FetchNetwork(attempt, network, what));
  SQUISH_ASSIGN_OR_RETURN_FAILURE(*probe.mutable_network_path(),
                                  FetchFile(attempt, network, what));
  probe.set_pictures_path(JoinPath(folder, "pictures.safetensors"));
  probe.set_output_path(JoinPath(folder, "outputs.safetensors"));
  SQUISH_ASSIGN_OR_RETURN_FAILURE(v1::EngineFiles files,
                                  MakeProbe(probe, read.genome, attempt, trainers));

  v1::ExporterRequest onnx;
  *onnx.mutable_engine_files() = order;
  onnx.set_network_path(probe.network_path());
  onnx.set_output_folder(folder);
  const absl::StatusOr<v1::ExporterEvent::Done> done =
      AskExporter(exporter, onnx, attempt, kTrainersShare);
  if (!done.ok()) return ChildFailure(done.status());
  if (auto damaged = CheckStillWhole(probe.network_path(), network, what)) {
    return *std::move(damaged);
  }

  SQUISH_ASSIGN_OR_RETURN_FAILURE(*files.mutable_probe_pictures(),
                                  StoreFile(attempt, probe.pictures_path()));
  SQUISH_ASSIGN_OR_RETURN_FAILURE(*files.mutable_probe_outputs(),
                                  StoreFile(attempt, probe.output_path()));
  files.clear_onnx();
  for (const int batch : order.batches()) {
    v1::EngineFiles::Onnx& file = *files.add_onnx();
    file.set_batch(batch);
    SQUISH_ASSIGN_OR_RETURN_FAILURE(
        *file.mutable_artifact(), StoreFile(attempt, JoinPath(folder, OnnxFileName(batch))));
  }
  return files;
}

}  // namespace squish
