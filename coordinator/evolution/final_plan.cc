#include "coordinator/evolution/final_plan.h"

#include <vector>

#include "common/spec/planned_images.h"
#include "coordinator/evolution/champions.h"
#include "coordinator/evolution/job_parts.h"

namespace squish {
namespace {

// Speeds of champions are what is quoted: one unlucky build of an engine must not decide them.
constexpr int kChampionsBuilds = 2;

// Makes the jobs of the champions' generation.
class FinalJobMaker {
 public:
  FinalJobMaker(const v1::ExperimentSpec& spec, const v1::DatasetSummary& dataset,
                const v1::EvolutionSummary& summary, int generation)
      : spec_(spec), dataset_(dataset), summary_(summary), generation_(generation) {}

  v1::Job Train(int index) const {
    v1::Job job = KeyedJob(generation_, index, v1::JobKey::TRAIN);
    v1::TrainJob& work = *job.mutable_train();
    const v1::Individual& individual = summary_.champions(index).individual();
    FillTraining(spec_, dataset_,
                 FinalRecipe(spec_, dataset_.train_images(), summary_.champions_size()), work);
    work.set_network(individual.trained_artifact());
    if (work.recipe().has_distillation()) work.set_teacher(AncestorAsTeacher(spec_, summary_));
    // Of the individual, not of its place among the champions, which hangs on the others.
    work.set_seed(TrainingSeed("final training", spec_.seed(), individual.name().generation(),
                               individual.name().index()));
    return job;
  }

  v1::Job Evaluate(int index, const std::string& network) const {
    v1::Job job = KeyedJob(generation_, index, v1::JobKey::EVALUATE);
    v1::EvaluateJob& work = *job.mutable_evaluate();
    work.set_network(network);
    *work.mutable_dataset() = spec_.dataset();
    work.set_dataset_fingerprint(dataset_.fingerprint());
    work.set_split(v1::VAL);
    work.set_threads(spec_.training().threads());
    work.set_device(spec_.training().device());
    return job;
  }

  v1::Job Measure(int index, int beside) const {
    const v1::Individual& individual = summary_.champions(index).individual();
    const bool has_files = individual.has_engine_files();
    v1::Job job = KeyedJob(generation_, index, v1::JobKey::MEASURE);
    job.mutable_key()->set_rung(beside);
    *job.mutable_measure() = MeasurementOf(
        spec_, has_files ? individual.born_artifact() : individual.trained_artifact(),
        individual.architecture_digest(), summary_.ancestor(), summary_.device_class(), beside);
    AddEngineFiles(has_files ? &individual.engine_files() : nullptr,
                   summary_.has_ancestor_files() ? &summary_.ancestor_files() : nullptr,
                   *job.mutable_measure());
    job.mutable_measure()->set_engine_builds(kChampionsBuilds);
    return job;
  }

  v1::Job Export(int index, const std::string& network) const {
    v1::Job job = KeyedJob(generation_, index, v1::JobKey::EXPORT);
    v1::ExportJob& work = *job.mutable_export_files();
    work.set_network(network);
    *work.mutable_dataset() = spec_.dataset();
    work.set_dataset_fingerprint(dataset_.fingerprint());
    *work.mutable_batches() = spec_.exports().batches();
    return job;
  }

 private:
  const v1::ExperimentSpec& spec_;
  const v1::DatasetSummary& dataset_;
  const v1::EvolutionSummary& summary_;
  const int generation_;
};

// Places in measurement.beside, from 1.
std::vector<int> OfChampionsAlone(const v1::ExperimentSpec& spec) {
  std::vector<int> places;
  for (int b = 1; b <= spec.measurement().beside_size(); ++b) {
    if (spec.measurement().beside(b - 1).champions()) places.push_back(b);
  }
  return places;
}

v1::Champion::State StateOf(const v1::ExperimentSpec& spec, const IndividualFacts& facts) {
  if (spec.training().has_final() && !facts.train.has_value()) return v1::Champion::TRAINING;
  if (!facts.evaluate.has_value() || !facts.export_files.has_value()) {
    return v1::Champion::FINISHING;
  }
  for (const int beside : OfChampionsAlone(spec)) {
    if (facts.beside.count(beside) == 0) return v1::Champion::FINISHING;
  }
  return v1::Champion::READY;
}

}  // namespace

v1::Recipe FinalRecipe(const v1::ExperimentSpec& spec, int64_t train_images, int champions) {
  v1::Recipe recipe = spec.training().final();
  if (!spec.training().share_finals() || recipe.epochs() == 0) return recipe;
  const int64_t steps = MostChampions(spec) * PlannedSteps(recipe, train_images) / champions;
  recipe.set_epochs(static_cast<double>(steps * recipe.batch()) /
                    static_cast<double>(train_images));
  return recipe;
}

v1::Champion DescribeChampion(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary,
                              int index, const IndividualFacts& facts) {
  v1::Champion champion = summary.champions(index);
  champion.set_state(StateOf(spec, facts));
  const v1::Individual& individual = champion.individual();
  DescribeBeside(spec, facts, *champion.mutable_individual());
  champion.set_artifact(individual.trained_artifact());
  champion.set_weights_digest(individual.weights_digest());
  champion.set_selection_accuracy(individual.selection_accuracy());
  champion.set_selection_log_loss(individual.selection_log_loss());
  if (facts.train.has_value()) {
    champion.set_final_images(facts.train->images_seen());
    champion.set_final_diverged(facts.train->outcome() == v1::TrainResult::DIVERGED);
    if (!champion.final_diverged()) {
      champion.set_artifact(facts.train->artifact());
      champion.set_weights_digest(facts.train->weights_digest());
      champion.set_selection_accuracy(facts.train->selection_accuracy());
      champion.set_selection_log_loss(facts.train->selection_log_loss());
    }
  }
  if (facts.evaluate.has_value()) {
    *champion.mutable_evaluation() = facts.evaluate->evaluation();
    champion.set_predictions(facts.evaluate->predictions());
  }
  if (facts.export_files.has_value()) *champion.mutable_files() = facts.export_files->files();
  return champion;
}

Plan MakeFinalPlan(const v1::ExperimentSpec& spec, const v1::DatasetSummary& dataset,
                   const v1::EvolutionSummary& summary, const OpenGeneration& open) {
  const FinalJobMaker make(spec, dataset, summary, open.generation);
  Plan plan;
  bool complete = true;
  for (int i = 0; i < static_cast<int>(open.individuals.size()); ++i) {
    const v1::Champion champion = DescribeChampion(spec, summary, i, open.individuals[i]);
    if (spec.training().has_final()) plan.wanted.push_back(make.Train(i));
    for (const int beside : OfChampionsAlone(spec)) plan.wanted.push_back(make.Measure(i, beside));
    if (champion.state() != v1::Champion::TRAINING) {
      plan.wanted.push_back(make.Evaluate(i, champion.artifact()));
      plan.wanted.push_back(make.Export(i, champion.artifact()));
    }
    complete = complete && champion.state() == v1::Champion::READY;
  }
  if (complete) plan.closing = Closing{{}, summary, /*finished=*/true};
  return plan;
}

}  // namespace squish
