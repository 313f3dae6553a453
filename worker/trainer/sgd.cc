#include "worker/trainer/sgd.h"

#include "common/torch/aten.h"

#include <c10/core/GradMode.h>

#include <cmath>

namespace squish {

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

}  // namespace squish
