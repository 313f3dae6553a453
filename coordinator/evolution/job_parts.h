// Parts that the jobs of bred individuals and of champions have in common. Pure;
// thread-safe.
#ifndef SQUISH_COORDINATOR_EVOLUTION_JOB_PARTS_H_
#define SQUISH_COORDINATOR_EVOLUTION_JOB_PARTS_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "coordinator/evolution/plan.h"
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

// A MEASURE job but for its key: of a candidate beside the ancestor, as measurement.beside[b - 1]
// asks, or for b = 0 the measurement itself. `device_class` is that of the latter, where known.
v1::MeasureJob MeasurementOf(const v1::ExperimentSpec& spec, const std::string& candidate,
                             const std::string& candidate_architecture,
                             const v1::Individual& ancestor, const std::string& device_class,
                             int beside);

// Adds to a MEASURE job what there is for engines; null: nothing.
void AddEngineFiles(const v1::EngineFiles* candidate, const v1::EngineFiles* ancestor,
                    v1::MeasureJob& job);

// What engines are to be given beside a network of this generation: for every batch that somebody
// is measured at, champions included.
v1::EngineFilesOrder OrderOfEngineFiles(const v1::ExperimentSpec& spec,
                                        const v1::DatasetSummary& dataset, int generation);

// Those of the network that everybody is measured beside, made with generation 0; null: none.
const v1::EngineFiles* AncestorFiles(const v1::ExperimentSpec& spec,
                                     const v1::SynthesizeResult& first);

// Whether champions alone are measured somewhere, so that files of closed generations are needed.
bool MeasuresChampions(const v1::ExperimentSpec& spec);

// Adds what is known of measurement.beside.
void DescribeBeside(const v1::ExperimentSpec& spec, const IndividualFacts& facts,
                    v1::Individual& individual);

// Whether individuals of a generation are measured as measurement.beside[beside - 1] says, before
// selection. Where only champions are and a device class is named, the ancestor is as well: that
// no agent has the class, or its engine refuses the family, comes to light at once.
bool IsMeasuredBeside(const v1::ExperimentSpec& spec, int generation, int beside);

// Whether all that is measured of an individual of that generation before selection is known.
bool IsMeasured(const v1::ExperimentSpec& spec, int generation, const IndividualFacts& facts);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_EVOLUTION_JOB_PARTS_H_
