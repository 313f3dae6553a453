#include "worker/trainer/predictions.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/exact_math.h"

namespace squish {
namespace {

constexpr double kSmallestProbability = 1e-12;

// Sums in double and in the order of the classes.
Prediction PredictOne(absl::Span<const float> logits, int label) {
  Prediction prediction;
  prediction.label = label;
  const auto largest = std::max_element(logits.begin(), logits.end());
  prediction.predicted = static_cast<int>(largest - logits.begin());
  double sum = 0;
  for (const float logit : logits) sum += ExactExp(static_cast<double>(logit) - *largest);
  const double log_loss =
      ExactLog(sum) - (static_cast<double>(logits[label]) - static_cast<double>(*largest));
  prediction.log_loss = std::clamp(log_loss, 0.0, -ExactLog(kSmallestProbability));
  return prediction;
}

std::string Quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

std::string Shortest(double number) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
  return std::string(buffer, end);
}

}  // namespace

absl::StatusOr<std::vector<Prediction>> Predict(absl::Span<const float> logits, int classes,
                                                absl::Span<const int> labels) {
  if (logits.size() != labels.size() * classes) {
    return absl::InvalidArgumentError(absl::StrCat(logits.size(), " outputs for ", labels.size(),
                                                   " pictures and ", classes, " classes"));
  }
  std::vector<Prediction> predictions;
  predictions.reserve(labels.size());
  for (size_t i = 0; i < labels.size(); ++i) {
    const absl::Span<const float> row = logits.subspan(i * classes, classes);
    if (!std::all_of(row.begin(), row.end(), [](float logit) { return std::isfinite(logit); })) {
      return absl::InvalidArgumentError(
          absl::StrCat("the network's outputs for picture ", i, " are not finite"));
    }
    predictions.push_back(PredictOne(row, labels[i]));
  }
  return predictions;
}

v1::Evaluation Summarise(absl::Span<const Prediction> predictions, int classes) {
  v1::Evaluation evaluation;
  evaluation.set_images(static_cast<int>(predictions.size()));
  evaluation.mutable_confusion()->Resize(classes * classes, 0);
  double log_loss = 0;
  for (const Prediction& prediction : predictions) {
    log_loss += prediction.log_loss;
    const int cell = prediction.label * classes + prediction.predicted;
    evaluation.set_confusion(cell, evaluation.confusion(cell) + 1);
  }
  int right = 0, classes_seen = 0;
  double recalls = 0;
  for (int label = 0; label < classes; ++label) {
    int images = 0;
    for (int predicted = 0; predicted < classes; ++predicted) {
      images += evaluation.confusion(label * classes + predicted);
    }
    if (images == 0) continue;
    const int hits = evaluation.confusion(label * classes + label);
    right += hits;
    recalls += static_cast<double>(hits) / images;
    ++classes_seen;
  }
  if (predictions.empty()) return evaluation;
  evaluation.set_accuracy(static_cast<double>(right) / evaluation.images());
  evaluation.set_balanced_accuracy(recalls / classes_seen);
  evaluation.set_log_loss(log_loss / evaluation.images());
  return evaluation;
}

std::string PredictionsCsv(absl::Span<const Prediction> predictions,
                           absl::Span<const std::string> class_names,
                           const std::function<std::string(int index)>& picture_name) {
  std::string csv = "picture,class,predicted,log_loss\n";
  for (size_t i = 0; i < predictions.size(); ++i) {
    const Prediction& prediction = predictions[i];
    absl::StrAppend(
        &csv, Quoted(picture_name(static_cast<int>(i))), ",", Quoted(class_names[prediction.label]),
        ",", Quoted(class_names[prediction.predicted]), ",", Shortest(prediction.log_loss), "\n");
  }
  return csv;
}

}  // namespace squish
