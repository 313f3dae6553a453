#include "worker/trainer/sgd.h"

#include "common/torch/aten.h"

#include <c10/core/GradMode.h>

#include <cmath>

namespace squish {
namespace {

std::vector<float> Copy(const at::Tensor& tensor) {
  const at::Tensor values = tensor.detach().to(at::kCPU).contiguous();
  return {values.data_ptr<float>(), values.data_ptr<float>() + values.numel()};
}

void Fill(at::Tensor& tensor, const std::vector<float>& values) {
  // LibTorch has no view of memory that it may not write to.
  tensor.copy_(at::from_blob(const_cast<float*>(values.data()), tensor.sizes(), at::kFloat));
}

}  // namespace

Sgd::Sgd(TorchNetwork& network, const v1::Recipe& recipe, bool keep_zeros)
    : network_(network),
      momentum_(recipe.momentum()),
      weight_decay_(recipe.weight_decay()),
      clip_(recipe.gradient_clip()),
      parameters_(network.flat()),
      weights_(parameters_.narrow(0, 0, network.weight_elements())),
      gradient_(at::zeros_like(parameters_)),
      velocity_(at::zeros_like(parameters_)) {
  const c10::NoGradGuard no_gradients;
  if (keep_zeros) mask_ = weights_.ne(0).to(weights_.scalar_type());
}

double Sgd::Step(const std::vector<at::Tensor>& gradients, double learning_rate) {
  const c10::NoGradGuard no_gradients;
  network_.Gather(gradients, gradient_);
  if (mask_.defined()) gradient_.narrow(0, 0, network_.weight_elements()).mul_(mask_);
  const double norm = gradient_.norm().item<double>();
  if (!std::isfinite(norm)) return norm;
  if (clip_ > 0 && norm > clip_) gradient_.mul_(clip_ / norm);
  if (weight_decay_ > 0) {
    gradient_.narrow(0, 0, network_.weight_elements()).add_(weights_, weight_decay_);
  }
  velocity_.mul_(momentum_).add_(gradient_);
  parameters_.add_(velocity_, -learning_rate);
  return norm;
}

Sgd::State Sgd::Save() const { return {Copy(parameters_), Copy(velocity_)}; }

bool Sgd::Restore(const State& state) {
  const auto elements = static_cast<size_t>(parameters_.numel());
  if (state.parameters.size() != elements || state.velocity.size() != elements) return false;
  const c10::NoGradGuard no_gradients;
  Fill(parameters_, state.parameters);
  Fill(velocity_, state.velocity);
  return true;
}

}  // namespace squish
