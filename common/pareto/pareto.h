// What is good when several things are wanted at once. Pure and deterministic: the same
// numbers give the same bits on every machine, and ties go by index. Thread-safe.
//
//   NonDominatedFronts({{1, 5}, {2, 2}, {3, 3}})  →  {{0, 1}, {2}}
//   Hypervolume({{1, 5}, {2, 2}}, {6, 6})         →  17
#ifndef SQUISH_COMMON_PARETO_PARETO_H_
#define SQUISH_COMMON_PARETO_PARETO_H_

#include <vector>

namespace squish {

// One candidate's values of what is wanted, all of them to be made small. None is NaN. All
// that are compared have as many, in one order.
using Objectives = std::vector<double>;

// Whether `a` is at least as good as `b` in everything, which equals are.
bool WeaklyDominates(const Objectives& a, const Objectives& b);

// Whether it is that, and better in something.
bool Dominates(const Objectives& a, const Objectives& b);

// The positions of `points` by fronts, ascending in each: whom nobody dominates, whom then
// nobody dominates of those that are left, and so on. Equals share a front. Fast
// non-dominated sorting of NSGA-II (Deb, Pratap, Agarwal and Meyarivan, "A fast and elitist
// multiobjective genetic algorithm: NSGA-II", IEEE Transactions on Evolutionary Computation
// 6(2), 2002, section III-A): O(objectives · n²).
std::vector<std::vector<int>> NonDominatedFronts(const std::vector<Objectives>& points);

// How much room each point of a front has between its neighbours: the sum over objectives
// of the distance from the next smaller to the next larger value, as a part of what the
// front spans (the same paper, section III-B). Infinite for the ends of each objective; of
// equal values the first index is taken to be the smallest. An objective in which all are
// equal says nothing, and one that spans infinity has ends and no room between them.
std::vector<double> CrowdingDistances(const std::vector<Objectives>& front);

// The volume that `points` dominate and that dominates `reference`, exactly but for the
// rounding of double. A point that is not below the reference in every objective adds
// nothing. Meant for up to three finite objectives: O(n^objectives). Does not depend on
// the order of the points, not even in its last bit.
double Hypervolume(const std::vector<Objectives>& points, const Objectives& reference);

}  // namespace squish

#endif  // SQUISH_COMMON_PARETO_PARETO_H_
