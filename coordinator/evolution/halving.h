// Who of a generation trains how far: cancellation at the measurement barrier, then synchronous
// successive halving. Pure; thread-safe.
#ifndef SQUISH_COORDINATOR_EVOLUTION_HALVING_H_
#define SQUISH_COORDINATOR_EVOLUTION_HALVING_H_

#include <vector>

#include "coordinator/evolution/plan.h"

namespace squish {

struct Climb {
  // Of each individual, by index: it trains in the rungs 1 to `rungs`, as far as is known.
  std::vector<int> rungs;
  // Of each, once every rung is decided: whether it goes on to the training that counts.
  std::vector<bool> goes_on;
  bool decided = false;  // Every rung is; also when there is none.
};

// With training.cancel_infeasible nobody is in a rung, or trained at all, before everybody is
// born and, unless speed is estimated, measured. Then those stay that break no constraint which
// is known by then, and of the others, nearest first and ties by index, as many as there are
// fewer than spec.parents.
//
// A rung is decided when everybody in it is born, trained in it and, unless speed is
// estimated, measured: from then on nothing that is found later changes it. Those that go on
// are ranked as by (μ,λ); who diverged does not, so that it may be fewer than `keep`.
//
// Generation 0 is trained, whatever it is.
Climb ClimbRungs(const v1::ExperimentSpec& spec, const v1::EvolutionSummary& summary,
                 const OpenGeneration& open);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_EVOLUTION_HALVING_H_
