// What earlier versions stored, completed so that it goes on meaning what it meant. Pure;
// thread-safe.
#ifndef SQUISH_COMMON_SPEC_OLDER_H_
#define SQUISH_COMMON_SPEC_OLDER_H_

#include "squish/v1/experiment.pb.h"
#include "squish/v1/job.pb.h"

namespace squish {

// A spec that was complete when it was stored lacks the fields that came later. They get the
// values that stand for what was done before there was a choice, which need not be today's
// defaults. A spec of this version stays as it is.
void CompleteOlder(v1::ExperimentSpec& spec);
void CompleteOlder(v1::SynthesizeJob& job);

}  // namespace squish

#endif  // SQUISH_COMMON_SPEC_OLDER_H_
