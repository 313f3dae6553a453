// What an experiment will cost, before it is run. Pure; thread-safe.
#ifndef SQUISH_COORDINATOR_EVOLUTION_ESTIMATE_H_
#define SQUISH_COORDINATOR_EVOLUTION_ESTIMATE_H_

#include <cstdint>
#include <optional>

#include "common/genome/cost.h"
#include "squish/v1/experiment_service.pb.h"

namespace squish {

// What an estimate rests on besides the spec.
struct EstimateBasis {
  int64_t train_images = 0;  // Of an epoch; 0: unknown.
  Cost first;                // Of generation 0.
  int slots = 0;             // Of connected workers.
  // Multiply-adds of one forward pass, of all pictures trained with, a second and slot.
  std::optional<double> macs_per_second;
};

// Jobs, images, disk and hours of a complete spec; no notes. Networks are taken to be of
// the planned size B_g, with MACs in proportion; under LITERAL, where sizes are not
// planned, as large as the first. Champions are counted as many as there can be, of the
// last size.
v1::EstimateResponse EstimateCost(const v1::ExperimentSpec& spec, const EstimateBasis& basis);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_EVOLUTION_ESTIMATE_H_
