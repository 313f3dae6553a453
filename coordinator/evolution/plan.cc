#include "coordinator/evolution/plan.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/sha256.h"
#include "common/spec/experiment_spec.h"
#include "coordinator/evolution/champions.h"
#include "coordinator/evolution/environment.h"
#include "coordinator/evolution/final_plan.h"
#include "coordinator/evolution/halving.h"
#include "coordinator/evolution/job_parts.h"
#include "coordinator/evolution/selection.h"

namespace squish {
namespace {

// The seed of all synthesis. A network that is given as ancestor was itself drawn,
// maybe under this very seed: its clusters survived by numbers that must not be used
// again, or they would survive again. So its digest goes into the seed.
uint64_t SynthesisSeed(const v1::ExperimentSpec& spec) {
  const std::string& start = StartNetwork(spec);
  if (start.empty()) return spec.seed();
  Sha256 hash;
  hash.UpdateString("synthesis");
  hash.UpdateUint64(spec.seed());
  hash.UpdateString(start);
  return std::move(hash).First64Bits();
}

// Whether filters are ranked by what pictures tell of them.
bool WantsStrengths(const v1::ExperimentSpec& spec) {
  return spec.synthesis().strength() == v1::SynthesisSpec::TAYLOR ||
         spec.synthesis().strength() == v1::SynthesisSpec::ACTIVATION;
}

// Makes the jobs of one open generation.
class JobMaker {
 public:
  JobMaker(const v1::ExperimentSpec& spec, const v1::DatasetSummary& dataset,
           const v1::EvolutionSummary& summary, int generation)
      : spec_(spec), dataset_(dataset), summary_(summary), generation_(generation) {}

  int generation() const { return generation_; }

  v1::Job Synthesize(int index) const {
    v1::Job job = KeyedJob(generation_, index, v1::JobKey::SYNTHESIZE);
    v1::SynthesizeJob& work = *job.mutable_synthesize();
    work.set_seed(SynthesisSeed(spec_));
    *work.mutable_class_names() = dataset_.class_names();
    *work.mutable_synthesis() = spec_.synthesis();
    *work.mutable_environment() = spec_.environment();
    work.set_macs_input_size(spec_.measurement().input_size());
    work.set_strategy(spec_.strategy());
    if (OrdersEngineFiles(spec_, summary_, generation_)) {
      *work.mutable_engine_files() = OrderOfEngineFiles(spec_, dataset_, generation_);
    }
    if (generation_ == 0) {
      *work.mutable_ancestor() = spec_.ancestor();
      // To the worker an individual of another experiment is a network like any other.
      if (spec_.ancestor().has_branch()) {
        work.mutable_ancestor()->set_network_digest(StartNetwork(spec_));
      }
      DescribePreprocessing(*work.mutable_preprocessing());
      return job;
    }
    for (const v1::Individual* parent : Parents(spec_, summary_, index)) {
      v1::ParentNetwork& network = *work.add_parents();
      *network.mutable_name() = parent->name();
      network.set_artifact(parent->trained_artifact());
      network.set_strengths(parent->strengths_artifact());
      if (CountsTime(spec_)) *network.mutable_profile() = parent->profile();
    }
    if (work.parents().empty()) DescribePreprocessing(*work.mutable_preprocessing());
    const NextEnvironment environment = EnvironmentAfter(spec_, summary_);
    work.mutable_environment()->set_resource_factor(environment.resource_factor);
    work.set_target_budget(environment.budget);
    return job;
  }

  // Of a rung from 1 on, or the training that counts: from `network` on.
  v1::Job Train(int index, int rung, const std::string& start) const {
    v1::Job job = KeyedJob(generation_, index, v1::JobKey::TRAIN);
    job.mutable_key()->set_rung(rung);
    v1::TrainJob& work = *job.mutable_train();
    const v1::TrainingSpec& training = spec_.training();
    FillTraining(spec_, dataset_, generation_ == 0 ? training.ancestor() : training.offspring(),
                 work);
    work.set_network(start);
    if (rung > 0) {
      const double epochs = spec_.training().halving(rung - 1).epochs();
      work.mutable_recipe()->set_epochs(epochs);
      work.mutable_recipe()->set_warmup_epochs(std::min(epochs, work.recipe().warmup_epochs()));
    }
    if (work.recipe().has_distillation()) {
      const bool by_parent = work.recipe().distillation().teacher() == v1::Distillation::PARENT;
      work.set_teacher(by_parent ? Parents(spec_, summary_, index)[0]->trained_artifact()
                                 : AncestorAsTeacher(spec_, summary_));
    }
    if (WantsStrengths(spec_) && rung == 0) {
      work.set_strength_images(spec_.synthesis().strength_images());
    }
    work.set_seed(TrainingSeed(rung == 0 ? "training" : absl::StrCat("rung ", rung), spec_.seed(),
                               generation_, index));
    return job;
  }

