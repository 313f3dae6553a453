#include "coordinator/evolution/halving.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "coordinator/evolution/job_parts.h"
#include "coordinator/evolution/selection.h"

namespace squish {
namespace {

bool IsBornAndMeasured(const v1::ExperimentSpec& spec, const OpenGeneration& open, int index) {
  const IndividualFacts& facts = open.individuals[static_cast<size_t>(index)];
  return facts.synthesize.has_value() && IsMeasured(spec, open.generation, facts);
}

bool IsSettled(const v1::ExperimentSpec& spec, const OpenGeneration& open, int index, int rung) {
  return IsBornAndMeasured(spec, open, index) &&
         open.individuals[static_cast<size_t>(index)].rungs.count(rung) > 0;
}

v1::IndividualName NameOf(const OpenGeneration& open, int index) {
  v1::IndividualName name;
  name.set_generation(open.generation);
  name.set_index(index);
  return name;
}

// How far one that is measured is from what is demanded of it before it is trained.
double ViolationOf(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary,
                   const OpenGeneration& open, int index) {
  v1::EnvironmentSpec known = spec.environment();
  known.clear_constraints();
  for (const v1::Constraint& constraint : spec.environment().constraints()) {
    if (!constraint.has_min_accuracy()) *known.add_constraints() = constraint;
  }
  IndividualFacts facts = open.individuals[static_cast<size_t>(index)];
  facts.train.reset();  // Whatever slipped in.
  facts.rungs.clear();
  return Violation(known, DescribeIndividual(spec, summary, NameOf(open, index), facts),
                   summary.ancestor(), open.generation, spec.generations());
}

// Indices, ascending, of those whose training is not cancelled.
std::vector<int> NotCancelled(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary,
                              const OpenGeneration& open) {
  std::vector<std::pair<double, int>> by_violation;
  for (int i = 0; i < static_cast<int>(open.individuals.size()); ++i) {
    by_violation.emplace_back(ViolationOf(spec, summary, open, i), i);
  }
  std::sort(by_violation.begin(), by_violation.end());
  std::vector<int> stay;
  for (const auto& [violation, index] : by_violation) {
    if (violation > 0 && static_cast<int>(stay.size()) >= spec.parents()) break;
    stay.push_back(index);
  }
  std::sort(stay.begin(), stay.end());
  return stay;
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
    trained.push_back(DescribeIndividual(spec, summary, NameOf(open, index), facts));
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
  std::vector<int> in(count);
  std::iota(in.begin(), in.end(), 0);
  if (open.generation > 0 && spec.training().cancel_infeasible()) {
    const bool measured = std::all_of(in.begin(), in.end(), [&](int index) {
      return IsBornAndMeasured(spec, open, index);
    });
    if (!measured) return climb;
    in = NotCancelled(spec, summary, open);
  }
  const int rungs = open.generation == 0 ? 0 : spec.training().halving_size();
  for (int rung = 1; rung <= rungs; ++rung) {
    bool settled = true;
    for (const int index : in) {
      climb.rungs[static_cast<size_t>(index)] = rung;
      settled = settled && IsSettled(spec, open, index, rung);
    }
    if (!settled) return climb;
    in = Best(spec, summary, open, in, rung);
  }
  climb.decided = true;
  for (const int index : in) climb.goes_on[static_cast<size_t>(index)] = true;
  return climb;
}

}  // namespace squish
