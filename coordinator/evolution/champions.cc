#include "coordinator/evolution/champions.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <tuple>
#include <utility>

#include "common/base/exact_math.h"
#include "common/pareto/pareto.h"
#include "coordinator/evolution/selection.h"

namespace squish {
namespace {

constexpr int kRoles = 4;  // Smallest, fastest, most accurate, knee.
// A champion for s megabytes is to have at least this share of them.
constexpr double kBand = 0.85;

// Of the constraints as they are in the end.
double ViolationOfTargets(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary,
                          const v1::Individual& individual) {
  return Violation(spec.environment(), individual, summary.ancestor(), spec.generations(),
                   spec.generations());
}

// Everything that a champion is chosen by, to be made small.
Objectives MeritsOf(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary,
                    const v1::Individual& individual) {
  Objectives merits = ObjectivesOf(individual);
  merits.push_back(-individual.selection_accuracy());
  merits.push_back(ViolationOfTargets(spec, summary, individual));
  return merits;
}

v1::Individual ArchivePart(const v1::Individual& individual) {
  v1::Individual part = individual;
  part.clear_birth();
  // As a champion it may be measured again, with files that are of the born network.
  if (!part.has_engine_files()) part.clear_born_artifact();
  part.clear_profile();
  return part;
}

// One member of the archive as champions are compared.
struct Candidate {
  const v1::Individual* individual;
  double violation;  // Of the constraints' targets.
  int place;         // In the archive.
};

// What a role wants least of; ties by log-loss and place.
using Cost = std::function<double(const Candidate&)>;

const Candidate& Least(const std::vector<Candidate>& candidates, const Cost& cost) {
  return *std::min_element(
      candidates.begin(), candidates.end(), [&](const Candidate& a, const Candidate& b) {
        const auto rank = [&](const Candidate& c) {
          return std::make_tuple(cost(c), c.individual->selection_log_loss(), c.place);
        };
        return rank(a) < rank(b);
      });
}

// The squared distance to the ideal point, the objectives scaled to what `candidates`
// span. Bytes count by their logarithm, as ratios do.
Cost DistanceToIdeal(const std::vector<Candidate>& candidates) {
  const auto point = [](const Candidate& candidate) {
    Objectives objectives = ObjectivesOf(*candidate.individual);
    objectives[2] = ExactLog(objectives[2]);
    return objectives;
  };
  Objectives low = point(candidates.front()), high = low;
  for (const Candidate& candidate : candidates) {
    const Objectives objectives = point(candidate);
    for (size_t i = 0; i < low.size(); ++i) {
      low[i] = std::min(low[i], objectives[i]);
      high[i] = std::max(high[i], objectives[i]);
    }
  }
  return [=](const Candidate& candidate) {
    const Objectives objectives = point(candidate);
    double sum = 0;
    for (size_t i = 0; i < low.size(); ++i) {
      const double span = high[i] - low[i];
      const double scaled = span > 0 ? (objectives[i] - low[i]) / span : 0;
      sum += scaled * scaled;
    }
    return sum;
  };
}

double Megabytes(const Candidate& candidate) {
  return static_cast<double>(candidate.individual->bytes()) / 1e6;
}

// Of who is feasible and not above `megabytes` the least log-loss, in the band where somebody
// is there: what is far below it was not bred for that size, and has the most to learn yet.
// Where everybody there is surpassed, by somebody smaller, the band is empty. Null: all are
// above.
const Candidate* BestWithin(const std::vector<Candidate>& feasible, double megabytes) {
  std::vector<Candidate> in_band, below;
  for (const Candidate& candidate : feasible) {
    const double size = Megabytes(candidate);
    if (size > megabytes) continue;
    (size >= kBand * megabytes ? in_band : below).push_back(candidate);
  }
  const std::vector<Candidate>& choice = in_band.empty() ? below : in_band;
  if (choice.empty()) return nullptr;
  const Candidate best = Least(choice, [](const Candidate&) { return 0.0; });
  return &*std::find_if(feasible.begin(), feasible.end(),
                        [&](const Candidate& c) { return c.place == best.place; });
}

// Champions by their individual's place in the archive.
class Collection {
 public:
  void Add(const Candidate& candidate, v1::Champion::Role::Kind kind, double megabytes, bool met) {
    v1::Champion& champion = champions_[candidate.place];
    *champion.mutable_individual() = *candidate.individual;
    champion.set_feasible(candidate.violation == 0);
    v1::Champion::Role& role = *champion.add_roles();
    role.set_kind(kind);
    role.set_megabytes(megabytes);
    role.set_met(met);
  }

