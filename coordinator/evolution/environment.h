// The environment of the next generation. Pure; bit-exact; thread-safe.
#ifndef SQUISH_COORDINATOR_EVOLUTION_ENVIRONMENT_H_
#define SQUISH_COORDINATOR_EVOLUTION_ENVIRONMENT_H_

#include "squish/v1/evolution.pb.h"
#include "squish/v1/experiment.pb.h"

namespace squish {

struct NextEnvironment {
  double resource_factor = 1;  // R
  double budget = 0;           // B_g; 0 where the calibration has none.
};

// Of the generation after `summary`'s, which is not before the first: on the path that the
// spec fixes, or by its closed loop (v1::ClosedLoop has the formulas).
NextEnvironment EnvironmentAfter(const v1::ExperimentSpec& spec,
                                 const v1::EvolutionSummary& summary);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_EVOLUTION_ENVIRONMENT_H_
