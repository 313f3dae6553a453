// What is wanted of champions, and what all training jobs have in common. Pure; thread-safe.
#ifndef SQUISH_COORDINATOR_EVOLUTION_FINAL_PLAN_H_
#define SQUISH_COORDINATOR_EVOLUTION_FINAL_PLAN_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
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

// Everything of a training job but its network, teacher and seed.
void FillTraining(const v1::ExperimentSpec& spec, const v1::DatasetSummary& dataset,
                  const v1::Recipe& recipe, v1::TrainJob& job);

// The trained network that distillation from the ANCESTOR learns from: generation 0's, or
// in a branch that of the experiment it comes from.
const std::string& AncestorAsTeacher(const v1::ExperimentSpec& spec,
                                     const v1::EvolutionSummary& summary);

// The seed of a training: one for each (purpose, experiment, generation, index), so that
// it is the same wherever and whenever the training runs.
uint64_t TrainingSeed(absl::string_view purpose, uint64_t seed, int generation, int index);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_EVOLUTION_FINAL_PLAN_H_
