// What is wanted of champions. Pure; thread-safe.
#ifndef SQUISH_COORDINATOR_EVOLUTION_FINAL_PLAN_H_
#define SQUISH_COORDINATOR_EVOLUTION_FINAL_PLAN_H_

#include "coordinator/evolution/plan.h"

namespace squish {

// The plan of the champions' generation. Of each:
//
//   TRAIN with the final recipe, ──┬─► EVALUATE on val/ ─┬─► READY
//   if there is one                └─► EXPORT ───────────┘
//
// Where the final training diverged the network stays as it was.
Plan MakeFinalPlan(const v1::ExperimentSpec& spec, const v1::DatasetSummary& dataset,
                   const v1::EvolutionSummary& summary, const OpenGeneration& open);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_EVOLUTION_FINAL_PLAN_H_