  std::vector<v1::Champion> Take() && {
    std::vector<v1::Champion> sorted;
    for (auto& [place, champion] : champions_) sorted.push_back(std::move(champion));
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
      return a.individual().bytes() > b.individual().bytes();
    });
    for (size_t i = 0; i < sorted.size(); ++i) sorted[i].set_index(static_cast<int>(i));
    return sorted;
  }

 private:
  std::map<int, v1::Champion> champions_;
};

}  // namespace

void ExtendArchive(const v1::ExperimentSpec& spec, const std::vector<v1::Individual>& generation,
                   v1::EvolutionSummary& summary) {
  auto& archive = *summary.mutable_archive();
  for (const v1::Individual& individual : generation) {
    if (individual.state() != v1::Individual::EVALUATED) continue;
    const Objectives merits = MeritsOf(spec, summary, individual);
    if (!std::isfinite(merits[0]) || !std::isfinite(merits[1])) continue;
    const bool surpassed = std::any_of(archive.begin(), archive.end(), [&](const auto& member) {
      return WeaklyDominates(MeritsOf(spec, summary, member), merits);
    });
    if (surpassed) continue;
    archive.erase(std::remove_if(archive.begin(), archive.end(),
                                 [&](const auto& member) {
                                   return WeaklyDominates(merits, MeritsOf(spec, summary, member));
                                 }),
                  archive.end());
    *archive.Add() = ArchivePart(individual);
  }
}

int MostChampions(const v1::ExperimentSpec& spec) {
  const int individuals = 1 + spec.generations() * spec.offspring();
  const int reasons = (spec.only_report_sizes() ? 0 : kRoles) + spec.report_megabytes_size();
  return std::min(individuals, reasons);
}

std::vector<v1::Champion> ChooseChampions(const v1::ExperimentSpec& spec,
                                          const v1::EvolutionSummary& summary) {
  std::vector<Candidate> archive, eligible;
  for (int i = 0; i < summary.archive_size(); ++i) {
    const v1::Individual& individual = summary.archive(i);
    archive.push_back({&individual, ViolationOfTargets(spec, summary, individual), i});
    if (archive.back().violation == 0) eligible.push_back(archive.back());
  }
  if (archive.empty()) return {};
  const bool met = !eligible.empty();
  if (!met) eligible = {Least(archive, [](const Candidate& c) { return c.violation; })};

  using Role = v1::Champion::Role;
  const std::pair<Role::Kind, Cost> roles[] = {
      {Role::SMALLEST,
       [](const Candidate& c) { return static_cast<double>(c.individual->bytes()); }},
      {Role::FASTEST, [](const Candidate& c) { return ObjectivesOf(*c.individual)[1]; }},
      {Role::MOST_ACCURATE,
       [](const Candidate& c) { return -c.individual->selection_accuracy(); }},
      {Role::KNEE, DistanceToIdeal(eligible)}};
  Collection champions;
  if (!spec.only_report_sizes()) {
    for (const auto& [kind, cost] : roles) champions.Add(Least(eligible, cost), kind, 0, met);
  }
  for (const double megabytes : spec.report_megabytes()) {
    const Candidate* const best = met ? BestWithin(eligible, megabytes) : nullptr;
    if (best != nullptr) {
      champions.Add(*best, Role::SIZE, megabytes, /*met=*/true);
      continue;
    }
    const Candidate& nearest = Least(archive, [megabytes](const Candidate& c) {
      return c.violation + std::max(0.0, ExactLog(Megabytes(c) / megabytes));
    });
    champions.Add(nearest, Role::SIZE, megabytes, /*met=*/false);
  }
  return std::move(champions).Take();
}

}  // namespace squish
