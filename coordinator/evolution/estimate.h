// What an experiment will cost, before it is run. Pure; thread-safe.
#ifndef SQUISH_COORDINATOR_EVOLUTION_ESTIMATE_H_
#define SQUISH_COORDINATOR_EVOLUTION_ESTIMATE_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "common/genome/cost.h"
#include "squish/v1/experiment_service.pb.h"

namespace squish {

// What an estimate rests on besides the spec.
struct EstimateBasis {
  int64_t train_images = 0;  // Of an epoch; 0: unknown.
  Cost first;                // Of generation 0, at the size of the training pictures.
  int slots = 0;             // Of connected workers that can train it.
  // What TrainingWork comes to in a second, in one slot.
  std::optional<double> macs_per_second;
};

// Multiply-adds by which the time of a training is told: of the student's forward passes,
// and with a teacher of a third of its own, since the student goes forward and backward,
// which costs about three forward passes.
double TrainingWork(double images, double student_macs, double teacher_macs);

// Jobs, images, disk and hours of a complete spec; no notes. Networks are taken to be of
// the planned size B_g, with MACs in proportion; under LITERAL, where sizes are not
// planned, as large as the first. A generation begins when the one before has ended, and
// trains no more networks at a time than there are slots. Champions are counted as many as
// there can be, of the last size, and generations as if nothing stopped the experiment
// early.
v1::EstimateResponse EstimateCost(const v1::ExperimentSpec& spec, const EstimateBasis& basis);

// Training pictures of a data set that need no worker to count: of the built-in one, which
// anyone can draw, what is not held out for selection. 0: not known.
int64_t KnownTrainImages(const v1::DatasetSpec& dataset);

// Whether the plan keeps spec.maximum_images with so many training pictures (0: not known
// yet). INVALID_ARGUMENT says by how much it does not.
absl::Status CheckImages(const v1::ExperimentSpec& spec, int64_t train_images);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_EVOLUTION_ESTIMATE_H_
