// `squishctl backup DIR`.
#ifndef SQUISH_CTL_BACKUP_COMMAND_H_
#define SQUISH_CTL_BACKUP_COMMAND_H_

#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "ctl/coordinator_client.h"

namespace squish {

// Makes `folder` a population like the coordinator's at this moment: population.db with
// population.db.artifacts beside it, from which a coordinator can start. Artifacts that are
// there from an earlier backup are not fetched again. The database comes last, so that a backup
// that was cut off leaves the one before. FAILED_PRECONDITION: a coordinator has been at work
// in the folder. Else codes of CoordinatorClient and of the disk.
absl::Status BackupCommand(CoordinatorClient& client, const std::string& folder,
                           std::ostream& out);

}  // namespace squish

#endif  // SQUISH_CTL_BACKUP_COMMAND_H_
