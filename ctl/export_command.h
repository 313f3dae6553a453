// `squishctl export`: a champion as a folder that somebody can use.
#ifndef SQUISH_CTL_EXPORT_COMMAND_H_
#define SQUISH_CTL_EXPORT_COMMAND_H_

#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "ctl/coordinator_client.h"

namespace squish {

// Makes `folder` with every file of the champion that `which` names (FindChampion), its
// class names, preprocessing, predictions on `val/`, model card (README.md) and example
// program. The folder appears whole or not at all. ALREADY_EXISTS: it is there.
// FAILED_PRECONDITION: the champion is not ready yet. NOT_FOUND: no such experiment or
// champion. DATA_LOSS: the network's file is none. Others: the file system's, the
// coordinator's.
absl::Status ExportCommand(CoordinatorClient& client, const std::string& id,
                           const std::string& which, const std::string& folder, std::ostream& out);

}  // namespace squish

#endif  // SQUISH_CTL_EXPORT_COMMAND_H_
