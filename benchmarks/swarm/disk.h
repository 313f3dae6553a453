// What the disk and SQLite do by themselves: what a coordinator's figures are compared with.
#ifndef SQUISH_BENCHMARKS_SWARM_DISK_H_
#define SQUISH_BENCHMARKS_SWARM_DISK_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace squish {

// `bytes` that no file system can make smaller, others for each `seed`.
std::string IncompressibleBytes(int64_t bytes, uint64_t seed);

// Transactions in a second, each of one row of 1 KiB, by one connection in WAL mode with
// synchronous=FULL, for so long. The database is made in `folder` and removed.
absl::StatusOr<double> SyncedTransactionsPerSecond(const std::string& folder,
                                                   absl::Duration duration);

// Files in a second that are written, synced, renamed and their folder synced, by so many
// threads, for so long. They are made in `folder` and removed.
absl::StatusOr<double> SyncedFilesPerSecond(const std::string& folder, int64_t bytes, int threads,
                                            absl::Duration duration);

}  // namespace squish

#endif  // SQUISH_BENCHMARKS_SWARM_DISK_H_
