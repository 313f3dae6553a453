// Networks and jobs that the tests of synthesis share.
#ifndef SQUISH_TESTS_UNIT_SYNTHESIS_SYNTHESIS_FIXTURES_H_
#define SQUISH_TESTS_UNIT_SYNTHESIS_SYNTHESIS_FIXTURES_H_

#include <cstdint>
#include <vector>

#include "common/weights/network.h"
#include "squish/v1/job.pb.h"
#include "worker/synthesis/odds.h"
#include "worker/synthesis/survival.h"
#include "worker/synthesis/synthesis.h"

namespace squish {

// The network with filters of very different strengths, as training leaves them.
Network TrainedLike(Network network, uint64_t seed);

// SqueezeNet v1.1 for ten classes, `width` as wide, as if trained.
Network TrainedSqueezeNet(double width);

// A child of `parent` with every default of the specs, BUDGET towards 0.9 of it.
v1::SynthesizeJob ChildJob(const Network& parent);

v1::JobKey Key(int generation, int index);

// Synthesize with one parent whose strengths are those of its weights.
absl::StatusOr<Offspring> SynthesizeChild(const v1::SynthesizeJob& job, const v1::JobKey& key,
                                          const Network& parent);

// ln P(s_c = 1 | W) of every group, by the parent's weights.
std::vector<GroupOdds> OddsOfWeights(const Network& parent, const v1::SynthesisSpec& spec,
                                     const Multipliers& multipliers = {});

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_SYNTHESIS_SYNTHESIS_FIXTURES_H_
