#include "coordinator/evolution/estimate.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/spec/experiment_spec.h"
#include "common/spec/planned_images.h"
#include "coordinator/evolution/champions.h"

namespace squish {
namespace {

// A champion is handed out as .safetensors, TorchScript and ONNX with any batch, beside
// those with a fixed one.
constexpr int kFilesOfAnyBatch = 3;
constexpr double kTeacherShare = 1.0 / 3;

class Sum {
 public:
  Sum(const v1::ExperimentSpec& spec, const EstimateBasis& basis) : spec_(spec), basis_(basis) {}

  // One generation's trainings, of one network after the other in each slot.
  void Add(const v1::Recipe& recipe, int generation, int networks) {
    if (basis_.train_images < 1) return;
    const auto images = static_cast<double>(PlannedImages(recipe, basis_.train_images));
    images_ += images * networks;
    const double first = static_cast<double>(basis_.first.macs);
    const int rounds = (networks + std::max(basis_.slots, 1) - 1) / std::max(basis_.slots, 1);
    work_ += rounds * TrainingWork(images, first * SizeShare(generation),
                                   recipe.has_distillation() ? first : 0);
  }
  void AddFiles(int generation, int files) {
    bytes_ += static_cast<double>(basis_.first.bytes) * SizeShare(generation) * files;
  }

  double images() const { return images_; }
  double work() const { return work_; }  // Of the slot that works longest.
  double bytes() const { return bytes_; }

 private:
  double SizeShare(int generation) const {
    if (spec_.environment().calibration() != v1::EnvironmentSpec::BUDGET) return 1;
    const bool counts_macs = spec_.environment().resource() == v1::EnvironmentSpec::MACS;
    const auto start =
        static_cast<double>(counts_macs ? basis_.first.macs : basis_.first.parameters);
    if (!(start > 0)) return 1;
    return TargetBudget(spec_, start, std::min(generation, spec_.generations())) / start;
  }

  const v1::ExperimentSpec& spec_;
  const EstimateBasis& basis_;
  double images_ = 0, work_ = 0, bytes_ = 0;
};

}  // namespace

int64_t KnownTrainImages(const v1::DatasetSpec& dataset) {
  return dataset.has_built_in() ? dataset.built_in().train_images() * int64_t{4} / 5 : 0;
}

absl::Status CheckImages(const v1::ExperimentSpec& spec, int64_t train_images) {
  if (spec.maximum_images() == 0 || train_images < 1) return absl::OkStatus();
  EstimateBasis basis;
  basis.train_images = train_images;
  const int64_t images = EstimateCost(spec, basis).images();
  if (images <= spec.maximum_images()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "maximum_images: is ", spec.maximum_images(), ", and the plan trains on up to ", images,
      " images (", train_images, " in an epoch); raise it, or lower generations, offspring, "
      "epochs, or the number of report_megabytes"));
}

double TrainingWork(double images, double student_macs, double teacher_macs) {
  return images * (student_macs + kTeacherShare * teacher_macs);
}

v1::EstimateResponse EstimateCost(const v1::ExperimentSpec& spec, const EstimateBasis& basis) {
  const int individuals = 1 + spec.generations() * spec.offspring();
  const int champions = MostChampions(spec);
  const int finals = spec.training().has_final() ? champions : 0;
  v1::EstimateResponse estimate;
  estimate.set_synthesize_jobs(individuals);
  int trainings = spec.offspring();  // Of a generation, in all rungs.
  for (const v1::TrainingSpec::Rung& rung : spec.training().halving()) trainings += rung.keep();
  estimate.set_train_jobs(1 + spec.generations() * trainings + finals);
  if (spec.measurement().fitness() == v1::MeasurementSpec::MEASURED) {
    int measurements = individuals;
    for (const v1::MeasurementSpec::Beside& beside : spec.measurement().beside()) {
      measurements += beside.champions() ? champions : individuals;
    }
    estimate.set_measure_jobs(measurements);
  }
  estimate.set_evaluate_jobs(champions);
  estimate.set_export_jobs(champions);

  Sum sum(spec, basis);
  sum.Add(spec.training().ancestor(), 0, 1);
  sum.AddFiles(0, 2);  // As born and as trained.
  for (int g = 1; g <= spec.generations(); ++g) {
    int networks = spec.offspring();
    sum.AddFiles(g, networks);
    for (const v1::TrainingSpec::Rung& rung : spec.training().halving()) {
      v1::Recipe recipe = spec.training().offspring();
      recipe.set_epochs(rung.epochs());
      sum.Add(recipe, g, networks);
      sum.AddFiles(g, networks);
      networks = rung.keep();
    }
    sum.Add(spec.training().offspring(), g, networks);
    sum.AddFiles(g, networks);
  }
  if (finals > 0) sum.Add(spec.training().final(), spec.generations(), finals);
  sum.AddFiles(spec.generations(),
               champions * (kFilesOfAnyBatch + spec.exports().batches_size()));
  estimate.set_images(std::llround(sum.images()));
  estimate.set_disk_bytes(std::llround(sum.bytes()));
  if (basis.train_images > 0 && basis.slots > 0 && basis.macs_per_second.has_value()) {
    estimate.set_hours(sum.work() / *basis.macs_per_second / 3600);
  }
  return estimate;
}

}  // namespace squish
