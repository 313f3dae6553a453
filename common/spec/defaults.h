// The defaults that experiment.proto documents. Pure; thread-safe.
#ifndef SQUISH_COMMON_SPEC_DEFAULTS_H_
#define SQUISH_COMMON_SPEC_DEFAULTS_H_

#include "squish/v1/experiment.pb.h"

namespace squish {

// Sets every `optional` field that is absent. Idempotent.
void FillDefaults(v1::ExperimentSpec& spec);
void FillDefaults(v1::Recipe& recipe);
// What hangs on the rest of an experiment is given: the data set's size, and whether anything
// counts time.
void FillDefaults(v1::MeasurementSpec& measurement, int input_size, bool profile);

}  // namespace squish

#endif  // SQUISH_COMMON_SPEC_DEFAULTS_H_
