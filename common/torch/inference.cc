#include "common/torch/inference.h"

#include "common/torch/aten.h"

#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/genome/shapes.h"
#include "common/torch/torch_network.h"
#include "common/torch/torch_status.h"

namespace squish {
namespace {

constexpr int kMaximumBatch = 65'536;

absl::Status CheckSize(absl::string_view what, size_t size, int64_t expected) {
  if (static_cast<int64_t>(size) == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", size, " values, not ", expected));
}

}  // namespace

struct Inference::State {
  TorchNetwork network;
  int64_t batch;
  int64_t side;
  int64_t channels;

  at::Tensor InPlace(absl::Span<const float> pictures) const {
    return at::from_blob(const_cast<float*>(pictures.data()), {batch, side, side, channels},
                         at::kFloat)
        .permute({0, 3, 1, 2});
  }
};

Inference::Inference(std::unique_ptr<State> state) : state_(std::move(state)) {}
Inference::~Inference() = default;

absl::StatusOr<std::unique_ptr<Inference>> Inference::Create(const Genome& genome,
                                                             const TensorMap& weights, int batch,
                                                             int side) {
  if (batch < 1 || batch > kMaximumBatch) {
    return absl::InvalidArgumentError(
        absl::StrCat("a batch of ", batch, " is not 1 to ", kMaximumBatch));
  }
  SQUISH_RETURN_IF_ERROR(ComputeShapes(genome, side).status());
  SQUISH_ASSIGN_OR_RETURN(TorchNetwork network, TorchNetwork::Create(genome, weights, at::kCPU));
  auto state = std::make_unique<State>(
      State{std::move(network), batch, side, genome.OutputChannels(0)});
  return std::unique_ptr<Inference>(new Inference(std::move(state)));
}

absl::Status Inference::Run(absl::Span<const float> pictures, absl::Span<float> logits) const {
  const auto& [network, batch, side, channels] = *state_;
  SQUISH_RETURN_IF_ERROR(CheckSize("pictures", pictures.size(), batch * side * side * channels));
  SQUISH_RETURN_IF_ERROR(CheckSize("logits", logits.size(), batch * network.genome().classes()));
  return CatchTorchErrors([&]() -> absl::Status {
    const c10::InferenceMode inference;
    const at::Tensor output = state_->network.Forward(state_->InPlace(pictures)).contiguous();
    std::memcpy(logits.data(), output.data_ptr<float>(), logits.size() * sizeof(float));
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<double>> Inference::Profile(absl::Span<const float> pictures,
                                                       int runs) const {
  using Clock = std::chrono::steady_clock;
  const auto& [network, batch, side, channels] = *state_;
  SQUISH_RETURN_IF_ERROR(CheckSize("pictures", pictures.size(), batch * side * side * channels));
  std::vector<std::vector<double>> seconds(static_cast<size_t>(network.genome().size()));
  SQUISH_RETURN_IF_ERROR(CatchTorchErrors([&]() -> absl::Status {
    const c10::InferenceMode inference;
    const at::Tensor input = state_->InPlace(pictures);
    for (int run = 0; run < std::max(1, runs); ++run) {
      Clock::time_point last = Clock::now();
      const auto observe = [&](int layer, const at::Tensor&) {
        const Clock::time_point now = Clock::now();
        seconds[layer].push_back(std::chrono::duration<double>(now - last).count());
        last = now;
      };
      state_->network.Forward(input, {.observe = observe});
    }
    return absl::OkStatus();
  }));
  std::vector<double> medians;
  for (std::vector<double>& of_layer : seconds) {
    const auto middle = of_layer.begin() + static_cast<int64_t>(of_layer.size() / 2);
    std::nth_element(of_layer.begin(), middle, of_layer.end());
    medians.push_back(*middle);
  }
  return medians;
}

}  // namespace squish
