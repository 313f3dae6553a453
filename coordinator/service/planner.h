// Turns plans into jobs and closed generations.
//
//   accepted fact ──► MakePlan ──► wanted jobs ──► inserted if absent
//                        ▲   │                 └─► measurement known: a fact at once ─┐
//                        │   ├─► closing ──► summary, next generation ────────────────┤
//                        └───┼──────────────────────────────────────────────────────┘
//                            └─► failed, finished ──► the experiment ends
//
// Not thread-safe; part of the coordinator's loop.
#ifndef SQUISH_COORDINATOR_SERVICE_PLANNER_H_
#define SQUISH_COORDINATOR_SERVICE_PLANNER_H_

#include <optional>
#include <vector>

#include "coordinator/service/ledger.h"
#include "coordinator/service/live_experiment.h"

namespace squish {

class Planner {
 public:
  // The ledger outlives it.
  explicit Planner(Ledger* ledger) : ledger_(*ledger) {}

  // Plans until there is nothing new: after a start and a pinned data set. Idempotent;
  // does nothing without a data set and after the end.
  void Advance(LiveExperiment& experiment);

  // The same after an accepted fact about individual `index`. Where individuals stand apart
  // (plan.h) it costs O(1) until the generation is complete, and not O(generation).
  void AdvanceAfter(LiveExperiment& experiment, int index);

 private:
  // Inserts what is wanted and not there. True: a fact was found on the way.
  bool AddWanted(LiveExperiment& experiment, const std::vector<v1::Job>& wanted);
  // The cached answer to a MEASURE job.
  std::optional<v1::AttemptResult> FindAnswer(const LiveExperiment& experiment,
                                              const v1::Job& job);

  Ledger& ledger_;
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_PLANNER_H_
