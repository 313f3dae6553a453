#include "common/spec/older.h"

namespace squish {
namespace {

// Before strengths could be chosen: L1 in each layer, of one parent.
void CompleteSynthesis(v1::SynthesisSpec& synthesis) {
  if (synthesis.has_strength()) return;
  synthesis.set_strength(v1::SynthesisSpec::L1);
  synthesis.set_ranking(v1::SynthesisSpec::LAYER);
  synthesis.set_strength_images(1024);  // Not looked at.
  synthesis.set_mates(1);
}

}  // namespace

void CompleteOlder(v1::ExperimentSpec& spec) {
  CompleteSynthesis(*spec.mutable_synthesis());
  if (!spec.synthesis().has_mates_from()) {
    spec.mutable_synthesis()->set_mates_from(v1::SynthesisSpec::SELECTED);
  }
  if (!spec.synthesis().has_draw()) {
    spec.mutable_synthesis()->set_draw(v1::SynthesisSpec::SAMPLED);
  }
  v1::EnvironmentSpec& environment = *spec.mutable_environment();
  for (v1::Constraint& constraint : *environment.mutable_constraints()) {
    if (!constraint.has_beside()) constraint.set_beside(0);
  }
  if (!environment.has_final_resource_factor()) {
    environment.set_final_resource_factor(environment.resource_factor());
  }
  if (!spec.has_strategy()) spec.set_strategy(v1::ExperimentSpec::EVOLUTION);
  if (!spec.measurement().has_profile()) spec.mutable_measurement()->set_profile(false);
  // Before filters were compared by what they cost: c_l^0.
  v1::SynthesisSpec& synthesis = *spec.mutable_synthesis();
  if (!synthesis.has_multipliers() && spec.strategy() == v1::ExperimentSpec::EVOLUTION &&
      synthesis.ranking() == v1::SynthesisSpec::GLOBAL) {
    synthesis.mutable_multipliers()->set_share(v1::EnvironmentSpec::PARAMETERS);
    synthesis.mutable_multipliers()->set_exponent(0);
  }
  if (synthesis.has_multipliers() && !synthesis.multipliers().has_spread()) {
    synthesis.mutable_multipliers()->set_spread(0);
  }
  if (!spec.has_only_report_sizes()) spec.set_only_report_sizes(false);
  if (!spec.has_maximum_images()) spec.set_maximum_images(0);
  if (!spec.has_weight()) spec.set_weight(1);
  if (!spec.training().has_share_finals()) spec.mutable_training()->set_share_finals(false);
  if (!spec.has_retention()) {  // From before anything was removed.
    spec.mutable_retention()->set_generations(2);
    spec.mutable_retention()->set_everything(true);
  }
  v1::SelectionSpec& selection = *spec.mutable_selection();
  if (!selection.has_method()) selection.set_method(v1::SelectionSpec::COMMA);
  if (!selection.has_stop_after()) selection.set_stop_after(0);
}

void CompleteOlder(v1::SynthesizeJob& job) {
  CompleteSynthesis(*job.mutable_synthesis());
  if (job.strategy() == v1::ExperimentSpec::STRATEGY_UNSPECIFIED) {
    job.set_strategy(v1::ExperimentSpec::EVOLUTION);
  }
}

}  // namespace squish
