#include "common/spec/defaults.h"

#include "common/spec/experiment_spec.h"

// Sets FIELD of MESSAGE unless it is there.
#define SQUISH_DEFAULT(message, field, value) \
  if (!(message).has_##field()) (message).set_##field(value)

namespace squish {
namespace {

void FillEnvironment(v1::EnvironmentSpec& environment) {
  SQUISH_DEFAULT(environment, resource_factor, 0.928);
  SQUISH_DEFAULT(environment, final_resource_factor, environment.resource_factor());
  SQUISH_DEFAULT(environment, calibration, v1::EnvironmentSpec::BUDGET);
  SQUISH_DEFAULT(environment, resource, v1::EnvironmentSpec::PARAMETERS);
  if (environment.has_closed_loop()) {
    SQUISH_DEFAULT(*environment.mutable_closed_loop(), least_resource_factor, 0.7);
  }
  for (v1::Constraint& constraint : *environment.mutable_constraints()) {
    SQUISH_DEFAULT(constraint, scheduled, true);
    SQUISH_DEFAULT(constraint, beside, 0);
  }
}

// A strategy that has its own way of ranking filters, or none, says so in the spec.
void FillRanking(v1::ExperimentSpec::Strategy strategy, v1::SynthesisSpec& synthesis) {
  const bool by_magnitude = strategy == v1::ExperimentSpec::NETADAPT;
  const bool by_weights = by_magnitude || strategy == v1::ExperimentSpec::L1_PRUNE ||
                          strategy == v1::ExperimentSpec::RANDOM ||
                          strategy == v1::ExperimentSpec::UNIFORM_WIDTH_FROM_SCRATCH;
  SQUISH_DEFAULT(synthesis, strength,
                 by_magnitude ? v1::SynthesisSpec::L2
                 : by_weights ? v1::SynthesisSpec::L1
                              : v1::SynthesisSpec::TAYLOR);
  SQUISH_DEFAULT(synthesis, ranking,
                 by_weights ? v1::SynthesisSpec::LAYER : v1::SynthesisSpec::GLOBAL);
}

void FillSynthesis(v1::ExperimentSpec::Strategy strategy, v1::SynthesisSpec& synthesis) {
  SQUISH_DEFAULT(synthesis, selectivity, 0.1);
  SQUISH_DEFAULT(synthesis, truncation, 0);
  SQUISH_DEFAULT(synthesis, inheritance, v1::SynthesisSpec::INHERIT);
  SQUISH_DEFAULT(synthesis, minimum_filters, 4);
  SQUISH_DEFAULT(synthesis, filter_multiple, 1);
  SQUISH_DEFAULT(synthesis, strength_images, 1024);
  SQUISH_DEFAULT(synthesis, mates, 1);
  if (synthesis.mates() > 1) SQUISH_DEFAULT(synthesis, tagging, 0.5);
  SQUISH_DEFAULT(synthesis, mates_from, v1::SynthesisSpec::SELECTED);
  SQUISH_DEFAULT(synthesis, draw, v1::SynthesisSpec::SAMPLED);
  if (synthesis.has_synapses()) SQUISH_DEFAULT(*synthesis.mutable_synapses(), keep, 0.9);
  const bool compares_layers = strategy == v1::ExperimentSpec::EVOLUTION &&
                               synthesis.ranking() == v1::SynthesisSpec::GLOBAL;
  if (compares_layers || synthesis.has_multipliers()) {
    SQUISH_DEFAULT(*synthesis.mutable_multipliers(), share, v1::EnvironmentSpec::PARAMETERS);
    SQUISH_DEFAULT(*synthesis.mutable_multipliers(), exponent, 0.5);
    SQUISH_DEFAULT(*synthesis.mutable_multipliers(), spread, 0);
  }
}

void FillTraining(v1::TrainingSpec& training) {
  FillDefaults(*training.mutable_ancestor());
  FillDefaults(*training.mutable_offspring());
  if (training.has_final()) FillDefaults(*training.mutable_final());
  for (v1::TrainingSpec::Rung& rung : *training.mutable_halving()) {
    SQUISH_DEFAULT(rung, epochs, 0.25);
    SQUISH_DEFAULT(rung, keep, 1);
  }
  SQUISH_DEFAULT(training, cancel_infeasible, false);
  SQUISH_DEFAULT(training, share_finals, false);
  SQUISH_DEFAULT(training, threads, 1);
  SQUISH_DEFAULT(training, device, v1::TrainingSpec::CPU);
}

void FillAncestor(v1::ExperimentSpec& spec) {
  v1::AncestorSpec& ancestor = *spec.mutable_ancestor();
  if (ancestor.has_squeezenet_v1_1()) {
    SQUISH_DEFAULT(*ancestor.mutable_squeezenet_v1_1(), width, 1);
  }
  if (ancestor.has_imported()) {
    v1::ImportedSqueezeNet& imported = *ancestor.mutable_imported();
    if (imported.mean().empty() && imported.std().empty()) {
      for (const float mean : {0.485f, 0.456f, 0.406f}) imported.add_mean(mean);
      for (const float std : {0.229f, 0.224f, 0.225f}) imported.add_std(std);
    }
  }
  // A branch begins with an individual as it is: trained already.
  if (ancestor.has_branch()) {
    SQUISH_DEFAULT(*spec.mutable_training()->mutable_ancestor(), epochs, 0);
  }
}

void FillSelection(v1::SelectionSpec& selection) {
  SQUISH_DEFAULT(selection, method, v1::SelectionSpec::COMMA);
  SQUISH_DEFAULT(selection, stop_after, 0);
}

void FillRetry(v1::RetrySpec& retry) {
  SQUISH_DEFAULT(retry, lost_runners, 8);
  SQUISH_DEFAULT(retry, failures, 3);
  SQUISH_DEFAULT(retry, invalid_measurements, 5);
}

}  // namespace

void FillDefaults(v1::MeasurementSpec& measurement, int input_size, bool profile) {
  SQUISH_DEFAULT(measurement, fitness, v1::MeasurementSpec::MEASURED);
  SQUISH_DEFAULT(measurement, batch, 1);
  SQUISH_DEFAULT(measurement, input_size, input_size);
  SQUISH_DEFAULT(measurement, threads, 1);
  SQUISH_DEFAULT(measurement, minimum_seconds, 0.3);
  SQUISH_DEFAULT(measurement, minimum_blocks, 8);
  SQUISH_DEFAULT(measurement, warmup_seconds, 0.1);
  SQUISH_DEFAULT(measurement, maximum_spread, 0.05);
  SQUISH_DEFAULT(measurement, time_limit_seconds, 60);
  SQUISH_DEFAULT(measurement, profile, profile);
  for (v1::MeasurementSpec::Beside& beside : *measurement.mutable_beside()) {
    SQUISH_DEFAULT(beside, batch, measurement.batch());
    SQUISH_DEFAULT(beside, champions, false);
  }
}

void FillDefaults(v1::Recipe& recipe) {
  SQUISH_DEFAULT(recipe, epochs, 2);
  SQUISH_DEFAULT(recipe, batch, 64);
  SQUISH_DEFAULT(recipe, learning_rate, 0.02);
  SQUISH_DEFAULT(recipe, final_learning_rate, 0);
  SQUISH_DEFAULT(recipe, warmup_epochs, 0.2);
  SQUISH_DEFAULT(recipe, momentum, 0.9);
  SQUISH_DEFAULT(recipe, weight_decay, 0.0002);
  SQUISH_DEFAULT(recipe, label_smoothing, 0);
  SQUISH_DEFAULT(recipe, gradient_clip, 2);
  SQUISH_DEFAULT(recipe, dropout, 0.5);
  SQUISH_DEFAULT(recipe, flip, true);
  SQUISH_DEFAULT(recipe, shift, 4);
  SQUISH_DEFAULT(recipe, crop_area, 1);
  SQUISH_DEFAULT(recipe, colour, 0);
  SQUISH_DEFAULT(recipe, precision, v1::Recipe::FP32);
  if (recipe.has_distillation()) {
    SQUISH_DEFAULT(*recipe.mutable_distillation(), weight, 0.25);
    SQUISH_DEFAULT(*recipe.mutable_distillation(), temperature, 2);
  }
}

void FillDefaults(v1::ExperimentSpec& spec) {
  SQUISH_DEFAULT(spec, seed, 1);
  SQUISH_DEFAULT(spec, generations, 15);
  SQUISH_DEFAULT(spec, strategy, v1::ExperimentSpec::EVOLUTION);
  const bool by_chance = spec.strategy() == v1::ExperimentSpec::EVOLUTION ||
                         spec.strategy() == v1::ExperimentSpec::RANDOM;
  const bool by_layer = spec.strategy() == v1::ExperimentSpec::NETADAPT;
  SQUISH_DEFAULT(spec, offspring, by_chance || by_layer ? 8 : 1);
  SQUISH_DEFAULT(spec, parents, by_chance ? 2 : 1);
  if (spec.has_dataset() && spec.dataset().resize() == v1::RESIZE_RULE_UNSPECIFIED) {
    spec.mutable_dataset()->set_resize(v1::SQUASH);
  }
  if (spec.dataset().has_image_folder()) {
    SQUISH_DEFAULT(*spec.mutable_dataset()->mutable_image_folder(), maximum_unreadable, 0.01);
  }
  if (spec.has_ancestor()) FillAncestor(spec);
  FillEnvironment(*spec.mutable_environment());
  FillRanking(spec.strategy(), *spec.mutable_synthesis());
  FillSynthesis(spec.strategy(), *spec.mutable_synthesis());
  FillTraining(*spec.mutable_training());
  FillDefaults(*spec.mutable_measurement(), spec.dataset().input_size(), CountsTime(spec));
  FillSelection(*spec.mutable_selection());
  FillRetry(*spec.mutable_retry());
  SQUISH_DEFAULT(spec, only_report_sizes, false);
  SQUISH_DEFAULT(spec, maximum_images, 0);
  SQUISH_DEFAULT(spec, weight, 1);
  SQUISH_DEFAULT(*spec.mutable_retention(), generations, 2);
  SQUISH_DEFAULT(*spec.mutable_retention(), everything, false);
  if (spec.exports().batches().empty()) spec.mutable_exports()->add_batches(1);
}

}  // namespace squish

#undef SQUISH_DEFAULT
