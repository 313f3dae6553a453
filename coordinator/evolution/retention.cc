#include "coordinator/evolution/retention.h"

#include <algorithm>

#include "coordinator/evolution/job_parts.h"

namespace squish {

Retention::Retention(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary,
                     bool ended)
    : whole_from_(spec.retention().everything()
                      ? 0
                      : std::max(0, summary.closed_generation() + 1 -
                                        spec.retention().generations())),
      open_(summary.closed_generation() + 1),
      ended_(ended) {
  const auto place = [](const v1::Individual& one) {
    return Place(one.name().generation(), one.name().index());
  };
  kept_.insert({0, 0});
  for (const v1::Individual& one : summary.archive()) kept_.insert(place(one));
  for (const v1::Champion& one : summary.champions()) kept_.insert(place(one.individual()));
  measured_again_ = MeasuresChampions(spec) ? kept_ : std::set<Place>{{0, 0}};
  for (const v1::Individual& one : summary.parents()) kept_.insert(place(one));
}

bool Retention::Keeps(int generation, int index) const {
  return generation >= whole_from_ || kept_.contains({generation, index});
}

bool Retention::KeepsEngineFiles(int generation, int index) const {
  return !ended_ && (generation >= open_ || measured_again_.contains({generation, index}));
}

std::set<int> Retention::earlier() const {
  std::set<int> generations;
  for (const auto& [generation, index] : kept_) {
    if (generation < whole_from_) generations.insert(generation);
  }
  return generations;
}

}  // namespace squish
