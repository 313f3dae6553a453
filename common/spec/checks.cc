#include "common/spec/checks.h"

#include <algorithm>
#include <cmath>
#include <google/protobuf/generated_enum_reflection.h>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/sha256.h"
#include "common/base/text.h"
#include "common/spec/experiment_spec.h"

namespace squish {
namespace {

// Collects the first problem. A prefix stands for the message that is looked at.
class Checker {
 public:
  std::optional<SpecProblem> Take() && { return std::move(problem_); }

  void Fail(absl::string_view field, std::string message) {
    if (!problem_.has_value()) problem_ = SpecProblem{std::string(field), std::move(message)};
  }

  void Require(bool holds, absl::string_view field, absl::string_view message) {
    if (!holds) Fail(field, std::string(message));
  }

  // NaN and infinity are in no range.
  void Range(double value, double low, double high, absl::string_view field) {
    if (!(value >= low && value <= high)) {
      Fail(field, absl::StrCat("is ", value, "; it must be from ", low, " to ", high));
    }
  }

  void Positive(double value, double high, absl::string_view field) {
    if (!(value > 0 && value <= high)) {
      Fail(field, absl::StrCat("is ", value, "; it must be above 0 and at most ", high));
    }
  }

 private:
  std::optional<SpecProblem> problem_;
};

// Whether this version knows the value of an enum, and it is not the unspecified one.
template <typename Enum>
bool IsKnown(Enum value) {
  return value != 0 &&
         google::protobuf::GetEnumDescriptor<Enum>()->FindValueByNumber(value) != nullptr;
}

bool IsName(absl::string_view name, size_t longest) {
  return !name.empty() && name.size() <= longest &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

// What agents call themselves; empty stands for any.
bool IsDeviceClass(absl::string_view name) {
  return name.size() <= 128 &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~'; });
}

void CheckDataset(const v1::ExperimentSpec& spec, Checker& checker) {
  if (!spec.has_dataset()) {
    checker.Fail("dataset", "is missing; say what to train on, e.g. dataset { name: \"shapes\" "
                            "input_size: 32 built_in { seed: 1 train_images: 4000 val_images: 1000 } }");
    return;
  }
  const v1::DatasetSpec& dataset = spec.dataset();
  checker.Require(IsName(dataset.name(), 64), "dataset.name",
                  "must be 1 to 64 of a-z, 0-9 and '-'; workers know the data under this name "
                  "(worker --data NAME=DIR)");
  checker.Range(dataset.input_size(), 8, 1024, "dataset.input_size");
  checker.Require(
      dataset.resize() == v1::SQUASH || dataset.resize() == v1::SHORT_SIDE_CENTER_CROP,
      "dataset.resize", "must be SQUASH or SHORT_SIDE_CENTER_CROP");
  switch (dataset.source_case()) {
    case v1::DatasetSpec::kBuiltIn:
      checker.Range(dataset.built_in().train_images(), 100, 1'000'000,
                    "dataset.built_in.train_images");
      checker.Range(dataset.built_in().val_images(), 100, 1'000'000, "dataset.built_in.val_images");
      break;
    case v1::DatasetSpec::kCifar10:
      break;
    case v1::DatasetSpec::kImageFolder:
      checker.Range(dataset.image_folder().maximum_unreadable(), 0, 1,
                    "dataset.image_folder.maximum_unreadable");
      break;
    case v1::DatasetSpec::SOURCE_NOT_SET:
      checker.Fail("dataset", "has no source; add image_folder { }, cifar10 { } or built_in { … }");
  }
}

void CheckFreeText(const std::string& text, absl::string_view field, Checker& checker) {
  constexpr size_t kLongest = 4096;
  checker.Require(text.size() <= kLongest, field,
                  absl::StrCat("has ", text.size(), " bytes; shorten it to ", kLongest));
  checker.Require(IsUtf8(text), field, "is not UTF-8; write it so");
}

void CheckImported(const v1::ImportedSqueezeNet& imported, Checker& checker) {
  const std::string path = "ancestor.imported";
  checker.Require(!imported.digest().empty() || !imported.file().empty(), path,
                  "names no weights; add file: \"squeezenet1_1.safetensors\"");
  checker.Require(imported.digest().empty() || IsSha256Hex(imported.digest()), path + ".digest",
                  "must be the SHA-256 of an uploaded file: 64 lower-case hex digits, as "
                  "'squishctl upload FILE' prints it");
  checker.Require(imported.mean_size() == 3, path + ".mean",
                  "must be three numbers (R, G, B), or left out together with std");
  checker.Require(imported.std_size() == 3, path + ".std",
                  "must be three numbers (R, G, B), or left out together with mean");
  for (const float mean : imported.mean()) checker.Range(mean, -1, 2, path + ".mean");
  for (const float std : imported.std()) checker.Positive(std, 10, path + ".std");
  CheckFreeText(imported.file(), path + ".file", checker);
  CheckFreeText(imported.licence(), path + ".licence", checker);
  CheckFreeText(imported.note(), path + ".note", checker);
}

void CheckBranch(const v1::BranchPoint& branch, Checker& checker) {
  checker.Require(IsName(branch.experiment(), 128), "ancestor.branch.experiment",
                  "must be an experiment's id, as 'squishctl list' shows it");
  checker.Range(branch.individual().generation(), 0, 1000,
                "ancestor.branch.individual.generation");
  checker.Range(branch.individual().index(), 0, 1000, "ancestor.branch.individual.index");
}

void CheckAncestor(const v1::ExperimentSpec& spec, Checker& checker) {
  switch (spec.ancestor().start_case()) {
    case v1::AncestorSpec::kSqueezenetV11:
      checker.Positive(spec.ancestor().squeezenet_v1_1().width(), 1,
                       "ancestor.squeezenet_v1_1.width");
      break;
    case v1::AncestorSpec::kNetworkDigest:
      checker.Require(IsSha256Hex(spec.ancestor().network_digest()), "ancestor.network_digest",
                      "must be the SHA-256 of an uploaded network: 64 lower-case hex digits, as "
                      "'squishctl upload FILE' prints it");
      break;
    case v1::AncestorSpec::kImported:
      CheckImported(spec.ancestor().imported(), checker);
      break;
    case v1::AncestorSpec::kBranch:
      CheckBranch(spec.ancestor().branch(), checker);
      break;
    case v1::AncestorSpec::START_NOT_SET:
      checker.Fail("ancestor", "is missing; say where to start, e.g. ancestor { squeezenet_v1_1 { } }");
  }
}

void CheckConstraint(const v1::Constraint& constraint, const std::string& field, Checker& checker) {
  constexpr double kLargest = 1e6;
  switch (constraint.demand_case()) {
    case v1::Constraint::kMaxMegabytes:
      checker.Positive(constraint.max_megabytes(), kLargest, field + ".max_megabytes");
      break;
    case v1::Constraint::kMinRatioToAncestor:
      checker.Positive(constraint.min_ratio_to_ancestor(), kLargest,
                       field + ".min_ratio_to_ancestor");
      break;
    case v1::Constraint::kMinImagesPerSecond:
      checker.Positive(constraint.min_images_per_second(), 1e9, field + ".min_images_per_second");
      break;
    case v1::Constraint::kMinAccuracy:
      checker.Positive(constraint.min_accuracy(), 1, field + ".min_accuracy");
      break;
    case v1::Constraint::DEMAND_NOT_SET:
      checker.Fail(field, "demands nothing; add max_megabytes, min_ratio_to_ancestor, "
                          "min_images_per_second or min_accuracy");
  }
}

void CheckClosedLoop(const v1::EnvironmentSpec& environment, Checker& checker) {
  const v1::ClosedLoop& loop = environment.closed_loop();
  const std::string path = "environment.closed_loop";
  checker.Positive(loop.least_resource_factor(), 1, path + ".least_resource_factor");
  checker.Require(environment.calibration() == v1::EnvironmentSpec::BUDGET, path,
                  "follows a budget, which calibration: LITERAL does not have; use BUDGET");
  switch (loop.target_case()) {
    case v1::ClosedLoop::kRatioToAncestor:
      checker.Positive(loop.ratio_to_ancestor(), 1000, path + ".ratio_to_ancestor");
      checker.Require(loop.ratio_to_ancestor() > 1, path + ".ratio_to_ancestor",
                      absl::StrCat("is ", loop.ratio_to_ancestor(),
                                   ", which the ancestor itself has; make it more than 1"));
      break;
    case v1::ClosedLoop::kMegabytes:
      checker.Positive(loop.megabytes(), 1e6, path + ".megabytes");
      checker.Require(environment.resource() == v1::EnvironmentSpec::PARAMETERS,
                      path + ".megabytes", "counts parameters; set resource: PARAMETERS");
      break;
    case v1::ClosedLoop::TARGET_NOT_SET:
      checker.Fail(path, "has no target; add ratio_to_ancestor or megabytes");
  }
}

// Which speed a constraint is about.
void CheckBeside(const v1::ExperimentSpec& spec, const v1::Constraint& constraint,
                 const std::string& field, Checker& checker) {
  if (constraint.beside() == 0) return;
  const auto& beside = spec.measurement().beside();
  checker.Require(constraint.has_min_ratio_to_ancestor() || constraint.has_min_images_per_second(),
                  field + ".beside",
                  "says which speed is meant, and the demand is about none; remove it");
  if (constraint.beside() < 0 || constraint.beside() > beside.size()) {
    checker.Fail(field + ".beside",
                 absl::StrCat("is ", constraint.beside(), ", and measurement.beside has ",
                              beside.size(), " entries; name one of them, or 0"));
    return;
  }
  checker.Require(!beside[constraint.beside() - 1].champions(), field + ".beside",
                  "names a measurement of champions alone, by which nobody is selected; set "
                  "its champions: false");
}

void CheckEnvironment(const v1::ExperimentSpec& spec, Checker& checker) {
  const v1::EnvironmentSpec& environment = spec.environment();
  checker.Positive(environment.resource_factor(), 1, "environment.resource_factor");
  checker.Positive(environment.final_resource_factor(), 1, "environment.final_resource_factor");
  checker.Require(environment.calibration() == v1::EnvironmentSpec::LITERAL ||
                      environment.calibration() == v1::EnvironmentSpec::BUDGET,
                  "environment.calibration", "must be LITERAL or BUDGET");
  checker.Require(IsKnown(environment.resource()), "environment.resource",
                  "must be PARAMETERS, MACS or TIME");
  if (environment.has_closed_loop()) CheckClosedLoop(environment, checker);
  for (int i = 0; i < environment.constraints_size(); ++i) {
    const std::string field = absl::StrCat("environment.constraints[", i, "]");
    const v1::Constraint& constraint = environment.constraints(i);
    CheckConstraint(constraint, field, checker);
    CheckBeside(spec, constraint, field, checker);
    const bool about_speed = constraint.has_min_images_per_second();
    if (about_speed && spec.measurement().fitness() == v1::MeasurementSpec::ESTIMATED) {
      checker.Fail(field, "asks for images/s, which an ESTIMATED fitness does not have; use "
                          "min_ratio_to_ancestor, or measurement { fitness: MEASURED }");
    }
  }
}

void CheckMates(const v1::ExperimentSpec& spec, Checker& checker) {
  const v1::SynthesisSpec& synthesis = spec.synthesis();
  checker.Range(synthesis.mates(), 1, 16, "synthesis.mates");
  const bool of_archive = synthesis.mates_from() == v1::SynthesisSpec::ARCHIVE;
  checker.Require(of_archive || synthesis.mates() <= spec.parents(), "synthesis.mates",
                  absl::StrCat("is ", synthesis.mates(), ", more than parents (", spec.parents(),
                               "), of which they are taken; make it less, or those more"));
  checker.Require(synthesis.shares().empty() || synthesis.shares_size() == synthesis.mates(),
                  "synthesis.shares",
                  absl::StrCat("has ", synthesis.shares_size(), " numbers for ",
                               synthesis.mates(), " mates; give one for each, or none"));
  checker.Require(synthesis.mates_from() == v1::SynthesisSpec::SELECTED ||
                      synthesis.mates_from() == v1::SynthesisSpec::ARCHIVE,
                  "synthesis.mates_from", "must be SELECTED or ARCHIVE");
  checker.Require(synthesis.mates_from() != v1::SynthesisSpec::ARCHIVE || synthesis.mates() > 1,
                  "synthesis.mates_from",
                  "says where further parents come from, and an offspring has one; set "
                  "synthesis.mates, or remove it");
  for (int i = 0; i < synthesis.shares_size(); ++i) {
    checker.Positive(synthesis.shares(i), 1e6, absl::StrCat("synthesis.shares[", i, "]"));
  }
  if (!synthesis.has_tagging()) return;
  checker.Positive(synthesis.tagging(), 1, "synthesis.tagging");
  checker.Require(synthesis.mates() > 1, "synthesis.tagging",
                  "compares parents, and an offspring has one; set synthesis.mates, or remove it");
}

void CheckSynthesis(const v1::ExperimentSpec& spec, Checker& checker) {
  const v1::SynthesisSpec& synthesis = spec.synthesis();
  checker.Range(synthesis.selectivity(), 0.01, 100, "synthesis.selectivity");
  checker.Range(synthesis.truncation(), 0, 1e6, "synthesis.truncation");
  checker.Require(synthesis.inheritance() == v1::SynthesisSpec::INHERIT ||
                      synthesis.inheritance() == v1::SynthesisSpec::REINITIALIZE,
                  "synthesis.inheritance", "must be INHERIT or REINITIALIZE");
  checker.Range(synthesis.minimum_filters(), 1, 65536, "synthesis.minimum_filters");
  checker.Range(synthesis.filter_multiple(), 1, 64, "synthesis.filter_multiple");
  checker.Require(IsKnown(synthesis.strength()),
                  "synthesis.strength", "must be L1, L2, TAYLOR or ACTIVATION");
  checker.Require(IsKnown(synthesis.ranking()), "synthesis.ranking",
                  "must be LAYER or GLOBAL");
  checker.Range(synthesis.strength_images(), 1, 1'000'000, "synthesis.strength_images");
  if (synthesis.has_multipliers()) {
    checker.Require(IsKnown(synthesis.multipliers().share()), "synthesis.multipliers.share",
                    "must be PARAMETERS, MACS or TIME");
    checker.Range(synthesis.multipliers().exponent(), 0, 4, "synthesis.multipliers.exponent");
    checker.Range(synthesis.multipliers().spread(), 0, 4, "synthesis.multipliers.spread");
  }
  checker.Require(IsKnown(synthesis.draw()), "synthesis.draw",
                  "must be SAMPLED, FIRST_MOST_PROBABLE or MOST_PROBABLE");
  if (synthesis.has_synapses()) {
    checker.Positive(synthesis.synapses().keep(), 1, "synthesis.synapses.keep");
    checker.Require(synthesis.inheritance() == v1::SynthesisSpec::INHERIT, "synthesis.synapses",
                    "are drawn by the weights that are inherited; set inheritance: INHERIT");
  }
  CheckMates(spec, checker);
}

// Strategies that decide for themselves what a spec would decide otherwise.
void CheckStrategy(const v1::ExperimentSpec& spec, Checker& checker) {
  using Spec = v1::ExperimentSpec;
  const Spec::Strategy strategy = spec.strategy();
  const std::string& name = Spec::Strategy_Name(strategy);
  checker.Require(IsKnown(strategy), "strategy",
                  "must be EVOLUTION, L1_PRUNE, TAYLOR_PRUNE, NETADAPT, RANDOM or "
                  "UNIFORM_WIDTH_FROM_SCRATCH");
  const v1::SynthesisSpec& synthesis = spec.synthesis();
  const auto fixed = [&](bool holds, absl::string_view field, absl::string_view value) {
    checker.Require(holds, field,
                    absl::StrCat("must be ", value, " for strategy ", name, "; leave it out"));
  };
  if (strategy == Spec::L1_PRUNE) {
    fixed(synthesis.strength() == v1::SynthesisSpec::L1, "synthesis.strength", "L1");
    fixed(synthesis.ranking() == v1::SynthesisSpec::LAYER, "synthesis.ranking", "LAYER");
  }
  if (strategy == Spec::TAYLOR_PRUNE) {
    fixed(synthesis.strength() == v1::SynthesisSpec::TAYLOR, "synthesis.strength", "TAYLOR");
    fixed(synthesis.ranking() == v1::SynthesisSpec::GLOBAL, "synthesis.ranking", "GLOBAL");
  }
  checker.Require(!synthesis.has_multipliers() || strategy == Spec::EVOLUTION ||
                      strategy == Spec::TAYLOR_PRUNE,
                  "synthesis.multipliers",
                  absl::StrCat("compares the filters of layers, which strategy ", name,
                               " does not; remove it"));
  if (synthesis.draw() != v1::SynthesisSpec::SAMPLED) {
    checker.Require(strategy == Spec::EVOLUTION, "synthesis.draw",
                    absl::StrCat("is of strategy EVOLUTION; remove it for ", name));
    const std::string& draw = v1::SynthesisSpec::Draw_Name(synthesis.draw());
    checker.Require(spec.environment().calibration() == v1::EnvironmentSpec::BUDGET,
                    "environment.calibration", absl::StrCat("must be BUDGET with draw: ", draw));
    checker.Require(synthesis.filter_multiple() == 1, "synthesis.filter_multiple",
                    absl::StrCat("must be 1 with draw: ", draw));
    // With LAYER ranking the strongest of a layer all have P = 1: T -> 0 says nothing of how
    // much a layer loses.
    checker.Require(synthesis.ranking() == v1::SynthesisSpec::GLOBAL, "synthesis.draw",
                    absl::StrCat("is ", draw, ", which compares filters of all layers; set "
                                              "synthesis.ranking: GLOBAL, or remove it"));
    checker.Require(synthesis.draw() != v1::SynthesisSpec::MOST_PROBABLE ||
                        spec.offspring() <= spec.parents() || synthesis.multipliers().spread() > 0,
                    "synthesis.draw",
                    "makes offspring of one parent alike where chance has no part in the layers; "
                    "set synthesis.multipliers.spread, or draw: FIRST_MOST_PROBABLE");
  }
  if (strategy == Spec::EVOLUTION || strategy == Spec::RANDOM) return;
  fixed(synthesis.filter_multiple() == 1, "synthesis.filter_multiple", "1");
  fixed(spec.environment().calibration() == v1::EnvironmentSpec::BUDGET,
        "environment.calibration", "BUDGET");
  if (strategy == Spec::NETADAPT) {
    fixed(synthesis.ranking() == v1::SynthesisSpec::LAYER, "synthesis.ranking", "LAYER");
    checker.Require(spec.parents() == 1, "parents",
                    "must be 1 for strategy NETADAPT, which goes on from the best; leave it out");
    return;
  }
  checker.Require(spec.offspring() == 1 && spec.parents() == 1, "offspring",
                  absl::StrCat("and parents must be 1 for strategy ", name,
                               ", in which there is no chance: all would be alike"));
  checker.Require(spec.training().halving().empty(), "training.halving",
                  absl::StrCat("chooses among offspring, and strategy ", name,
                               " has one; remove it"));
  if (strategy != Spec::UNIFORM_WIDTH_FROM_SCRATCH) return;
  checker.Require(spec.environment().resource() != v1::EnvironmentSpec::TIME,
                  "environment.resource",
                  absl::StrCat("must be PARAMETERS or MACS: with strategy ", name,
                               " there are no parents whose layers are timed"));
  checker.Require(spec.training().offspring().distillation().teacher() !=
                      v1::Distillation::PARENT,
                  "training.offspring.distillation.teacher",
                  absl::StrCat("must be ANCESTOR: with strategy ", name, " there are no parents"));
}

void CheckRecipe(const v1::Recipe& recipe, const std::string& field, int input_size,
                 Checker& checker) {
  checker.Range(recipe.epochs(), 0, 10'000, field + ".epochs");
  checker.Range(recipe.batch(), 1, 4096, field + ".batch");
  checker.Positive(recipe.learning_rate(), 100, field + ".learning_rate");
  checker.Range(recipe.final_learning_rate(), 0, 100, field + ".final_learning_rate");
  checker.Require(recipe.final_learning_rate() <= recipe.learning_rate(),
                  field + ".final_learning_rate",
                  absl::StrCat("is ", recipe.final_learning_rate(),
                               ", more than learning_rate, the peak (", recipe.learning_rate(),
                               "); make it less"));
  checker.Range(recipe.warmup_epochs(), 0, 10'000, field + ".warmup_epochs");
  checker.Require(recipe.warmup_epochs() <= recipe.epochs() || recipe.epochs() == 0,
                  field + ".warmup_epochs",
                  absl::StrCat("is ", recipe.warmup_epochs(), ", more than epochs (",
                               recipe.epochs(), "); make it less"));
  checker.Range(recipe.momentum(), 0, 0.9999, field + ".momentum");
  checker.Range(recipe.weight_decay(), 0, 1, field + ".weight_decay");
  checker.Range(recipe.label_smoothing(), 0, 0.99, field + ".label_smoothing");
  checker.Range(recipe.gradient_clip(), 0, 1e6, field + ".gradient_clip");
  checker.Range(recipe.dropout(), 0, 0.999, field + ".dropout");
  checker.Range(recipe.shift(), 0, input_size - 1.0, field + ".shift");
  checker.Range(recipe.crop_area(), 0.05, 1, field + ".crop_area");
  checker.Range(recipe.colour(), 0, 1, field + ".colour");
  checker.Require(recipe.precision() == v1::Recipe::FP32 || recipe.precision() == v1::Recipe::BF16,
                  field + ".precision", "must be FP32 or BF16");
  if (!recipe.has_distillation()) return;
  const v1::Distillation& distillation = recipe.distillation();
  const std::string path = field + ".distillation";
  checker.Require(distillation.teacher() == v1::Distillation::ANCESTOR ||
                      distillation.teacher() == v1::Distillation::PARENT,
                  path + ".teacher", "must be ANCESTOR or PARENT");
  checker.Range(distillation.weight(), 0, 1, path + ".weight");
  checker.Positive(distillation.temperature(), 100, path + ".temperature");
}

void CheckHalving(const v1::ExperimentSpec& spec, Checker& checker) {
  const auto& rungs = spec.training().halving();
  checker.Require(rungs.size() <= 8, "training.halving", "has more than 8 rungs; name fewer");
  int in_rung = spec.offspring();
  for (int i = 0; i < rungs.size(); ++i) {
    const std::string field = absl::StrCat("training.halving[", i, "]");
    checker.Positive(rungs[i].epochs(), 10'000, field + ".epochs");
    checker.Range(rungs[i].keep(), 1, 1000, field + ".keep");
    checker.Require(rungs[i].keep() <= in_rung, field + ".keep",
                    absl::StrCat("is ", rungs[i].keep(), ", more than the ", in_rung,
                                 " that are trained in this rung; make it less"));
    checker.Require(rungs[i].keep() >= spec.parents(), field + ".keep",
                    absl::StrCat("is ", rungs[i].keep(), ", fewer than parents (", spec.parents(),
                                 "); make it more, or those fewer"));
    in_rung = rungs[i].keep();
  }
}

void CheckCancellation(const v1::ExperimentSpec& spec, Checker& checker) {
  if (!spec.training().cancel_infeasible()) return;
  const auto& constraints = spec.environment().constraints();
  checker.Require(std::any_of(constraints.begin(), constraints.end(),
                              [](const auto& one) { return !one.has_min_accuracy(); }),
                  "training.cancel_infeasible",
                  "goes by constraints that are known before a training, and there is none; add "
                  "environment { constraints { max_megabytes: … } } or another, or remove it");
}

void CheckTraining(const v1::ExperimentSpec& spec, Checker& checker) {
  const v1::TrainingSpec& training = spec.training();
  const int input_size = spec.dataset().input_size();
  CheckRecipe(training.ancestor(), "training.ancestor", input_size, checker);
  checker.Require(!training.ancestor().has_distillation(), "training.ancestor.distillation",
                  "has no teacher to learn from: the ancestor is the first network; remove it");
  CheckRecipe(training.offspring(), "training.offspring", input_size, checker);
  if (training.has_final()) {
    CheckRecipe(training.final(), "training.final", input_size, checker);
    checker.Require(training.final().distillation().teacher() != v1::Distillation::PARENT,
                    "training.final.distillation.teacher",
                    "must be ANCESTOR: a champion may have outgrown its parent");
  }
  CheckHalving(spec, checker);
  CheckCancellation(spec, checker);
  checker.Range(training.threads(), 1, 256, "training.threads");
  checker.Require(training.device() == v1::TrainingSpec::CPU ||
                      training.device() == v1::TrainingSpec::CUDA,
                  "training.device", "must be CPU or CUDA");
}

void CheckMeasurement(const v1::ExperimentSpec& spec, Checker& checker) {
  const v1::MeasurementSpec& measurement = spec.measurement();
  checker.Require(measurement.fitness() == v1::MeasurementSpec::MEASURED ||
                      measurement.fitness() == v1::MeasurementSpec::ESTIMATED,
                  "measurement.fitness", "must be MEASURED or ESTIMATED");
  const bool measured = measurement.fitness() == v1::MeasurementSpec::MEASURED;
  checker.Require(measured || !CountsTime(spec), "measurement.fitness",
                  "must be MEASURED: a resource is TIME, which only boards know");
  checker.Require(measured || !measurement.profile(), "measurement.profile",
                  "asks how long layers take, and with fitness: ESTIMATED nothing is measured");
  checker.Require(measurement.profile() || !CountsTime(spec), "measurement.profile",
                  "must be true where a resource is TIME; leave it out");
  checker.Require(measured || measurement.beside().empty(), "measurement.beside",
                  "asks for measurements, and with fitness: ESTIMATED nothing is measured");
  checker.Require(measurement.beside_size() <= 8, "measurement.beside",
                  "has more than 8 entries; name fewer");
  for (int i = 0; i < measurement.beside_size(); ++i) {
    const std::string field = absl::StrCat("measurement.beside[", i, "]");
    checker.Require(IsDeviceClass(measurement.beside(i).device_class()), field + ".device_class",
                    "must be at most 128 printable ASCII characters without spaces; leave it "
                    "out for the measurement's own");
    checker.Range(measurement.beside(i).batch(), 1, 1024, field + ".batch");
  }
  checker.Require(IsDeviceClass(measurement.device_class()), "measurement.device_class",
                  "must be at most 128 printable ASCII characters without spaces, e.g. "
                  "\"jetson-tx1/l4t-32.7\"; leave it out to take the first agent's");
  checker.Range(measurement.batch(), 1, 1024, "measurement.batch");
  checker.Range(measurement.input_size(), 8, 1024, "measurement.input_size");
  checker.Range(measurement.threads(), 1, 256, "measurement.threads");
  checker.Range(measurement.minimum_seconds(), 0, 3600, "measurement.minimum_seconds");
  checker.Range(measurement.minimum_blocks(), 2, 10'000, "measurement.minimum_blocks");
  checker.Range(measurement.warmup_seconds(), 0, 3600, "measurement.warmup_seconds");
  checker.Positive(measurement.maximum_spread(), 10, "measurement.maximum_spread");
  checker.Positive(measurement.time_limit_seconds(), 86'400, "measurement.time_limit_seconds");
  const double least = 2 * (measurement.minimum_seconds() + measurement.warmup_seconds());
  checker.Require(measurement.time_limit_seconds() >= least, "measurement.time_limit_seconds",
                  absl::StrCat("is ", measurement.time_limit_seconds(),
                               ", but minimum_seconds and warmup_seconds of two networks take ",
                               least, "; make it more, or those less"));
}

void CheckSelection(const v1::SelectionSpec& selection, Checker& checker) {
  checker.Require(selection.method() == v1::SelectionSpec::COMMA ||
                      selection.method() == v1::SelectionSpec::PLUS ||
                      selection.method() == v1::SelectionSpec::NSGA_II,
                  "selection.method", "must be COMMA, PLUS or NSGA_II");
  checker.Range(selection.stop_after(), 0, 1000, "selection.stop_after");
}

void CheckExports(const v1::ExportSpec& exports, Checker& checker) {
  checker.Require(exports.batches_size() <= 8, "exports.batches",
                  "asks for more than 8 files; name fewer");
  for (int i = 0; i < exports.batches_size(); ++i) {
    const std::string field = absl::StrCat("exports.batches[", i, "]");
    checker.Range(exports.batches(i), 1, 1024, field);
    const auto before = exports.batches().begin() + i;
    checker.Require(std::find(exports.batches().begin(), before, exports.batches(i)) == before,
                    field, "is there twice; name each batch once");
  }
}

}  // namespace

std::optional<SpecProblem> FindProblem(const v1::ExperimentSpec& spec) {
  Checker checker;
  checker.Require(IsName(spec.name(), 64), "name", "must be 1 to 64 of a-z, 0-9 and '-'");
  CheckDataset(spec, checker);
  CheckAncestor(spec, checker);
  checker.Range(spec.generations(), 0, 1000, "generations");
  checker.Range(spec.offspring(), 1, 1000, "offspring");
  checker.Range(spec.parents(), 1, 1000, "parents");
  checker.Require(spec.parents() <= spec.offspring(), "parents",
                  "is more than offspring; no more can be selected than were bred");
  CheckEnvironment(spec, checker);
  CheckSynthesis(spec, checker);
  CheckStrategy(spec, checker);
  CheckTraining(spec, checker);
  CheckMeasurement(spec, checker);
  CheckSelection(spec.selection(), checker);
  checker.Require(spec.report_megabytes_size() <= 32, "report_megabytes",
                  "asks for more than 32 sizes; name fewer");
  for (int i = 0; i < spec.report_megabytes_size(); ++i) {
    checker.Positive(spec.report_megabytes(i), 1e6, absl::StrCat("report_megabytes[", i, "]"));
  }
  checker.Require(!spec.only_report_sizes() || !spec.report_megabytes().empty(),
                  "only_report_sizes", "leaves no champion: there is no report_megabytes");
  checker.Range(static_cast<double>(spec.maximum_images()), 0, 1e15, "maximum_images");
  checker.Range(spec.retention().generations(), 1, 1000, "retention.generations");
  checker.Range(spec.weight(), 0.001, 1000, "weight");
  CheckExports(spec.exports(), checker);
  CheckFreeText(spec.data_terms(), "data_terms", checker);
  checker.Range(spec.retry().lost_runners(), 1, 1'000'000, "retry.lost_runners");
  checker.Range(spec.retry().failures(), 1, 1'000'000, "retry.failures");
  checker.Range(spec.retry().invalid_measurements(), 1, 1'000'000, "retry.invalid_measurements");
  return std::move(checker).Take();
}

}  // namespace squish
