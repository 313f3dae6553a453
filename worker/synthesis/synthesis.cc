#include "worker/synthesis/synthesis.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/random.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/genome/ancestors.h"
#include "common/genome/cost.h"
#include "worker/synthesis/budget.h"
#include "worker/synthesis/inheritance.h"
#include "worker/synthesis/mating.h"
#include "worker/synthesis/odds.h"
#include "worker/synthesis/pruning.h"
#include "worker/synthesis/survival.h"
#include "worker/synthesis/synapses.h"

namespace squish {
namespace {

bool IsResource(v1::EnvironmentSpec::Resource resource) {
  return resource >= v1::EnvironmentSpec::PARAMETERS && resource <= v1::EnvironmentSpec::TIME;
}

// A job's values come over the network: they are checked here, where they are used.
// `!(a <= x)` also catches NaN.
absl::Status CheckSpecs(const v1::SynthesisSpec& synthesis,
                        const v1::EnvironmentSpec& environment) {
  const auto bad = [](absl::string_view what) { return absl::InvalidArgumentError(what); };
  if (!(synthesis.selectivity() >= 0.01 && synthesis.selectivity() <= 100)) {
    return bad("selectivity must be 0.01 to 100");
  }
  if (!(synthesis.truncation() >= 0)) return bad("truncation must be at least 0");
  if (synthesis.minimum_filters() < 1) return bad("minimum_filters must be at least 1");
  if (synthesis.filter_multiple() < 1 || synthesis.filter_multiple() > 64) {
    return bad("filter_multiple must be 1 to 64");
  }
  if (synthesis.inheritance() != v1::SynthesisSpec::INHERIT &&
      synthesis.inheritance() != v1::SynthesisSpec::REINITIALIZE) {
    return bad("inheritance must be INHERIT or REINITIALIZE");
  }
  if (!(environment.resource_factor() > 0 && environment.resource_factor() <= 1)) {
    return bad("resource_factor must be above 0 and at most 1");
  }
  if (environment.calibration() != v1::EnvironmentSpec::LITERAL &&
      environment.calibration() != v1::EnvironmentSpec::BUDGET) {
    return bad("calibration must be LITERAL or BUDGET");
  }
  if (!IsResource(environment.resource()) ||
      (synthesis.has_multipliers() && !IsResource(synthesis.multipliers().share()))) {
    return bad("resource and multipliers.share must be PARAMETERS, MACS or TIME");
  }
  if (synthesis.has_multipliers() &&
      !(synthesis.multipliers().exponent() >= 0 && synthesis.multipliers().exponent() <= 4)) {
    return bad("multipliers.exponent must be 0 to 4");
  }
  if (synthesis.has_multipliers() &&
      !(synthesis.multipliers().spread() >= 0 && synthesis.multipliers().spread() <= 4)) {
    return bad("multipliers.spread must be 0 to 4");
  }
  if (synthesis.has_synapses() &&
      !(synthesis.synapses().keep() > 0 && synthesis.synapses().keep() <= 1)) {
    return bad("synapses.keep must be above 0 and at most 1");
  }
  if (synthesis.strength() < v1::SynthesisSpec::L1 ||
      synthesis.strength() > v1::SynthesisSpec::ACTIVATION) {
    return bad("strength must be L1, L2, TAYLOR or ACTIVATION");
  }
  if (synthesis.ranking() != v1::SynthesisSpec::LAYER &&
      synthesis.ranking() != v1::SynthesisSpec::GLOBAL) {
    return bad("ranking must be LAYER or GLOBAL");
  }
  if (synthesis.mates() > 1 && !(synthesis.tagging() > 0 && synthesis.tagging() <= 1)) {
    return bad("tagging must be above 0 and at most 1");
  }
  for (const double share : synthesis.shares()) {
    if (!(share > 0 && std::isfinite(share))) return bad("shares must be above 0");
  }
  return absl::OkStatus();
}

absl::Status CheckClassNames(const Network& network, const v1::SynthesizeJob& job,
                             absl::string_view which) {
  if (std::equal(network.class_names.begin(), network.class_names.end(), job.class_names().begin(),
                 job.class_names().end())) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(which, " has ", network.class_names.size(),
                                                 " classes that are not the data set's ",
                                                 job.class_names_size(), " in the same order"));
}

absl::StatusOr<Offspring> MakeAncestor(const v1::SynthesizeJob& job, const v1::JobKey& key,
                                       const Network* file) {
  v1::BirthRecord birth;
  birth.set_seed(job.seed());
  if (job.ancestor().has_network_digest() || job.ancestor().has_imported()) {
    if (file == nullptr) {
      return absl::InvalidArgumentError("the ancestor's network file is missing");
    }
    SQUISH_RETURN_IF_ERROR(CheckClassNames(*file, job, "the ancestor's network"));
    Network network = *file;
    // Its weights learned on pictures normalised its own way; that stays.
    network.preprocessing.set_input_size(job.preprocessing().input_size());
    network.preprocessing.set_resize(job.preprocessing().resize());
    return Offspring{std::move(network), std::move(birth)};
  }
  if (!job.ancestor().has_squeezenet_v1_1()) {
    return absl::InvalidArgumentError("the ancestor is neither named nor given as a file");
  }
  const v1::FreshSqueezeNet& fresh = job.ancestor().squeezenet_v1_1();
  SQUISH_ASSIGN_OR_RETURN(Genome genome, SqueezeNetV11(job.class_names_size(),
                                                       fresh.has_width() ? fresh.width() : 1.0));
  TensorMap weights = FreshWeights(genome, job.seed(), key.generation(), key.index());
  return Offspring{Network{std::move(genome),
                           std::move(weights),
                           {job.class_names().begin(), job.class_names().end()},
                           job.preprocessing()},
                   std::move(birth)};
}

// Whether nothing is drawn: the weakest go.
bool IsGreedy(const v1::SynthesizeJob& job, const v1::JobKey& key) {
  switch (job.strategy()) {
    case v1::ExperimentSpec::L1_PRUNE:
    case v1::ExperimentSpec::TAYLOR_PRUNE:
    case v1::ExperimentSpec::NETADAPT:
      return true;
    default:
      return job.synthesis().draw() == v1::SynthesisSpec::MOST_PROBABLE ||
             (job.synthesis().draw() == v1::SynthesisSpec::FIRST_MOST_PROBABLE &&
              key.index() == 0);
  }
}

// Of the first parent, which a mated candidate's layers are those of.
absl::StatusOr<Prices> PricesBy(const v1::SynthesizeJob& job, const Genome& first,
                                v1::EnvironmentSpec::Resource resource) {
  std::vector<v1::LayerTime> profile;
  if (!job.parents().empty()) {
    profile.assign(job.parents(0).profile().begin(), job.parents(0).profile().end());
  }
  return PricesOf(first, resource, job.macs_input_size(), profile);
}

// B_g and what it counts. INVALID_ARGUMENT: there is none.
absl::StatusOr<BudgetLimit> PlannedLimit(const v1::SynthesizeJob& job, const Genome& first) {
  if (!(job.target_budget() > 0 && std::isfinite(job.target_budget()))) {
    return absl::InvalidArgumentError("target_budget must be above 0");
  }
  SQUISH_ASSIGN_OR_RETURN(Prices prices, PricesBy(job, first, job.environment().resource()));
  return BudgetLimit{job.target_budget(), std::move(prices)};
}

// What a child is made of: who may survive in it, and what that costs.
struct Breeding {
  const v1::SynthesizeJob& job;
  const v1::JobKey& key;
  const Genome& first_parent;
  const Candidate& candidate;

