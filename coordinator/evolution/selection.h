// Selection: which individuals of a generation become parents. Pure; thread-safe.
#ifndef SQUISH_COORDINATOR_EVOLUTION_SELECTION_H_
#define SQUISH_COORDINATOR_EVOLUTION_SELECTION_H_

#include <vector>

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

// (μ,λ): the positions of the best μ (spec.parents) among the trained, best first:
// feasible before infeasible, then least violation, then least log-loss on the selection
// split, ties by index. DIVERGED individuals are never selected. May return fewer.
std::vector<int> SelectParents(const v1::ExperimentSpec& spec,
                               const std::vector<v1::Individual>& generation,
                               const v1::Individual& ancestor);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_EVOLUTION_SELECTION_H_
