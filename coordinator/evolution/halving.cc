#include "coordinator/evolution/halving.h"

#include <utility>

#include "coordinator/evolution/job_parts.h"
#include "coordinator/evolution/selection.h"

namespace squish {
namespace {

bool IsSettled(const v1::ExperimentSpec& spec, const IndividualFacts& facts, int rung) {
  return facts.synthesize.has_value() && IsMeasured(spec, facts) && facts.rungs.count(rung) > 0;
}

// Indices of the best `keep` of `in` by what the rung has made of them.
std::vector<int> Best(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary,
                      const OpenGeneration& open, const std::vector<int>& in, int rung) {
  v1::ExperimentSpec as_comma = spec;
  as_comma.mutable_selection()->set_method(v1::SelectionSpec::COMMA);
  as_comma.set_parents(spec.training().halving(rung - 1).keep());
  std::vector<v1::Individual> trained;
  for (const int index : in) {
    IndividualFacts facts = open.individuals[static_cast<size_t>(index)];
    facts.train = facts.rungs.at(rung);
    facts.rungs.clear();
    v1::IndividualName name;
    name.set_generation(open.generation);
    name.set_index(index);
    trained.push_back(DescribeIndividual(spec, summary, std::move(name), facts));
  }
  std::vector<int> best;
  for (const v1::Individual& one :
       SelectParents(as_comma, trained, /*earlier=*/{}, summary.ancestor())) {
    best.push_back(one.name().index());
  }
  return best;
}

}  // namespace

Climb ClimbRungs(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary,
                 const OpenGeneration& open) {
  Climb climb;
  const size_t count = open.individuals.size();
  climb.rungs.assign(count, 0);
  climb.goes_on.assign(count, false);
  std::vector<int> in;
  for (size_t i = 0; i < count; ++i) in.push_back(static_cast<int>(i));
  const int rungs = open.generation == 0 ? 0 : spec.training().halving_size();
  for (int rung = 1; rung <= rungs; ++rung) {
    bool settled = true;
    for (const int index : in) {
      climb.rungs[static_cast<size_t>(index)] = rung;
      settled = settled && IsSettled(spec, open.individuals[static_cast<size_t>(index)], rung);
    }
    if (!settled) return climb;
    in = Best(spec, summary, open, in, rung);
  }
  climb.decided = true;
  for (const int index : in) climb.goes_on[static_cast<size_t>(index)] = true;
  return climb;
}

}  // namespace squish