  // Needs the born network only: speed depends on the architecture alone. `beside` as in
  // MeasurementOf; one from 1 on needs the measurement itself.
  v1::Job Measure(int index, const IndividualFacts& facts, int beside) const {
    v1::Job job = KeyedJob(generation_, index, v1::JobKey::MEASURE);
    job.mutable_key()->set_rung(beside);
    const v1::SynthesizeResult& born = *facts.synthesize;
    v1::Individual ancestor = summary_.ancestor();
    std::string device_class = summary_.device_class();
    const v1::EngineFiles* ancestor_files =
        summary_.has_ancestor_files() ? &summary_.ancestor_files() : nullptr;
    if (generation_ == 0) {
      ancestor_files = AncestorFiles(spec_, born);
      ancestor.set_born_artifact(born.artifact());
      ancestor.set_architecture_digest(born.architecture_digest());
      device_class = beside == 0 ? spec_.measurement().device_class()
                                 : facts.measure->setting().device_class();
    }
    *job.mutable_measure() = MeasurementOf(spec_, born.artifact(), born.architecture_digest(),
                                           ancestor, device_class, beside);
    AddEngineFiles(born.has_engine_files() ? &born.engine_files() : nullptr, ancestor_files,
                   *job.mutable_measure());
    return job;
  }

 private:
  void DescribePreprocessing(v1::Preprocessing& preprocessing) const {
    preprocessing.set_input_size(spec_.dataset().input_size());
    preprocessing.set_resize(spec_.dataset().resize());
    *preprocessing.mutable_mean() = dataset_.mean();
    *preprocessing.mutable_std() = dataset_.std();
  }

