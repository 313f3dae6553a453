// Whether the board kept still while it measured. Pure.
//
//   BoardJudge judge(info, before);
//   … after each group of blocks:  judge.Add(sample);
//   judge.BrokenRules()  ─► none, or what makes the measurement INVALID
//
// Rules (docs/measurement.md says why these limits):
//   clock    no sample's is more than 5 % below an earlier one's where the clock is fixed,
//            more than 25 % where a governor chooses it. A fixed one counts at rest too; a
//            free one only under load, and a GPU's only while the GPU has work.
//   heat     no thermal zone is at its trip point
//   throttle no cooling device slows a processor down, and no processor counts that it did
// What is not known breaks no rule.
//
// Thread-compatible. O(zones) for a sample; keeps no samples.
#ifndef SQUISH_JETSON_AGENT_MEASURE_BOARD_H_
#define SQUISH_JETSON_AGENT_MEASURE_BOARD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "squish/v1/job.pb.h"

namespace squish {

inline constexpr double kFixedClockDrop = 0.05;
inline constexpr double kFreeClockDrop = 0.25;
// A GPU of which less was at work lately has no clock to speak of.
inline constexpr double kLeastGpuLoad = 0.10;

// Rules of heat and throttling that a single sample breaks, in words.
std::vector<std::string> ThermalAlarms(const v1::BoardSample& sample);

// Of all zones; nothing: none is known.
std::optional<double> HottestCelsius(const v1::BoardSample& sample);

class BoardJudge {
 public:
  BoardJudge(const v1::BoardInfo& info, const v1::BoardSample& before);

  // A sample taken between blocks.
  void Add(const v1::BoardSample& sample);

  // Every broken rule and by how much; at most 8.
  std::vector<std::string> BrokenRules() const;
  bool broken() const { return !BrokenRules().empty(); }

  const v1::BoardBlocks& summary() const { return summary_; }

 private:
  // One clock over time.
  class ClockRange {
   public:
    explicit ClockRange(double allowed_drop) : allowed_drop_(allowed_drop) {}
    void Add(double megahertz);
    // Empty: not broken.
    std::string BrokenRule(const char* processor, bool fixed) const;

   private:
    const double allowed_drop_;
    double highest_ = 0;  // Until now.
    // Of the largest fall.
    double drop_ = 0;
    double from_ = 0;
    double to_ = 0;
  };

  const bool cpu_fixed_;
  const bool gpu_fixed_;
  ClockRange cpu_;
  ClockRange gpu_;
  const std::optional<int64_t> throttle_events_before_;
  int64_t throttle_events_ = 0;      // Since.
  std::vector<std::string> alarms_;  // Of the first sample that had any.
  v1::BoardBlocks summary_;
};

}  // namespace squish

#endif  // SQUISH_JETSON_AGENT_MEASURE_BOARD_H_
