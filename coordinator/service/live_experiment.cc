#include "coordinator/service/live_experiment.h"

namespace squish {

void LiveExperiment::Open(int generation) {
  const int size = GenerationSize(spec(), stored.summary, generation);
  open.generation = generation;
  open.individuals.assign(size, {});
  settled = 0;
  individuals.assign(finishing() ? 0 : size, {});
  champions.assign(finishing() ? size : 0, {});
  durations.clear();
}

v1::Experiment Describe(const LiveExperiment& experiment) {
  v1::Experiment described = experiment.stored.experiment;
  described.set_generation(experiment.generation());
  described.set_finishing(experiment.finishing());
  described.set_device_class(experiment.SettingOf(0) != nullptr
                                 ? experiment.SettingOf(0)->device_class()
                                 : experiment.spec().measurement().device_class());
  std::vector<v1::Individual> all = experiment.closed;
  all.insert(all.end(), experiment.individuals.begin(), experiment.individuals.end());
  described.set_population_digest(PopulationDigest(all));
  return described;
}

v1::Experiment DescribeEnded(const StoredExperiment& stored) {
  v1::Experiment described = stored.experiment;
  const bool all_closed = described.state() == v1::Experiment::SUCCEEDED ||
                          !stored.summary.champions().empty();
  described.set_generation(stored.summary.closed_generation() + (all_closed ? 0 : 1));
  described.set_device_class(stored.summary.device_class().empty()
                                 ? described.spec().measurement().device_class()
                                 : stored.summary.device_class());
  return described;
}

v1::Individual DigestPart(const v1::Individual& individual) {
  v1::Individual part;
  *part.mutable_name() = individual.name();
  *part.mutable_parents() = individual.parents();
  part.set_state(individual.state());
  part.set_genome_digest(individual.genome_digest());
  part.set_weights_digest(individual.weights_digest());
  return part;
}

}  // namespace squish
