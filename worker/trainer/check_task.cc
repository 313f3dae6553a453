#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/torch/numerics.h"
#include "worker/trainer/check_network.h"
#include "worker/trainer/training.h"

namespace squish {
namespace {

constexpr int kMaximumThreads = 256;
constexpr int kMaximumStrengthImages = 1'000'000;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// The coordinator fills in every default; what is missing here is a mistake.
absl::Status CheckComplete(const google::protobuf::Message& message, absl::string_view path) {
  const auto& reflection = *message.GetReflection();
  const auto& descriptor = *message.GetDescriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const auto* field = descriptor.field(i);
    if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (field->has_presence() && !reflection.HasField(message, field)) {
      return Invalid(path, ".", field->name(), " is missing");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckRange(absl::string_view what, double value, double low, double high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return Invalid(what, " is ", value, "; it must be ", low, " to ", high);
}

absl::Status CheckRecipe(const v1::Recipe& recipe, int side) {
  SQUISH_RETURN_IF_ERROR(CheckComplete(recipe, "recipe"));
  SQUISH_RETURN_IF_ERROR(CheckRange("recipe.epochs", recipe.epochs(), 0, 1e6));
  SQUISH_RETURN_IF_ERROR(CheckRange("recipe.batch", recipe.batch(), 1, 65'536));
  SQUISH_RETURN_IF_ERROR(CheckRange("recipe.learning_rate", recipe.learning_rate(), 0, 1e6));
  SQUISH_RETURN_IF_ERROR(
      CheckRange("recipe.final_learning_rate", recipe.final_learning_rate(), 0, 1e6));
  SQUISH_RETURN_IF_ERROR(CheckRange("recipe.warmup_epochs", recipe.warmup_epochs(), 0, 1e6));
  SQUISH_RETURN_IF_ERROR(CheckRange("recipe.momentum", recipe.momentum(), 0, 1));
  SQUISH_RETURN_IF_ERROR(CheckRange("recipe.weight_decay", recipe.weight_decay(), 0, 1e6));
  SQUISH_RETURN_IF_ERROR(CheckRange("recipe.label_smoothing", recipe.label_smoothing(), 0, 1));
  SQUISH_RETURN_IF_ERROR(CheckRange("recipe.gradient_clip", recipe.gradient_clip(), 0, 1e12));
  SQUISH_RETURN_IF_ERROR(CheckRange("recipe.dropout", recipe.dropout(), 0, 0.999));
  SQUISH_RETURN_IF_ERROR(CheckRange("recipe.shift", recipe.shift(), 0, side - 1));
  SQUISH_RETURN_IF_ERROR(CheckRange("recipe.crop_area", recipe.crop_area(), 0.05, 1));
  SQUISH_RETURN_IF_ERROR(CheckRange("recipe.colour", recipe.colour(), 0, 1));
  if (recipe.precision() != v1::Recipe::FP32 && recipe.precision() != v1::Recipe::BF16) {
    return Invalid("recipe.precision is ", static_cast<int>(recipe.precision()),
                   "; it must be FP32 or BF16");
  }
  if (!recipe.has_distillation()) return absl::OkStatus();
  const v1::Distillation& distillation = recipe.distillation();
  SQUISH_RETURN_IF_ERROR(CheckComplete(distillation, "recipe.distillation"));
  SQUISH_RETURN_IF_ERROR(CheckRange("recipe.distillation.weight", distillation.weight(), 0, 1));
  return CheckRange("recipe.distillation.temperature", distillation.temperature(), 1e-3, 1e6);
}

bool SamePixels(const v1::Preprocessing& a, const v1::Preprocessing& b) {
  return std::equal(a.mean().begin(), a.mean().end(), b.mean().begin(), b.mean().end()) &&
         std::equal(a.std().begin(), a.std().end(), b.std().begin(), b.std().end());
}

absl::Status CheckTeacher(const TrainingTask& task, const DatasetCache& data) {
  if (task.teacher.has_value() != task.job.recipe().has_distillation()) {
    return Invalid(task.teacher.has_value() ? "there is a teacher, but no recipe.distillation"
                                            : "recipe.distillation is set, but there is no teacher");
  }
  if (!task.teacher.has_value()) return absl::OkStatus();
  SQUISH_RETURN_IF_ERROR(Annotate(CheckNetwork(*task.teacher, data), "the teacher"));
  if (!SamePixels(task.teacher->preprocessing, task.network.preprocessing)) {
    return Invalid("the teacher: its mean and std are not the network's");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckTask(const TrainingTask& task, const DatasetCache& data) {
  const v1::TrainJob& job = task.job;
  SQUISH_RETURN_IF_ERROR(CheckFingerprint(data, job.dataset_fingerprint()));
  for (const v1::Split split : {v1::TRAIN, v1::SELECTION}) {
    SQUISH_RETURN_IF_ERROR(CheckSplit(data, split));
  }
  SQUISH_RETURN_IF_ERROR(CheckRecipe(job.recipe(), data.image_size()));
  SQUISH_RETURN_IF_ERROR(CheckRange("threads", job.threads(), 1, kMaximumThreads));
  SQUISH_RETURN_IF_ERROR(
      CheckRange("strength_images", job.strength_images(), 0, kMaximumStrengthImages));
  SQUISH_RETURN_IF_ERROR(Annotate(CheckNetwork(task.network, data), "the network"));
  SQUISH_RETURN_IF_ERROR(CheckTeacher(task, data));
  if (job.device() == v1::TrainingSpec::CUDA && !CudaAvailable()) {
    return absl::FailedPreconditionError("the job wants CUDA, and this machine has none");
  }
  return absl::OkStatus();
}

}  // namespace squish
