// The acceptance run of a board, without a coordinator: what the agent will do all day, on
// networks whose ratio is known beforehand.
//
//   SqueezeNet v1.1 against itself       the ratio is 1
//   one half as wide against it          the ratio is above 1
//
// Both have fresh weights, ten classes and 224×224 pictures, batch 1.
#ifndef SQUISH_JETSON_AGENT_SELFTEST_H_
#define SQUISH_JETSON_AGENT_SELFTEST_H_

#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "jetson-agent/measure_files.h"
#include "squish/v1/job.pb.h"

namespace squish {

// Why a measurement of a network against itself, or of a far smaller one, is not what it has
// to be; empty when it is. Pure.
std::vector<std::string> FaultsOfSame(const v1::MeasureResult& result);
std::vector<std::string> FaultsOfSmaller(const v1::MeasureResult& result);

// Starts the engine, makes both measurements (at most a minute each) and prints to `out`, for
// people, who measures, what came out, and each fault. Returns whether there was none. Errors
// as EngineClient and Measure: the engine did not get so far. Networks lie in a temporary
// folder meanwhile.
absl::StatusOr<bool> SelfTest(const LocalEngineOptions& options, Clock& clock, std::ostream& out);

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_SELFTEST_H_
