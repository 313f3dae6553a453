#include "coordinator/evolution/retention.h"

#include <algorithm>

namespace squish {

Retention::Retention(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary)
    : whole_from_(spec.retention().everything()
                      ? 0
                      : std::max(0, summary.closed_generation() + 1 -
                                        spec.retention().generations())) {
  const auto keep = [this](const v1::IndividualName& name) {
    kept_.insert({name.generation(), name.index()});
  };
  kept_.insert({0, 0});
  for (const v1::Individual& one : summary.archive()) keep(one.name());
  for (const v1::Individual& one : summary.parents()) keep(one.name());
  for (const v1::Champion& one : summary.champions()) keep(one.individual().name());
}

bool Retention::Keeps(int generation, int index) const {
  return generation >= whole_from_ || kept_.contains({generation, index});
}

std::set<int> Retention::earlier() const {
  std::set<int> generations;
  for (const auto& [generation, index] : kept_) {
    if (generation < whole_from_) generations.insert(generation);
  }
  return generations;
}

}  // namespace squish
