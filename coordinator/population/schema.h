// The population's schema: versions, and the way from each to the next.
#ifndef SQUISH_COORDINATOR_POPULATION_SCHEMA_H_
#define SQUISH_COORDINATOR_POPULATION_SCHEMA_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "coordinator/population/sqlite.h"

namespace squish {

// Marks a SQLite file as a population: "Sqsh", in the file's header.
inline constexpr int kApplicationId = 0x53717368;

// The version that this program reads and writes; in the header as user_version.
inline constexpr int kSchemaVersion = 4;

// Makes a new file a population, and brings an older one up to kSchemaVersion, each
// version in one transaction. INVALID_ARGUMENT: the file is something else.
// FAILED_PRECONDITION: its schema is newer than this program. Else as in
// Database::Execute. Nothing was changed when it is refused.
absl::Status PrepareSchema(Database& database, absl::string_view path);

// The same up to an earlier version: how tests come by files of earlier programs.
absl::Status PrepareSchemaOfVersion(Database& database, absl::string_view path, int version);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_POPULATION_SCHEMA_H_
