// Selection: which individuals become parents of the next generation. Pure; thread-safe.
#ifndef SQUISH_COORDINATOR_EVOLUTION_SELECTION_H_
#define SQUISH_COORDINATOR_EVOLUTION_SELECTION_H_

#include <vector>

#include "common/pareto/pareto.h"
#include "squish/v1/evolution.pb.h"
#include "squish/v1/experiment.pb.h"

namespace squish {

// The limit of a constraint at a generation: the target itself, or with `scheduled`
// geometrically from the ancestor's own value (generation 0) to the target (the
// last generation). Where the ancestor's value is not known, or meets the target
// already, the target: a schedule only relaxes.
double ConstraintLimit(const v1::Constraint& constraint, const v1::Individual& ancestor,
                       int generation, int generations);

// ⌊ln ratio / ln 1.01⌋: ratios are compared in steps of 1 %, less is noise. -infinity for
// 0 and below.
double RatioSteps(double ratio);

// By how much an individual breaks the environment's constraints as they are at
// `generation`: the sum over broken ones of |ln(value / limit)|, ratios in steps of 1 %.
// 0 is feasible, infinity when a value is missing or the individual is UNSUPPORTED.
double Violation(const v1::EnvironmentSpec& environment, const v1::Individual& individual,
                 const v1::Individual& ancestor, int generation, int generations);

// What an individual is compared by when several things count, all of it to be made small:
// log-loss on the selection split, ratio in steps (negative), bytes. Infinite where it is
// not known or no number.
Objectives ObjectivesOf(const v1::Individual& individual);

// The best μ (spec.parents) for the next generation, best first, `selected` set; fewer where
// there are fewer. `generation`: the one that is being closed, by index. `earlier`: whoever
// was a parent before it. By spec.selection.method:
//
//   COMMA    of the generation: least violation first, 0 being feasible, then least log-loss
//            on the selection split
//   PLUS     of both, in that order
//   NSGA_II  of both: least violation first; of those with the same, by fronts in
//            ObjectivesOf; of a front those with more room first (common/pareto)
//
// The violation is of the constraints as they are at the generation being closed, for
// everybody. Ties: the newer first, then by index. DIVERGED individuals are never selected.
std::vector<v1::Individual> SelectParents(const v1::ExperimentSpec& spec,
                                          const std::vector<v1::Individual>& generation,
                                          const std::vector<v1::Individual>& earlier,
                                          const v1::Individual& ancestor);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_EVOLUTION_SELECTION_H_
