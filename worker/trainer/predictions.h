// From a network's outputs for a split to figures, and to a line for each picture. Pure:
// a function of the outputs alone, bit for bit on every machine. No LibTorch. Thread-safe.
#ifndef SQUISH_WORKER_TRAINER_PREDICTIONS_H_
#define SQUISH_WORKER_TRAINER_PREDICTIONS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "squish/v1/experiment.pb.h"

namespace squish {

struct Prediction {
  int label = 0;
  int predicted = 0;    // The largest logit's class; ties go to the lowest.
  double log_loss = 0;  // -ln max(p, 1e-12), p the softmax probability of the label.
};

// One for each row of `logits` (labels.size() × classes; a label is below `classes`, which
// is at least 1). INVALID_ARGUMENT: another number of logits, or one that is not finite.
absl::StatusOr<std::vector<Prediction>> Predict(absl::Span<const float> logits, int classes,
                                                absl::Span<const int> labels);

// Figures over all predictions. Classes without a picture are in no mean.
v1::Evaluation Summarise(absl::Span<const Prediction> predictions, int classes);

// CSV with the header `picture,class,predicted,log_loss` and a line for each prediction;
// what holds a comma, a quote or a line break is quoted. A log-loss is the shortest decimal
// that gives the same number back.
std::string PredictionsCsv(absl::Span<const Prediction> predictions,
                           absl::Span<const std::string> class_names,
                           const std::function<std::string(int index)>& picture_name);

}  // namespace squish

#endif  // SQUISH_WORKER_TRAINER_PREDICTIONS_H_
