// Whether a population may lie on a file system.
#ifndef SQUISH_COORDINATOR_POPULATION_FILE_SYSTEM_H_
#define SQUISH_COORDINATOR_POPULATION_FILE_SYSTEM_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace squish {

// The name of a file system that is shared over a network, by statfs's f_type; else empty.
// SQLite's locks and syncs cannot be relied on there (sqlite.org/howtocorrupt.html, 2.1).
const char* NetworkFileSystem(int64_t type);

// FAILED_PRECONDITION: the file at `path`, or its folder where it is not there yet, is on one
// of those. What cannot be told is taken for local.
absl::Status CheckIsLocal(const std::string& path);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_POPULATION_FILE_SYSTEM_H_
