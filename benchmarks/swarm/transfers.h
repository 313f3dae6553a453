// Artifacts to a coordinator, by the runners' own client.
#ifndef SQUISH_BENCHMARKS_SWARM_TRANSFERS_H_
#define SQUISH_BENCHMARKS_SWARM_TRANSFERS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "benchmarks/swarm/answers.h"

namespace squish {

// Uploads the small artifact that all of the swarm's results name.
absl::StatusOr<StandIn> UploadStandIn(const std::string& coordinator, const std::string& folder);

// Uploads `count` distinct artifacts of `bytes` incompressible bytes by so many clients,
// each with a connection of its own, and returns how many became durable in a second. The
// files are made in `folder` (in memory, if that is to be fair to the disk) before the
// clock starts, and removed; `seed` must be another each time.
absl::StatusOr<double> ArtifactsPerSecond(const std::string& coordinator, const std::string& folder,
                                          int64_t bytes, int count, int clients, uint64_t seed);

// Uploads one artifact of `bytes` and downloads it again, which compares its digest. Makes
// two files of that size in `folder` and removes them.
struct RoundTrip {
  double upload_seconds = 0;
  double download_seconds = 0;
};
absl::StatusOr<RoundTrip> MoveLargeArtifact(const std::string& coordinator,
                                            const std::string& folder, int64_t bytes);

// Empty calls (of the health service) in a second, one after the other by one client.
absl::StatusOr<double> EmptyCallsPerSecond(const std::string& coordinator, absl::Duration duration);

}  // namespace squish

#endif  // SQUISH_BENCHMARKS_SWARM_TRANSFERS_H_
