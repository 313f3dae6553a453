// What is wanted of champions. Pure; thread-safe.
#ifndef SQUISH_COORDINATOR_EVOLUTION_FINAL_PLAN_H_
#define SQUISH_COORDINATOR_EVOLUTION_FINAL_PLAN_H_

#include <cstdint>

#include "coordinator/evolution/plan.h"

namespace squish {

// How each of so many champions (at least 1) is trained further, train_images >= 1 being an epoch:
// training.final, and with training.share_finals for as many steps as
//
//   ⌊MostChampions(spec) · (steps of training.final) / champions⌋
v1::Recipe FinalRecipe(const v1::ExperimentSpec& spec, int64_t train_images, int champions);

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
