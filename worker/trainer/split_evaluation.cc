#include "worker/trainer/split_evaluation.h"

#include "common/torch/aten.h"

#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/torch/numerics.h"
#include "common/torch/torch_network.h"
#include "common/torch/torch_status.h"
#include "worker/trainer/batches.h"
#include "worker/trainer/check_network.h"
#include "worker/trainer/predictions.h"

namespace squish {
namespace {

constexpr int kMaximumThreads = 256;
constexpr int kBatch = 64;

absl::Status CheckEvaluation(const v1::EvaluateJob& job, const Network& network,
                             const DatasetCache& data) {
  SQUISH_RETURN_IF_ERROR(CheckFingerprint(data, job.dataset_fingerprint()));
  if (job.split() != v1::SELECTION && job.split() != v1::VAL) {
    return absl::InvalidArgumentError(absl::StrCat(
        "split ", v1::Split_Name(job.split()), " cannot be evaluated on: SELECTION and VAL can"));
  }
  SQUISH_RETURN_IF_ERROR(CheckSplit(data, job.split()));
  if (job.threads() < 1 || job.threads() > kMaximumThreads) {
    return absl::InvalidArgumentError(
        absl::StrCat("threads is ", job.threads(), "; it must be 1 to ", kMaximumThreads));
  }
  SQUISH_RETURN_IF_ERROR(Annotate(CheckNetwork(network, data), "the network"));
  if (job.device() == v1::TrainingSpec::CUDA && !CudaAvailable()) {
    return absl::FailedPreconditionError("the job wants CUDA, and this machine has none");
  }
  return absl::OkStatus();
}

void Report(const ProgressReporter& report, int done, int all) {
  v1::TrainerEvent::Progress progress;
  progress.set_fraction(static_cast<double>(done) / all);
  progress.set_note(absl::StrCat("evaluated ", done, " of ", all, " pictures"));
  report(progress);
}

// Row by row.
std::vector<float> Logits(const TorchNetwork& network, const Batches& pictures,
                          const ProgressReporter& report) {
  const c10::InferenceMode inference;
  std::vector<float> logits;
  for (int first = 0; first < pictures.count(); first += kBatch) {
    const int count = std::min(kBatch, pictures.count() - first);
    const at::Tensor rows =
        network.Forward(pictures.MakePlain(first, count).pictures).to(at::kCPU).contiguous();
    logits.insert(logits.end(), rows.data_ptr<float>(), rows.data_ptr<float>() + rows.numel());
    Report(report, first + count, pictures.count());
  }
  return logits;
}

absl::StatusOr<Evaluated> Evaluate(const v1::EvaluateJob& job, const Network& network,
                                   const DatasetCache& data, const ProgressReporter& report) {
  const bool cuda = job.device() == v1::TrainingSpec::CUDA;
  const at::Device device(cuda ? at::kCUDA : at::kCPU);
  SetTorchThreads(job.threads());
  SQUISH_ASSIGN_OR_RETURN(const TorchNetwork torch,
                          TorchNetwork::Create(network.genome, network.weights, device));
  const Batches pictures(data, job.split(), network.preprocessing, device);
  Report(report, 0, pictures.count());
  const std::vector<float> logits = Logits(torch, pictures, report);
  const int classes = network.genome.classes();
  SQUISH_ASSIGN_OR_RETURN(const std::vector<Prediction> predictions,
                          Predict(logits, classes, pictures.Labels()));
  Evaluated evaluated;
  *evaluated.result.mutable_evaluation() = Summarise(predictions, classes);
  evaluated.result.set_numerics_class(NumericsClass(job.threads(), cuda));
  evaluated.predictions =
      PredictionsCsv(predictions, network.class_names, [&](int index) -> std::string {
        const std::string name = data.Name(job.split(), index);
        return name.empty() ? absl::StrCat(v1::Split_Name(job.split()), "/", index) : name;
      });
  return evaluated;
}

}  // namespace

absl::StatusOr<Evaluated> RunEvaluation(const v1::EvaluateJob& job, const Network& network,
                                        const DatasetCache& data, const ProgressReporter& report) {
  SQUISH_RETURN_IF_ERROR(CheckEvaluation(job, network, data));
  return CatchTorchErrors([&] { return Evaluate(job, network, data, report); });
}

}  // namespace squish
