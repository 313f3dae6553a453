// Stochastic gradient descent with momentum on a network's flat parameters. Includes
// LibTorch.
#ifndef SQUISH_WORKER_TRAINER_SGD_H_
#define SQUISH_WORKER_TRAINER_SGD_H_

#include "common/torch/aten.h"

#include <vector>

#include "common/torch/torch_network.h"
#include "squish/v1/experiment.pb.h"

namespace squish {

// Of one step, w the weights, b the biases, g the gradient:
//   g ← g · min(1, clip / ‖g‖)      unless clip is 0
//   g_w ← g_w + decay · w
//   v ← momentum · v + g            (v starts at 0)
//   (w, b) ← (w, b) − rate · v
// Not thread-safe; the network must outlive it.
class Sgd {
 public:
  // With `keep_zeros` weights that are 0 now stay 0: neither gradient nor decay reaches them.
  Sgd(TorchNetwork& network, const v1::Recipe& recipe, bool keep_zeros = false);

  // One step along `gradients` of network.parameters(). Returns their L2 norm before
  // clipping; when that is not finite nothing is changed.
  double Step(const std::vector<at::Tensor>& gradients, double learning_rate);

  // All that the next step depends on beside its gradients: w and b, in the order of
  // network.flat(), and v. To be put into one that was made of the same network: what
  // `keep_zeros` keeps is what was 0 at the beginning, not what is 0 now.
  struct State {
    std::vector<float> parameters;
    std::vector<float> velocity;
  };
  State Save() const;
  // False, and nothing is changed, when it is of a network of another size.
  bool Restore(const State& state);

 private:
  TorchNetwork& network_;
  const double momentum_;
  const double weight_decay_;
  const double clip_;
  at::Tensor parameters_;  // All; shares memory with the network.
  at::Tensor weights_;     // The part that decays.
  at::Tensor mask_;        // Of weights: 0 where they stay 0, else 1. Undefined: none stays.
  at::Tensor gradient_;
  at::Tensor velocity_;
};

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_SGD_H_
