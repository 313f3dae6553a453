#include "worker/trainer/loss.h"

#include "common/torch/aten.h"


namespace squish {

at::Tensor CrossEntropy(const at::Tensor& logits, const at::Tensor& labels, double smoothing) {
  return at::cross_entropy_loss(logits, labels, /*weight=*/{}, at::Reduction::Mean,
                                /*ignore_index=*/-100, smoothing);
}

at::Tensor DistillationLoss(const at::Tensor& student, const at::Tensor& teacher, double tau) {
  const at::Tensor student_log = at::log_softmax(student / tau, 1);
  const at::Tensor teacher_log = at::log_softmax(teacher.detach() / tau, 1);
  const at::Tensor divergence = teacher_log.exp() * (teacher_log - student_log);
  return tau * tau * divergence.sum(1).mean();
}

}  // namespace squish