  const Genome& genome() const { return candidate.network.genome; }
};

// For a child of the candidate. A closed loop may ask for what the floors do not allow; then
// the floors are what is left.
absl::StatusOr<BudgetLimit> LimitOf(const Breeding& breeding) {
  const v1::SynthesizeJob& job = breeding.job;
  SQUISH_ASSIGN_OR_RETURN(BudgetLimit limit, PlannedLimit(job, breeding.first_parent));
  if (!job.environment().has_closed_loop()) return limit;
  const std::vector<int> floors =
      FloorsOf(breeding.genome(), job.synthesis().minimum_filters());
  limit.target = std::max(limit.target,
                          PriceOf(breeding.genome(), limit.prices,
                                  std::vector<double>(floors.begin(), floors.end())));
  return limit;
}

absl::StatusOr<Multipliers> MultipliersOf(const Breeding& breeding) {
  const v1::SynthesisSpec& spec = breeding.job.synthesis();
  if (!spec.has_multipliers()) return Multipliers();
  SQUISH_ASSIGN_OR_RETURN(
      const Prices prices,
      PricesBy(breeding.job, breeding.first_parent, spec.multipliers().share()));
  Multipliers multipliers{PricesOfFilters(breeding.genome(), prices),
                          spec.multipliers().exponent(), {}};
  if (spec.multipliers().spread() > 0 && breeding.key.index() > 0) {
    multipliers.log_factors =
        DrawLogFactors(breeding.genome(), spec.multipliers().spread(), breeding.job.seed(),
                       breeding.key);
  }
  return multipliers;
}

absl::StatusOr<Environment> Calibrate(const Breeding& breeding,
                                      const std::vector<GroupOdds>& odds) {
  const v1::EnvironmentSpec& spec = breeding.job.environment();
  if (spec.calibration() == v1::EnvironmentSpec::LITERAL) {
    SQUISH_ASSIGN_OR_RETURN(const Prices prices,
                            PricesBy(breeding.job, breeding.first_parent, spec.resource()));
    return LiteralEnvironment(breeding.genome(), odds, spec.resource_factor(), prices);
  }
  SQUISH_ASSIGN_OR_RETURN(const BudgetLimit limit, LimitOf(breeding));
  return BudgetEnvironment(breeding.genome(), odds, limit);
}

// The survivors by layer, as Genome::Prune wants them.
std::vector<std::vector<int>> DrawSurvivors(const Genome& parent,
                                            const std::vector<GroupPlan>& plans, uint64_t seed,
                                            const v1::JobKey& key) {
  std::vector<std::vector<int>> keep(parent.size());
  for (size_t g = 0; g < plans.size(); ++g) {
    const FilterGroup& group = parent.groups()[g];
    if (!group.prunable) continue;
    const int first = group.layers.front();
    const RandomStream stream(RandomDomain::kSurvival,
                              {seed, static_cast<uint64_t>(key.generation()),
                               static_cast<uint64_t>(key.index()), static_cast<uint64_t>(first)});
    // A cluster's fate hangs on its lineage, not on how many of its neighbours died.
    std::vector<uint32_t> draws;
    for (const int ancestor_index : parent.conv(first).lineage) {
      draws.push_back(stream.Bits(ancestor_index));
    }
    const std::vector<int> survivors = SampleSurvivors(plans[g], draws);
    for (const int layer : group.layers) keep[layer] = survivors;
  }
  return keep;
}

// Who survives, by layer, and what was expected of it.
struct Survival {
  std::vector<std::vector<int>> keep;
  double kappa = 0;  // 0: nothing was drawn.
  double expected_budget = 0;
};

absl::StatusOr<Survival> Draw(const Breeding& breeding) {
  const v1::SynthesizeJob& job = breeding.job;
  std::vector<GroupOdds> odds = EvenOdds(breeding.genome(), job.synthesis());
  if (job.strategy() != v1::ExperimentSpec::RANDOM) {
    SQUISH_ASSIGN_OR_RETURN(const Multipliers multipliers, MultipliersOf(breeding));
    odds = OddsOf(breeding.genome(), breeding.candidate.strengths, job.synthesis(), multipliers);
  }
  SQUISH_ASSIGN_OR_RETURN(const Environment environment, Calibrate(breeding, odds));
  return Survival{DrawSurvivors(breeding.genome(), environment.plans, job.seed(), breeding.key),
                  environment.kappa, environment.expected_budget};
}

absl::StatusOr<Survival> Prune(const Breeding& breeding) {
  const Genome& genome = breeding.genome();
  const v1::SynthesisSpec& spec = breeding.job.synthesis();
  SQUISH_ASSIGN_OR_RETURN(const BudgetLimit limit, LimitOf(breeding));
  SQUISH_ASSIGN_OR_RETURN(const Multipliers multipliers, MultipliersOf(breeding));
  const Strengths worth = WorthOf(breeding.candidate.strengths, multipliers);
  SQUISH_ASSIGN_OR_RETURN(
      const Pruned pruned,
      breeding.job.strategy() == v1::ExperimentSpec::NETADAPT
          ? CutOneLayer(genome, worth, breeding.key.index(), spec.minimum_filters(), limit)
          : KeepStrongest(genome, worth, spec.ranking(), spec.minimum_filters(), limit));
  Survival survival;
  survival.keep.resize(genome.size());
  survival.expected_budget = pruned.budget;
  for (size_t g = 0; g < pruned.keep.size(); ++g) {
    if (!genome.groups()[g].prunable) continue;
    for (const int layer : genome.groups()[g].layers) survival.keep[layer] = pruned.keep[g];
  }
  return survival;
}

v1::BirthRecord MakeBirthRecord(const v1::SynthesizeJob& job, const Survival& survived,
                                const Genome& parent, const Genome& child) {
  v1::BirthRecord birth;
  birth.set_seed(job.seed());
  birth.set_resource_factor(job.environment().resource_factor());
  birth.set_kappa(survived.kappa);
  if (job.environment().calibration() == v1::EnvironmentSpec::BUDGET) {
    birth.set_target_budget(job.target_budget());
  }
  birth.set_expected_budget(survived.expected_budget);
  for (const int layer : parent.convs()) {
    v1::LayerSurvival* survival = birth.add_survival();
    survival->set_layer(parent.layer(layer).name);
    survival->set_before(parent.conv(layer).filters());
    survival->set_after(child.conv(layer).filters());
  }
  return birth;
}

absl::StatusOr<Offspring> MakeChild(const v1::SynthesizeJob& job, const v1::JobKey& key,
                                    absl::Span<const Parent> parents) {
  SQUISH_RETURN_IF_ERROR(CheckSpecs(job.synthesis(), job.environment()));
  if (parents.size() > 1 && job.synthesis().mates() < 2) {
    return absl::InvalidArgumentError("several parents, and mates is 1");
  }
  for (const Parent& parent : parents) {
    SQUISH_RETURN_IF_ERROR(CheckClassNames(parent.network, job, "the parent"));
    SQUISH_RETURN_IF_ERROR(
        Annotate(CheckWeights(parent.network.genome, parent.network.weights), "the parent"));
  }
  SQUISH_ASSIGN_OR_RETURN(const Candidate candidate,
                          Mate(parents, job.synthesis(), job.seed(), key));
  const Network& from = candidate.network;
  const Breeding breeding{job, key, parents[0].network.genome, candidate};
  SQUISH_ASSIGN_OR_RETURN(const Survival survival,
                          IsGreedy(job, key) ? Prune(breeding) : Draw(breeding));
  SQUISH_ASSIGN_OR_RETURN(Genome genome, from.genome.Prune(survival.keep));
  v1::BirthRecord birth = MakeBirthRecord(job, survival, from.genome, genome);
  TensorMap weights = job.synthesis().inheritance() == v1::SynthesisSpec::INHERIT
                          ? InheritWeights(from.genome, from.weights, survival.keep)
                          : FreshWeights(genome, job.seed(), key.generation(), key.index());
  if (job.synthesis().has_synapses()) {
    DrawSynapses(genome, job.synthesis(), job.seed(), key, weights);
  }
  return Offspring{Network{std::move(genome), std::move(weights), from.class_names,
                           from.preprocessing, from.provenance},
                   std::move(birth)};
}

// A network without parents that is not the ancestor.
absl::StatusOr<Offspring> MakeUniform(const v1::SynthesizeJob& job, const v1::JobKey& key) {
  SQUISH_ASSIGN_OR_RETURN(const Genome whole, SqueezeNetV11(job.class_names_size()));
  SQUISH_ASSIGN_OR_RETURN(const BudgetLimit limit, PlannedLimit(job, whole));
  SQUISH_ASSIGN_OR_RETURN(Genome genome, WidestWithin(job.class_names_size(), limit));
  SQUISH_ASSIGN_OR_RETURN(const Cost cost, ComputeCost(genome, job.macs_input_size()));
  const bool counts_macs = job.environment().resource() == v1::EnvironmentSpec::MACS;
  Survival survival;
  survival.expected_budget = static_cast<double>(counts_macs ? cost.macs : cost.parameters);
  v1::BirthRecord birth = MakeBirthRecord(job, survival, whole, genome);
  TensorMap weights = FreshWeights(genome, job.seed(), key.generation(), key.index());
  return Offspring{Network{std::move(genome),
                           std::move(weights),
                           {job.class_names().begin(), job.class_names().end()},
                           job.preprocessing()},
                   std::move(birth)};
}

}  // namespace

