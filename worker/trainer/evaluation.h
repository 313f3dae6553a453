// How well a network does on a split it does not learn from. Includes LibTorch.
#ifndef SQUISH_WORKER_TRAINER_EVALUATION_H_
#define SQUISH_WORKER_TRAINER_EVALUATION_H_

#include <functional>

#include "common/torch/torch_network.h"
#include "worker/trainer/batches.h"

namespace squish {

struct Evaluation {
  double accuracy = 0;  // Fraction whose largest logit is the label's; ties go to the lowest class.
  double log_loss = 0;  // Mean of -ln max(p, 1e-12), p the softmax probability of the label.
  bool finite = true;   // False: some logit was not finite, the rest means nothing.
};

// Every picture once, as it is. `seen` is called after each batch with the pictures
// seen so far.
Evaluation Evaluate(const TorchNetwork& network, const Batches& batches,
                    const std::function<void(int pictures)>& seen);

// The same for logits (N × classes, float, on the CPU) of the pictures with `labels`.
Evaluation Judge(const at::Tensor& logits, const at::Tensor& labels);

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_EVALUATION_H_
