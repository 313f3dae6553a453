// Parts that the jobs of bred individuals and of champions have in common. Pure;
// thread-safe.
#ifndef SQUISH_COORDINATOR_EVOLUTION_JOB_PARTS_H_
#define SQUISH_COORDINATOR_EVOLUTION_JOB_PARTS_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "squish/v1/dataset.pb.h"
#include "squish/v1/evolution.pb.h"
#include "squish/v1/experiment.pb.h"
#include "squish/v1/job.pb.h"

namespace squish {

// A job with nothing but its key; `rung` is 0.
v1::Job KeyedJob(int generation, int index, v1::JobKey::Kind kind);

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

#endif  // SQUISH_COORDINATOR_EVOLUTION_JOB_PARTS_H_