  const v1::ExperimentSpec& spec_;
  const v1::DatasetSummary& dataset_;
  const v1::EvolutionSummary& summary_;
  const int generation_;
};

// Why an evolution cannot go on from this ancestor; empty: it can.
std::string AncestorFailure(const v1::ExperimentSpec& spec, const IndividualFacts& facts) {
  if (facts.train.has_value() && facts.train->outcome() == v1::TrainResult::DIVERGED) {
    return absl::StrFormat(
        "the ancestor's training diverged (a loss or a weight was not finite): lower "
        "training.ancestor.learning_rate, now %g, or set its gradient_clip, now %g, and submit "
        "again",
        spec.training().ancestor().learning_rate(), spec.training().ancestor().gradient_clip());
  }
  std::vector<const v1::MeasureResult*> measurements;
  if (facts.measure.has_value()) measurements.push_back(&*facts.measure);
  for (const auto& [beside, result] : facts.beside) measurements.push_back(&result);
  for (const v1::MeasureResult* const result : measurements) {
    if (result->verdict() != v1::MeasureResult::UNSUPPORTED) continue;
    return absl::StrCat("the engine on ", result->setting().device_class(),
                        " refuses the ancestor, so nothing can be compared with it (",
                        absl::StrJoin(result->reasons(), "; "),
                        "): use another engine, or measurement.fitness: ESTIMATED");
  }
  return "";
}

// What the summary needs of an individual.
v1::Individual Remembered(v1::Individual individual) {
  individual.clear_birth();
  individual.clear_engine_files();
  return individual;
}

void NoteBest(const v1::Individual& individual, v1::EvolutionSummary& summary) {
  if (individual.state() != v1::Individual::EVALUATED) return;
  const bool first = !summary.has_smallest_bytes();
  summary.set_smallest_bytes(
      first ? individual.bytes() : std::min(summary.smallest_bytes(), individual.bytes()));
  summary.set_best_selection_accuracy(
      std::max(summary.best_selection_accuracy(), individual.selection_accuracy()));
  if (individual.has_ratio_to_ancestor()) {
    summary.set_best_ratio(std::max(summary.best_ratio(), individual.ratio_to_ancestor()));
  }
}

std::string PinnedDeviceClass(const v1::ExperimentSpec& spec, const IndividualFacts& ancestor) {
  if (!spec.measurement().device_class().empty() || !ancestor.measure.has_value()) {
    return spec.measurement().device_class();
  }
  return ancestor.measure->setting().device_class();
}

std::vector<v1::Individual> DescribeAll(const v1::ExperimentSpec& spec,
                                        const v1::EvolutionSummary& summary,
                                        const OpenGeneration& open, const Climb& climb) {
  std::vector<v1::Individual> individuals;
  for (int i = 0; i < static_cast<int>(open.individuals.size()); ++i) {
    v1::IndividualName name;
    name.set_generation(open.generation);
    name.set_index(i);
    IndividualFacts facts = open.individuals[i];
    const bool left_behind = !climb.goes_on[i];
    if (left_behind) facts.train.reset();
    individuals.push_back(DescribeIndividual(spec, summary, name, facts));
    v1::Individual& individual = individuals.back();
    if (left_behind && individual.state() != v1::Individual::DIVERGED) {
      individual.set_state(v1::Individual::UNTRAINED);
    }
  }
  return individuals;
}

void ChooseParents(const v1::ExperimentSpec& spec, const v1::Individual& ancestor,
                   Closing& closing) {
  v1::EvolutionSummary& summary = closing.summary;
  std::vector<v1::Individual> selected =
      SelectParents(spec, closing.individuals,
                    {summary.parents().begin(), summary.parents().end()}, ancestor);
  // With nobody to select the parents stay: their next offspring are others, and smaller.
  if (!selected.empty()) summary.clear_parents();
  for (v1::Individual& parent : selected) {
    if (parent.name().generation() == summary.closed_generation()) {
      closing.individuals[parent.name().index()].set_selected(true);
    }
    *summary.add_parents() = Remembered(std::move(parent));
  }
}

void CountUnmoved(v1::EvolutionSummary& summary) {
  const int closed = summary.closed_generation();
  const bool moved =
      std::any_of(summary.archive().begin(), summary.archive().end(),
                  [closed](const auto& member) { return member.name().generation() == closed; });
  summary.set_archive_unmoved(moved || closed == 0 ? 0 : summary.archive_unmoved() + 1);
}

// Whether the generation that was closed last is followed by champions.
bool IsLast(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary) {
  const int stop_after = spec.selection().stop_after();
  return summary.closed_generation() >= spec.generations() ||
         (stop_after > 0 && summary.archive_unmoved() >= stop_after);
}

Closing Close(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& before,
              const OpenGeneration& open, const Climb& climb) {
  Closing closing;
  closing.individuals = DescribeAll(spec, before, open, climb);
  closing.summary = before;
  closing.summary.set_closed_generation(open.generation);
  const bool first = open.generation == 0;
  if (first) closing.summary.set_device_class(PinnedDeviceClass(spec, open.individuals[0]));
  ChooseParents(spec, first ? closing.individuals[0] : before.ancestor(), closing);
  if (first) {
    *closing.summary.mutable_ancestor() = Remembered(closing.individuals[0]);
    const v1::EngineFiles* const files = AncestorFiles(spec, *open.individuals[0].synthesize);
    if (files != nullptr) *closing.summary.mutable_ancestor_files() = *files;
  }
  for (const v1::Individual& individual : closing.individuals) {
    NoteBest(individual, closing.summary);
  }
  ExtendArchive(spec, closing.individuals, closing.summary);
  CountUnmoved(closing.summary);
  if (!IsLast(spec, closing.summary)) return closing;
  for (v1::Champion& champion : ChooseChampions(spec, closing.summary)) {
    *closing.summary.add_champions() = std::move(champion);
  }
  closing.finished = closing.summary.champions().empty();
  return closing;
}

// The trainings of one that is born: each from where the one before has left it.
void WantTrainings(const JobMaker& make, int rungs, bool goes_on, int index,
                   const IndividualFacts& facts, std::vector<v1::Job>& wanted) {
  const std::string* start = &facts.synthesize->artifact();
  for (int rung = 1; rung <= rungs; ++rung) {
    wanted.push_back(make.Train(index, rung, *start));
    const auto trained = facts.rungs.find(rung);
    if (trained == facts.rungs.end()) return;
    start = &trained->second.artifact();
  }
  if (goes_on) wanted.push_back(make.Train(index, /*rung=*/0, *start));
}

// Of one that is born.
void WantMeasurements(const v1::ExperimentSpec& spec, const JobMaker& make, int index,
                      const IndividualFacts& facts, std::vector<v1::Job>& wanted) {
  wanted.push_back(make.Measure(index, facts, /*beside=*/0));
  if (!facts.measure.has_value() ||
      facts.measure->verdict() == v1::MeasureResult::UNSUPPORTED) {
    return;
  }
  for (int b = 1; b <= spec.measurement().beside_size(); ++b) {
    if (IsMeasuredBeside(spec, make.generation(), b)) {
      wanted.push_back(make.Measure(index, facts, b));
    }
  }
}

// Everything of one individual that trains in so many rungs and then goes on, or does not.
void Want(const v1::ExperimentSpec& spec, const JobMaker& make, int rungs, bool goes_on, int index,
          const IndividualFacts& facts, std::vector<v1::Job>& wanted) {
  wanted.push_back(make.Synthesize(index));
  if (!facts.synthesize.has_value()) return;
  WantTrainings(make, rungs, goes_on, index, facts, wanted);
  if (spec.measurement().fitness() == v1::MeasurementSpec::MEASURED) {
    WantMeasurements(spec, make, index, facts, wanted);
  }
}

bool IsComplete(const v1::ExperimentSpec& spec, int generation, const IndividualFacts& facts,
                bool goes_on) {
  return facts.synthesize.has_value() && (facts.train.has_value() || !goes_on) &&
         IsMeasured(spec, generation, facts);
}

}  // namespace

bool OrdersEngineFiles(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary,
                       int generation) {
  return spec.measurement().fitness() == v1::MeasurementSpec::MEASURED &&
         (generation == 0 || summary.has_ancestor_files());
}

const std::string& StartNetwork(const v1::ExperimentSpec& spec) {
  return spec.ancestor().has_branch() ? spec.ancestor().branch().network()
                                      : spec.ancestor().network_digest();
}

Plan MakePlan(const v1::ExperimentSpec& spec, const v1::DatasetSummary& dataset,
              const v1::EvolutionSummary& summary, const OpenGeneration& open) {
  assert(static_cast<int>(open.individuals.size()) ==
         GenerationSize(spec, summary, open.generation));
  if (IsOfChampions(summary, open.generation)) return MakeFinalPlan(spec, dataset, summary, open);
  const JobMaker make(spec, dataset, summary, open.generation);
  const Climb climb = ClimbRungs(spec, summary, open);
  Plan plan;
  bool complete = climb.decided;
  for (int i = 0; i < static_cast<int>(open.individuals.size()); ++i) {
    const IndividualFacts& facts = open.individuals[i];
    Want(spec, make, climb.rungs[i], climb.goes_on[i], i, facts, plan.wanted);
    complete = complete && IsComplete(spec, open.generation, facts, climb.goes_on[i]);
  }
  if (open.generation == 0) plan.failed = AncestorFailure(spec, open.individuals[0]);
  if (complete && plan.failed.empty()) plan.closing = Close(spec, summary, open, climb);
  return plan;
}

bool IsApart(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary, int generation) {
  return generation > 0 && spec.training().halving().empty() &&
         !spec.training().cancel_infeasible() && !IsOfChampions(summary, generation);
}

std::vector<v1::Job> WantedOf(const v1::ExperimentSpec& spec, const v1::DatasetSummary& dataset,
                              const v1::EvolutionSummary& summary, const OpenGeneration& open,
                              int index) {
  assert(IsApart(spec, summary, open.generation));
  std::vector<v1::Job> wanted;
  Want(spec, JobMaker(spec, dataset, summary, open.generation), /*rungs=*/0, /*goes_on=*/true,
       index, open.individuals[index], wanted);
  return wanted;
}

bool IsSettled(const v1::ExperimentSpec& spec, int generation, const IndividualFacts& facts) {
  return IsComplete(spec, generation, facts, /*goes_on=*/true);
}

}  // namespace squish
