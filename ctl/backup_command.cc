#include "ctl/backup_command.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/artifacts/blob_store.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

// What a coordinator makes beside a database that it has open, or had when it was killed.
absl::Status CheckUnused(const std::string& database) {
  for (const char* suffix : {"-wal", "-shm", "-journal"}) {
    if (!std::filesystem::exists(absl::StrCat(database, suffix))) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(database, " is in use, or was not closed (there is ", database, suffix,
                     "); name another folder for the backup"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status BackupCommand(CoordinatorClient& client, const std::string& folder,
                           std::ostream& out) {
  SQUISH_RETURN_IF_ERROR(MakeFolder(folder));
  const std::string database = JoinPath(folder, "population.db");
  SQUISH_RETURN_IF_ERROR(CheckUnused(database));
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<BlobStore> store,
                          BlobStore::Open(absl::StrCat(database, ".artifacts")));
  SQUISH_ASSIGN_OR_RETURN(const v1::BackupResponse backup, client.Backup());
  SQUISH_ASSIGN_OR_RETURN(const std::string manifest, client.Fetch(backup.manifest()));
  int64_t fetched = 0;
  for (const absl::string_view digest : absl::StrSplit(manifest, '\n', absl::SkipEmpty())) {
    if (store->Contains(digest)) continue;
    SQUISH_RETURN_IF_ERROR(client.Download(digest, *store));
    ++fetched;
  }
  // Through the store, which does not hold it in memory, and out of it again.
  SQUISH_RETURN_IF_ERROR(client.Download(backup.database(), *store));
  SQUISH_RETURN_IF_ERROR(RenameDurably(store->PathOf(backup.database()), database));
  out << database << ": " << backup.artifacts() << " artifacts, " << fetched
      << " of them fetched now; check it with: coordinator --population " << database
      << " --fsck\n";
  return absl::OkStatus();
}

}  // namespace squish
