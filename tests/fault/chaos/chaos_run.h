// The driver's two runs of one experiment: the calm one, which says what shall come out, and
// the chaotic one, which breeds it again and again under faults until enough have struck.
//
// A fault counts only while somebody is at work, and that is made sure of, not assumed: the
// runner at work is stopped, the coordinator is asked whether its lease is live (or the spool,
// or the upload, is looked at), then the fault strikes, then the runner goes on.
#ifndef SQUISH_TESTS_FAULT_CHAOS_CHAOS_RUN_H_
#define SQUISH_TESTS_FAULT_CHAOS_CHAOS_RUN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/fault/chaos/fault_plan.h"
#include "tests/fault/chaos/outcome.h"
#include "tests/fault/chaos/scene.h"

namespace squish {

// Runs the experiment once, undisturbed. DEADLINE_EXCEEDED: it does not come to its end.
absl::StatusOr<Outcome> RunCalm(const SceneOptions& options);

struct ChaosReport {
  Histogram histogram;
  int experiments = 0;
  int missed = 0;         // Strikes that found nothing to strike.
  int ended_by_disk = 0;  // Processes that ended because their disk failed.
  absl::Duration took;
  std::vector<std::string> problems;  // What went wrong while it ran.
};

// Until `faults` have struck and everything that was begun has ended, and all processes have
// stopped. The population lies in Scene::population() and can be checked (outcome.h).
// FAILED_PRECONDITION and others of LocalCluster::Start.
absl::StatusOr<ChaosReport> RunChaos(const SceneOptions& options, int faults, uint64_t seed);

}  // namespace squish

#endif  // SQUISH_TESTS_FAULT_CHAOS_CHAOS_RUN_H_
