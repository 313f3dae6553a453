#include "tests/unit/synthesis/synthesis_fixtures.h"

#include <algorithm>
#include <utility>

#include "common/base/exact_math.h"
#include "common/base/random.h"
#include "common/genome/ancestors.h"
#include "common/genome/cost.h"
#include "tests/support/random_genome.h"
#include "worker/synthesis/mating.h"

namespace squish {

Network TrainedLike(Network network, uint64_t seed) {
  for (const int layer : network.genome.convs()) {
    const RandomStream stream(RandomDomain::kAugmentation, {seed, static_cast<uint64_t>(layer)});
    std::vector<float>& values =
        network.weights.at(network.genome.layer(layer).name + ".weight").values;
    const size_t synapses = values.size() / network.genome.conv(layer).lineage.size();
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] *= static_cast<float>(ExactExp(0.5 * stream.Normal(i / synapses)));
    }
  }
  return network;
}

Network TrainedSqueezeNet(double width) {
  return TrainedLike(RandomNetwork(*SqueezeNetV11(10, width), 1), 2);
}

v1::SynthesizeJob ChildJob(const Network& parent) {
  v1::SynthesizeJob job;
  job.set_seed(7);
  job.add_parents()->set_artifact("parent");
  job.mutable_class_names()->Assign(parent.class_names.begin(), parent.class_names.end());
  job.mutable_synthesis()->set_selectivity(1.0);
  job.mutable_synthesis()->set_truncation(0.0);
  job.mutable_synthesis()->set_inheritance(v1::SynthesisSpec::INHERIT);
  job.mutable_synthesis()->set_minimum_filters(4);
  job.mutable_synthesis()->set_filter_multiple(1);
  job.mutable_synthesis()->set_strength(v1::SynthesisSpec::L1);
  job.mutable_synthesis()->set_ranking(v1::SynthesisSpec::LAYER);
  job.mutable_synthesis()->set_mates(1);
  job.mutable_environment()->set_resource_factor(0.9);
  job.mutable_environment()->set_calibration(v1::EnvironmentSpec::BUDGET);
  job.mutable_environment()->set_resource(v1::EnvironmentSpec::PARAMETERS);
  job.set_target_budget(0.9 * CountParameters(parent.genome));
  job.set_macs_input_size(64);
  job.set_strategy(v1::ExperimentSpec::EVOLUTION);
  *job.mutable_preprocessing() = parent.preprocessing;
  return job;
}

v1::JobKey Key(int generation, int index) {
  v1::JobKey key;
  key.set_generation(generation);
  key.set_index(index);
  key.set_kind(v1::JobKey::SYNTHESIZE);
  return key;
}

absl::StatusOr<Offspring> SynthesizeChild(const v1::SynthesizeJob& job, const v1::JobKey& key,
                                          const Network& parent) {
  const Parent of_weights{parent, std::nullopt};
  return Synthesize(job, key, {&of_weights, 1}, nullptr);
}

std::vector<GroupOdds> OddsOfWeights(const Network& parent, const v1::SynthesisSpec& spec,
                                     const Multipliers& multipliers) {
  const std::vector<Parent> parents = {{parent, std::nullopt}};
  const auto candidate = Mate(parents, spec, 1, Key(1, 0));
  return OddsOf(parent.genome, candidate->strengths, spec, multipliers);
}

}  // namespace squish
