#include "worker/daemon/check_evaluation.h"

#include <cmath>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "worker/daemon/child_events.h"

namespace squish {
namespace {

// Of two ways to the same fraction.
constexpr double kRounding = 1e-9;
constexpr size_t kMaximumNumericsClassBytes = 512;

absl::Status Untrue(absl::string_view what) { return Babbled("the trainer", what); }

struct Counts {
  int64_t images = 0;
  int64_t right = 0;
  double balanced_accuracy = 0;
};

absl::StatusOr<Counts> Count(const v1::Evaluation& evaluation, int classes) {
  if (evaluation.confusion_size() != int64_t{classes} * classes) {
    return Untrue(absl::StrCat("a confusion of ", evaluation.confusion_size(), " counts for ",
                               classes, " classes"));
  }
  Counts counts;
  double recalls = 0;
  int classes_seen = 0;
  for (int label = 0; label < classes; ++label) {
    int64_t row = 0;
    for (int predicted = 0; predicted < classes; ++predicted) {
      const int count = evaluation.confusion(label * classes + predicted);
      if (count < 0) return Untrue("a negative count in the confusion");
      row += count;
    }
    if (row == 0) continue;
    const int hits = evaluation.confusion(label * classes + label);
    counts.images += row;
    counts.right += hits;
    recalls += static_cast<double>(hits) / static_cast<double>(row);
    ++classes_seen;
  }
  if (classes_seen > 0) counts.balanced_accuracy = recalls / classes_seen;
  return counts;
}

absl::Status CheckFraction(absl::string_view what, double told, double counted) {
  if (std::abs(told - counted) <= kRounding) return absl::OkStatus();
  return Untrue(absl::StrCat(what, " of ", told, ", but its confusion says ", counted));
}

absl::Status CheckFigures(const v1::Evaluation& evaluation, int classes, int images) {
  SQUISH_ASSIGN_OR_RETURN(const Counts counts, Count(evaluation, classes));
  if (evaluation.images() != images || counts.images != images) {
    return Untrue(absl::StrCat("it evaluated ", evaluation.images(), " pictures and counted ",
                               counts.images, "; the split has ", images));
  }
  const double accuracy = static_cast<double>(counts.right) / static_cast<double>(images);
  SQUISH_RETURN_IF_ERROR(CheckFraction("an accuracy", evaluation.accuracy(), accuracy));
  SQUISH_RETURN_IF_ERROR(CheckFraction("a balanced accuracy", evaluation.balanced_accuracy(),
                                       counts.balanced_accuracy));
  if (!(evaluation.log_loss() >= 0 && std::isfinite(evaluation.log_loss()))) {
    return Untrue(absl::StrCat("a log-loss of ", evaluation.log_loss()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckEvaluation(const v1::TrainerRequest& request, const v1::DatasetSummary& data,
                             const v1::EvaluateResult& result) {
  const bool val = request.evaluate().split() == v1::VAL;
  const int images = val ? data.val_images() : data.selection_images();
  SQUISH_RETURN_IF_ERROR(CheckFigures(result.evaluation(), data.class_names_size(), images));
  const std::string& numerics_class = result.numerics_class();
  if (numerics_class.empty() || numerics_class.size() > kMaximumNumericsClassBytes ||
      numerics_class.find('\n') != std::string::npos) {
    return Untrue("a numerics class that is no line of 1 to 512 bytes");
  }
  if (!(result.wall_seconds() >= 0 && std::isfinite(result.wall_seconds()))) {
    return Untrue(absl::StrCat("it took ", result.wall_seconds(), " seconds"));
  }
  const absl::StatusOr<std::string> file = ReadFile(request.output_path());
  if (!file.ok())
    return Untrue(absl::StrCat("there are no predictions: ", file.status().message()));
  if (Sha256Hex(*file) != result.predictions())
    return Untrue("its predictions have another digest");
  return absl::OkStatus();
}

}  // namespace squish
