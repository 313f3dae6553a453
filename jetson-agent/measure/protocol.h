// The rules of a measurement. Pure; thread-safe.
//
//   warm-up (discarded) ─► A B B A ─► A B B A ─► … ─► Summarize ─► VALID | INVALID
//   (warm_up.h)            A = ancestor, B = candidate; a block is a run of calls
//                          of one network, timed as a whole
//
// The unit of analysis is the ABBA group: its log-ratio ln(B/A) of images/s cancels
// slow drift of the board to first order. Whatever else runs on the board disturbs some groups
// far more than others, so the ratio is exp of their mean without the lowest and the highest
// fifth, and the spread the 95 % t-interval that belongs to it, by the deviation of the values
// with those fifths drawn in to the next (J. W. Tukey and D. H. McLaughlin, Sankhya A 25, 1963).
#ifndef SQUISH_JETSON_AGENT_MEASURE_PROTOCOL_H_
#define SQUISH_JETSON_AGENT_MEASURE_PROTOCOL_H_

#include <cstdint>
#include <vector>

#include "squish/v1/experiment.pb.h"
#include "squish/v1/job.pb.h"

namespace squish {

inline constexpr int kProtocolVersion = 2;

// One timed run of calls of one network.
struct Block {
  int64_t images = 0;
  double seconds = 0;  // Steady wall time on the host, copies included.
  std::vector<double> latencies = {};  // Seconds of some of the calls, where the engine tells.
};

struct AbbaGroup {
  Block ancestor_first, candidate_first, candidate_second, ancestor_second;
  int build = 0;  // Of both networks' engines; from 0.
};

// What of an engine the rules depend on.
struct EngineTraits {
  bool restarts_per_block = false;  // It starts anew for each run.
  int builds = 1;  // So many of each network are measured, turn by turn.
};

// Two-sided 95 % quantile of Student's t with `degrees` >= 1 degrees of freedom,
// to within 3e-5.
double StudentT95(int degrees);

// How long a block should last: minimum_seconds in equal parts over the blocks of
// minimum_blocks groups, but at least 10 ms, so that timer and pipe are nothing
// beside it; at least 250 ms where each block costs a start, which takes seconds.
double BlockSeconds(const v1::MeasurementSpec& spec, bool restarts_per_block = false);

// How much of time_limit_seconds is spent: restarts are not a network's fault and do not
// count, but a measurement may not take more than ten times its limit for them.
double CountedSeconds(double wall_seconds, double restart_seconds);

// The build that is measured in group number `group`, from 0: they take turns, so that the
// board's drift is not taken for a difference between them.
int BuildOfGroup(int group, const EngineTraits& traits);

// Whether to go on measuring: until both networks ran minimum_seconds and there are
// minimum_blocks groups (of each build) and the spread is within maximum_spread, or time is
// up. A block without a possible speed (1e-9 to 1e12 images/s) ends it too: nothing can mend
// that. O(groups · log(groups)).
bool WantsMore(const v1::MeasurementSpec& spec, const std::vector<AbbaGroup>& groups,
               double elapsed_seconds, const EngineTraits& traits = {});

// Medians, ratio, spread and verdict with every rule that failed and by how much.
// `setting` is left to the caller. All numbers are finite: groups with an impossible
// block are left out of them and make the verdict INVALID. From two builds on each one's
// ratio and the spread between them.
v1::MeasureResult Summarize(const v1::MeasurementSpec& spec, const std::vector<AbbaGroup>& groups,
                            double elapsed_seconds, const EngineTraits& traits = {});

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_MEASURE_PROTOCOL_H_
