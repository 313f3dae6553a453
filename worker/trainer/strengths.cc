#include "worker/trainer/strengths.h"

#include "common/torch/aten.h"

#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/types/span.h"
#include "common/weights/strengths.h"

namespace squish {
namespace {

// So few that a progress report can follow each in time, at 224 pixels a side too.
constexpr int kBatch = 16;

// By convolution, in the genome's order: the layer whose output is what the filters say.
std::vector<int> SpeakingLayers(const Genome& genome) {
  std::vector<int> readers(genome.size(), 0), reader(genome.size(), -1);
  for (int i = 0; i < genome.size(); ++i) {
    for (const int input : genome.layer(i).inputs) {
      ++readers[input];
      reader[input] = i;
    }
  }
  std::vector<int> layers;
  for (const int conv : genome.convs()) {
    const bool rectified =
        readers[conv] == 1 &&
        std::holds_alternative<Relu>(genome.layer(reader[conv]).operation);
    layers.push_back(rectified ? reader[conv] : conv);
  }
  return layers;
}

// Sums over pictures for every filter of one convolution.
struct Sums {
  at::Tensor taylor, activation;  // F doubles on the CPU.
  int64_t positions = 0;          // Of one picture.

  // `outputs` and `gradients`: N × F × height × width.
  void Add(const at::Tensor& outputs, const at::Tensor& gradients) {
    positions = outputs.size(2) * outputs.size(3);
    const at::Tensor terms = outputs.to(at::kDouble) * gradients;
    taylor += terms.sum({2, 3}).abs().sum(0).to(at::kCPU);
    activation += outputs.abs().sum({0, 2, 3}, /*keepdim=*/false, at::kDouble).to(at::kCPU);
  }
};

class StrengthComputation {
 public:
  explicit StrengthComputation(const TorchNetwork& network)
      : network_(network), layers_(SpeakingLayers(network.genome())) {
    for (const int conv : network.genome().convs()) {
      const at::Tensor none = at::zeros({network.genome().conv(conv).filters()}, at::kDouble);
      sums_.push_back({none, none.clone()});
    }
  }

  void Add(const Batch& batch) {
    std::vector<at::Tensor> outputs(network_.genome().size());
    const ForwardOptions options{
        .observe = [&](int layer, const at::Tensor& output) { outputs[layer] = output; }};
    const at::Tensor logits = network_.Forward(batch.pictures, options);
    // A sum, so that each picture's gradients are those of its own loss.
    const at::Tensor loss =
        at::cross_entropy_loss(logits, batch.labels, /*weight=*/{}, at::Reduction::Sum);
    std::vector<at::Tensor> spoken;
    for (const int layer : layers_) spoken.push_back(outputs[layer]);
    outputs.clear();
    const std::vector<at::Tensor> gradients = torch::autograd::grad({loss}, spoken);
    const c10::NoGradGuard no_gradients;
    for (size_t i = 0; i < spoken.size(); ++i) sums_[i].Add(spoken[i], gradients[i]);
  }

  std::optional<TensorMap> Means(int pictures) const {
    TensorMap strengths;
    const Genome& genome = network_.genome();
    for (size_t i = 0; i < sums_.size(); ++i) {
      const std::string& name = genome.layer(genome.convs()[i]).name;
      const Sums& sums = sums_[i];
      const double places = static_cast<double>(pictures) * static_cast<double>(sums.positions);
      strengths[TaylorName(name)] = Quotients(sums.taylor, pictures);
      strengths[ActivationName(name)] = Quotients(sums.activation, places);
    }
    if (!CheckStrengths(genome, strengths).ok()) return std::nullopt;
    return strengths;
  }

 private:
  static Tensor Quotients(const at::Tensor& sums, double divisor) {
    Tensor quotients{sums.sizes().vec(), {}};
    for (int64_t i = 0; i < sums.numel(); ++i) {
      quotients.values.push_back(static_cast<float>(sums.data_ptr<double>()[i] / divisor));
    }
    return quotients;
  }

  const TorchNetwork& network_;
  const std::vector<int> layers_;
  std::vector<Sums> sums_;  // By convolution.
};

}  // namespace

std::vector<int> StrengthPictures(const std::vector<int>& labels, int images) {
  const auto count = static_cast<int64_t>(labels.size());
  std::vector<int> order(labels.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return labels[a] < labels[b]; });
  const int64_t chosen = std::min<int64_t>(images, count);
  std::vector<int> pictures;
  for (int64_t i = 0; i < chosen; ++i) pictures.push_back(order[i * count / chosen]);
  return pictures;
}

std::optional<TensorMap> ComputeStrengths(const TorchNetwork& network, const Batches& pictures,
                                          int images,
                                          const std::function<void(int pictures)>& seen) {
  const std::vector<int> chosen = StrengthPictures(pictures.Labels(), images);
  const int count = static_cast<int>(chosen.size());
  StrengthComputation computation(network);
  for (int first = 0; first < count; first += kBatch) {
    const int n = std::min(kBatch, count - first);
    computation.Add(pictures.MakePlain(absl::MakeConstSpan(chosen).subspan(first, n)));
    seen(first + n);
  }
  return computation.Means(count);
}

}  // namespace squish
