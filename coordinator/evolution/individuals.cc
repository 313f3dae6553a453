// Individuals as facts tell them, their parents, and the digest of a population.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/sha256.h"
#include "coordinator/evolution/job_parts.h"
#include "coordinator/evolution/plan.h"

namespace squish {
namespace {

v1::Individual::State StateOf(const v1::ExperimentSpec& spec, int generation,
                              const IndividualFacts& facts) {
  if (!facts.synthesize.has_value()) return v1::Individual::SYNTHESIZING;
  const auto diverged = [](const v1::TrainResult& result) {
    return result.outcome() == v1::TrainResult::DIVERGED;
  };
  for (const auto& [rung, result] : facts.rungs) {
    if (diverged(result)) return v1::Individual::DIVERGED;
  }
  if (facts.train.has_value() && diverged(*facts.train)) return v1::Individual::DIVERGED;
  if (!facts.train.has_value() || !IsMeasured(spec, generation, facts)) {
    return v1::Individual::TRAINING;
  }
  const auto refused = [](const v1::MeasureResult& result) {
    return result.verdict() == v1::MeasureResult::UNSUPPORTED;
  };
  if (facts.measure.has_value() && refused(*facts.measure)) return v1::Individual::UNSUPPORTED;
  for (const auto& [beside, result] : facts.beside) {
    if (refused(result)) return v1::Individual::UNSUPPORTED;
  }
  return v1::Individual::EVALUATED;
}

void DescribeBirth(const v1::SynthesizeResult& result, v1::Individual& individual) {
  individual.set_genome_digest(result.genome_digest());
  individual.set_architecture_digest(result.architecture_digest());
  individual.set_weights_digest(result.weights_digest());
  individual.set_born_artifact(result.artifact());
  individual.set_parameters(result.parameters());
  individual.set_macs(result.macs());
  individual.set_bytes(result.bytes());
  individual.set_synapses(result.synapses());
  *individual.mutable_birth() = result.birth();
}

void AddEffort(const v1::TrainResult& result, v1::Individual& individual) {
  individual.set_images_seen(individual.images_seen() + result.images_seen());
  individual.set_training_seconds(individual.training_seconds() + result.wall_seconds());
  individual.set_step_seconds(individual.step_seconds() + result.step_seconds());
}

void DescribeTraining(const v1::TrainResult& result, v1::Individual& individual) {
  AddEffort(result, individual);
  if (result.outcome() != v1::TrainResult::TRAINED) return;
  individual.set_weights_digest(result.weights_digest());
  individual.set_trained_artifact(result.artifact());
  individual.set_strengths_artifact(result.strengths());
  individual.set_selection_accuracy(result.selection_accuracy());
  individual.set_selection_log_loss(result.selection_log_loss());
}

// Of one processor; empty where it is not known. Rounded, so that individuals whose clocks
// were the same are seen to be.
std::string ClockOf(const char* processor, bool fixed, double highest_megahertz) {
  if (!(highest_megahertz > 0)) return "";
  if (!fixed) return absl::StrCat(", ", processor, " clock not fixed");
  return absl::StrFormat(", %s at %.3g GHz", processor, highest_megahertz / 1e3);
}

std::string ClocksOf(const v1::BoardReport& board) {
  const std::string clocks = absl::StrCat(
      ClockOf("CPU", board.info().cpu_clock_fixed(), board.during().cpu_highest_megahertz()),
      ClockOf("GPU", board.info().gpu_clock_fixed(), board.during().gpu_highest_megahertz()));
  const std::string& mode = board.before().power_mode();
  return absl::StrCat(clocks.empty() ? ", clocks not known" : clocks,
                      mode.empty() ? "" : absl::StrCat(", power mode ", mode));
}

std::string MeasuredOn(const v1::MeasureResult& result) {
  const v1::MeasurementSetting& setting = result.setting();
  return absl::StrCat(setting.device_class(), ", ", setting.engine(), ", ", setting.precision(),
                      ", batch ", setting.batch(), ", ", setting.threads(),
                      setting.threads() == 1 ? " thread" : " threads",
                      result.has_board() ? ClocksOf(result.board()) : "",
                      setting.synthetic() ? ", not measured on hardware" : "");
}

// Whether it is the unit of ratios.
bool IsAncestor(const v1::ExperimentSpec& spec, const v1::Individual& individual) {
  return individual.name().generation() == 0 && !spec.ancestor().has_branch();
}

void DescribeSpeed(const v1::ExperimentSpec& spec, const v1::MeasureResult& result,
                   v1::Individual& individual) {
  individual.set_measured_on(MeasuredOn(result));
  if (result.verdict() != v1::MeasureResult::VALID) return;
  *individual.mutable_profile() = result.profile();
  individual.set_images_per_second(result.images_per_second());
  individual.set_ratio_to_ancestor(IsAncestor(spec, individual) ? 1.0 : result.ratio());
  if (result.board().has_energy()) {
    individual.set_images_per_joule(result.board().energy().images_per_joule());
  }
}

void DescribeSpeedBeside(const v1::ExperimentSpec& spec, int beside,
                         const v1::MeasureResult& result, v1::Individual& individual) {
  v1::Speed& speed = *individual.add_beside();
  speed.set_beside(beside);
  speed.set_measured_on(MeasuredOn(result));
  if (result.verdict() != v1::MeasureResult::VALID) return;
  speed.set_images_per_second(result.images_per_second());
  speed.set_ratio_to_ancestor(IsAncestor(spec, individual) ? 1.0 : result.ratio());
}

void EstimateSpeed(const v1::ExperimentSpec& spec, const v1::Individual& first,
                   v1::Individual& individual) {
  const bool is_ancestor = IsAncestor(spec, individual);
  if (!is_ancestor && individual.macs() <= 0) return;
  const int64_t unit =
      spec.ancestor().has_branch() ? spec.ancestor().branch().ancestor_macs() : first.macs();
  individual.set_measured_on("estimated from MACs");
  individual.set_ratio_to_ancestor(
      is_ancestor ? 1.0 : static_cast<double>(unit) / static_cast<double>(individual.macs()));
}

// The selected one of that rank, then members of the archive, from the latest back; `turn` is
// where they begin, so that offspring of one parent differ.
std::vector<const v1::Individual*> WithElders(int mates, const v1::EvolutionSummary& summary,
                                              int rank, int turn) {
  const v1::Individual& first = summary.parents(rank);
  std::vector<const v1::Individual*> elders;
  for (const v1::Individual& member : summary.archive()) {
    const bool is_first = member.name().generation() == first.name().generation() &&
                          member.name().index() == first.name().index();
    if (!is_first) elders.push_back(&member);
  }
  std::stable_sort(elders.begin(), elders.end(), [](const auto* a, const auto* b) {
    return std::make_pair(-a->name().generation(), a->name().index()) <
           std::make_pair(-b->name().generation(), b->name().index());
  });
  std::vector<const v1::Individual*> parents = {&first};
  const size_t count = elders.size();
  for (size_t k = 0; k + 1 < static_cast<size_t>(mates) && k < count; ++k) {
    parents.push_back(elders[(static_cast<size_t>(turn) + k) % count]);
  }
  return parents;
}

}  // namespace

void DescribeBeside(const v1::ExperimentSpec& spec, const IndividualFacts& facts,
                    v1::Individual& individual) {
  for (const auto& [beside, result] : facts.beside) {
    DescribeSpeedBeside(spec, beside, result, individual);
  }
}

bool IsOfChampions(const v1::EvolutionSummary& summary, int generation) {
  return !summary.champions().empty() && generation > summary.closed_generation();
}

int GenerationSize(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary,
                   int generation) {
  if (IsOfChampions(summary, generation)) return summary.champions_size();
  return generation == 0 ? 1 : spec.offspring();
}

std::vector<const v1::Individual*> Parents(const v1::ExperimentSpec& spec,
                                           const v1::EvolutionSummary& summary, int index) {
  const int selected = summary.parents_size();
  if (selected == 0 || spec.strategy() == v1::ExperimentSpec::UNIFORM_WIDTH_FROM_SCRATCH) {
    return {};
  }
  const int first = index % selected;
  if (spec.synthesis().mates_from() == v1::SynthesisSpec::ARCHIVE) {
    return WithElders(spec.synthesis().mates(), summary, first, index / selected);
  }
  const int others = selected - 1;
  std::vector<int> ranks = {first};
  for (int k = 1; k < std::min(spec.synthesis().mates(), selected); ++k) {
    const int step = (index / selected + k - 1) % others + 1;
    ranks.push_back((first + step) % selected);
  }
  std::sort(ranks.begin(), ranks.end());
  std::vector<const v1::Individual*> parents;
  for (const int rank : ranks) parents.push_back(&summary.parents(rank));
  return parents;
}

v1::Individual DescribeIndividual(const v1::ExperimentSpec& spec,
                                  const v1::EvolutionSummary& summary, v1::IndividualName name,
                                  const IndividualFacts& facts) {
  v1::Individual individual;
  const int index = name.index();
  *individual.mutable_name() = std::move(name);
  for (const v1::Individual* parent : Parents(spec, summary, index)) {
    *individual.add_parents() = parent->name();
  }
  individual.set_state(StateOf(spec, individual.name().generation(), facts));
  if (facts.synthesize.has_value()) {
    DescribeBirth(*facts.synthesize, individual);
    if (MeasuresChampions(spec) && facts.synthesize->has_engine_files()) {
      *individual.mutable_engine_files() = facts.synthesize->engine_files();
    }
    if (spec.measurement().fitness() == v1::MeasurementSpec::ESTIMATED) {
      EstimateSpeed(spec, summary.ancestor(), individual);
    }
  }
  for (const auto& [rung, result] : facts.rungs) AddEffort(result, individual);
  if (facts.train.has_value()) DescribeTraining(*facts.train, individual);
  if (facts.measure.has_value()) DescribeSpeed(spec, *facts.measure, individual);
  DescribeBeside(spec, facts, individual);
  return individual;
}

std::string PopulationDigest(const std::vector<v1::Individual>& individuals) {
  Sha256 hash;
  const auto add_name = [&hash](const v1::IndividualName& name) {
    hash.UpdateUint64(static_cast<uint64_t>(name.generation()));
    hash.UpdateUint64(static_cast<uint64_t>(name.index()));
  };
  for (const v1::Individual& individual : individuals) {
    add_name(individual.name());
    hash.UpdateUint64(static_cast<uint64_t>(individual.parents_size()));
    for (const v1::IndividualName& parent : individual.parents()) add_name(parent);
    hash.UpdateString(individual.genome_digest());
    hash.UpdateString(individual.weights_digest());
    hash.UpdateString(v1::Individual::State_Name(individual.state()));
  }
  return std::move(hash).HexDigest();
}

}  // namespace squish
