#include "worker/trainer/evaluation.h"

#include "common/torch/aten.h"

#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace squish {
namespace {

constexpr int kBatch = 64;
constexpr double kSmallestProbability = 1e-12;

}  // namespace

Evaluation Judge(const at::Tensor& logits, const at::Tensor& labels) {
  if (!logits.isfinite().all().item<bool>()) return {.finite = false};
  const at::Tensor log_probability =
      at::log_softmax(logits.to(at::kDouble), 1).gather(1, labels.unsqueeze(1));
  Evaluation evaluation;
  evaluation.accuracy = (logits.argmax(1) == labels).to(at::kDouble).mean().item<double>();
  evaluation.log_loss =
      -log_probability.clamp_min(std::log(kSmallestProbability)).mean().item<double>();
  return evaluation;
}

Evaluation Evaluate(const TorchNetwork& network, const Batches& batches,
                    const std::function<void(int pictures)>& seen) {
  const c10::InferenceMode inference;
  std::vector<at::Tensor> logits, labels;
  for (int first = 0; first < batches.count(); first += kBatch) {
    const int count = std::min(kBatch, batches.count() - first);
    const Batch batch = batches.MakePlain(first, count);
    logits.push_back(network.Forward(batch.pictures).to(at::kCPU));
    labels.push_back(batch.labels.to(at::kCPU));
    seen(first + count);
  }
  return Judge(at::cat(logits), at::cat(labels));
}

}  // namespace squish
