// The driver's two runs: the chaotic one, which breeds one small experiment after another
// under faults until enough have struck, and the calm one, which breeds the same experiments
// undisturbed and says what should have come out. Each experiment has a seed of its own, so
// that nothing of it is in the store before.
//
// A fault counts only while somebody is at work, and that is made sure of, not assumed: the
// runner at work is stopped, the coordinator is asked whether its lease is live (or the spool,
// or the upload, is looked at), then the fault strikes, then the runner goes on.
#ifndef SQUISH_TESTS_FAULT_CHAOS_CHAOS_RUN_H_
#define SQUISH_TESTS_FAULT_CHAOS_CHAOS_RUN_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/fault/chaos/fault_plan.h"
#include "tests/fault/chaos/outcome.h"
#include "tests/fault/chaos/scene.h"

namespace squish {

struct ChaosReport {
  Histogram histogram;
  int experiments = 0;    // Their seeds are 1 to this.
  int ended_by_disk = 0;  // Processes that ended because their disk failed.
  absl::Duration took;
  std::vector<std::string> problems;  // What went wrong while it ran.
};

// Until `faults` have struck (at most twice as many where kinds are missing still: Owed) and
// everything that was begun has ended, and all processes have stopped. The population lies in
// Scene::population() and can be checked (outcome.h).
// FAILED_PRECONDITION and others of LocalCluster::Start.
absl::StatusOr<ChaosReport> RunChaos(const SceneOptions& options, int faults, uint64_t seed);

// Runs the experiments with the seeds 1 to `experiments` to their ends, undisturbed. By seed.
// DEADLINE_EXCEEDED: one does not come to its end, or does not succeed.
absl::StatusOr<std::map<uint64_t, Outcome>> RunCalm(const SceneOptions& options, int experiments);

}  // namespace squish

#endif  // SQUISH_TESTS_FAULT_CHAOS_CHAOS_RUN_H_
