// The warm-up of one network: runs that are discarded, from which the number of
// calls in a block follows. Pure.
//
//   WarmUp warm_up(spec);
//   while (!warm_up.done()) warm_up.Add(engine.Run(warm_up.NextCalls()).seconds);
//   … blocks of warm_up.CallsPerBlock() calls
//
// Runs double from one call until one lasts as long as a block, and go on at that
// length until warmup_seconds are over. Speed is judged by the fastest run: whatever
// disturbs a run makes it longer. An engine that starts anew for each run, and warms itself
// up in each, is asked for ten calls first and for a whole block next.
#ifndef SQUISH_JETSON_AGENT_MEASURE_WARM_UP_H_
#define SQUISH_JETSON_AGENT_MEASURE_WARM_UP_H_

#include <cstdint>

#include "squish/v1/experiment.pb.h"

namespace squish {

// Thread-compatible.
class WarmUp {
 public:
  // Calls in one run are at most this many, however fast the engine claims to be.
  static constexpr int64_t kMaximumCalls = 1'000'000'000;

  explicit WarmUp(const v1::MeasurementSpec& spec, bool restarts_per_block = false);

  // Whether warmup_seconds are over and at least one run was made.
  bool done() const;

  // Calls of the next run.
  int64_t NextCalls() const { return next_calls_; }

  // The run of NextCalls() took `seconds` (> 0, finite).
  void Add(double seconds);

  // Calls that last about as long as a block should; at least one. Once done.
  int64_t CallsPerBlock() const;

 private:
  const bool restarts_per_block_;
  const double block_seconds_;
  const double warmup_seconds_;
  double total_seconds_ = 0;
  double fastest_call_seconds_ = 0;  // 0: nothing ran yet.
  int64_t next_calls_;
};

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_MEASURE_WARM_UP_H_
