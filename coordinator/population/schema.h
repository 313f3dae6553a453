// The population's schema: versions, and the way from each to the next.
#ifndef SQUISH_COORDINATOR_POPULATION_SCHEMA_H_
#define SQUISH_COORDINATOR_POPULATION_SCHEMA_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "coordinator/population/sqlite.h"

namespace squish {

// Marks a SQLite file as a population: "Sqsh", in the file's header.
inline constexpr int kApplicationId = 0x53717368;

// The version that this program reads and writes; in the header as user_version.
inline constexpr int kSchemaVersion = 4;

// Makes a new file a population, and brings an older one up to kSchemaVersion, each
// version in one transaction, after a copy of the file as it was has been kept at CopyOfSchema.
// INVALID_ARGUMENT: the file is something else. FAILED_PRECONDITION: its schema is newer than
// this program, or the file is in use. Else as in Database::Execute, and ErrnoStatus where the
// copy cannot be put in place. Nothing was changed when it is refused.
absl::Status PrepareSchema(Database& database, absl::string_view path);

// Where an upgrade leaves the population as it was at that version: "FILE.schema-3".
std::string CopyOfSchema(absl::string_view path, int64_t version);

// Behind the population's name, what of it is being copied; removed where a process left it.
inline constexpr char kCopyMark[] = ".copy-";

// The same up to an earlier version: how tests come by files of earlier programs.
absl::Status PrepareSchemaOfVersion(Database& database, absl::string_view path, int version);

}  // namespace squish

#endif  // SQUISH_COORDINATOR_POPULATION_SCHEMA_H_
