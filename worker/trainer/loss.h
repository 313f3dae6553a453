// What training makes small, and how an answer is judged. Includes LibTorch.
#ifndef SQUISH_WORKER_TRAINER_LOSS_H_
#define SQUISH_WORKER_TRAINER_LOSS_H_

#include "common/torch/aten.h"

namespace squish {

// Mean cross entropy of N × classes logits against N labels of which the share
// `smoothing` is spread evenly over all classes.
at::Tensor CrossEntropy(const at::Tensor& logits, const at::Tensor& labels, double smoothing);

// τ² · KL(teacher_τ ‖ student_τ), the mean over the batch, of N × classes logits;
// x_τ is softmax(x / τ). No gradient reaches the teacher.
at::Tensor DistillationLoss(const at::Tensor& student, const at::Tensor& teacher, double tau);

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_LOSS_H_