absl::StatusOr<Network> AdoptImported(const v1::SynthesizeJob& job, const v1::JobKey& key,
                                      ImportedNetwork imported) {
  // The same layers with another head: what is imported is always a whole SqueezeNet v1.1.
  SQUISH_ASSIGN_OR_RETURN(Genome genome, SqueezeNetV11(job.class_names_size()));
  const std::string head = genome.layer(genome.head()).name;
  TensorMap fresh = FreshWeights(genome, job.seed(), key.generation(), key.index());
  TensorMap weights = std::move(imported.weights);
  for (const char* part : {".weight", ".bias"}) {
    const std::string name = absl::StrCat(head, part);
    weights[name] = std::move(fresh[name]);
  }
  const v1::ImportedSqueezeNet& spec = job.ancestor().imported();
  Network network{std::move(genome),
                  std::move(weights),
                  {job.class_names().begin(), job.class_names().end()},
                  job.preprocessing()};
  *network.preprocessing.mutable_mean() = spec.mean();
  *network.preprocessing.mutable_std() = spec.std();
  network.provenance.set_licence(spec.licence());
  network.provenance.set_note(spec.note());
  return network;
}

absl::StatusOr<Offspring> Synthesize(const v1::SynthesizeJob& job, const v1::JobKey& key,
                                     absl::Span<const Parent> parents, const Network* ancestor) {
  if (static_cast<size_t>(job.parents_size()) != parents.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the job names ", job.parents_size(), " parents, and ", parents.size(), " networks came"));
  }
  if (!parents.empty()) return MakeChild(job, key, parents);
  const bool uniform = job.strategy() == v1::ExperimentSpec::UNIFORM_WIDTH_FROM_SCRATCH;
  return uniform && key.generation() > 0 ? MakeUniform(job, key)
                                         : MakeAncestor(job, key, ancestor);
}

}  // namespace squish
