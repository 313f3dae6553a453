// What one batch of the coordinator changed, for those who are told once it is on disk:
// watchers, metrics, the store of artifacts. A batch that could not be committed changed nothing.
#ifndef SQUISH_COORDINATOR_SERVICE_CHANGES_H_
#define SQUISH_COORDINATOR_SERVICE_CHANGES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "squish/v1/experiment.pb.h"
#include "squish/v1/job.pb.h"

namespace squish {

struct Changes {
  struct IndividualChange {
    std::string experiment;
    v1::Individual individual;
  };
  std::vector<IndividualChange> individuals;
  struct ChampionChange {
    std::string experiment;
    v1::Champion champion;
  };
  std::vector<ChampionChange> champions;

  // Results that were accepted, with the time since their lease.
  struct Acceptance {
    v1::JobKey::Kind kind;
    std::optional<absl::Duration> latency;  // Unknown for leases before a restart.
  };
  std::vector<Acceptance> accepted;

  // Experiments that ended.
  std::vector<std::string> ended;

  int64_t lease_expiries = 0;

  // Artifacts of checkpoints that are no job's latest any more.
  std::vector<std::string> obsolete_checkpoints;
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_CHANGES_H_
