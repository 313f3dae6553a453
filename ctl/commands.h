// The commands of squishctl, but for the demo. Each prints its answer to `out`; errors
// are for the caller to print.
#ifndef SQUISH_CTL_COMMANDS_H_
#define SQUISH_CTL_COMMANDS_H_

#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "ctl/coordinator_client.h"

namespace squish {

// Prints the experiment's id. INVALID_ARGUMENT: the file is no spec (file:line:column).
absl::Status SubmitCommand(CoordinatorClient& client, const std::string& file, std::ostream& out);
// Checks a spec without a coordinator. Errors as SubmitCommand.
absl::Status ValidateCommand(const std::string& file, std::ostream& out);
absl::Status ListCommand(CoordinatorClient& client, std::ostream& out);
absl::Status StatusCommand(CoordinatorClient& client, const std::string& id, std::ostream& out);
// Prints individuals as they become complete and changes of state, until the experiment
// has ended. Goes on after the coordinator was away. ABORTED: it ended without success.
absl::Status WatchCommand(CoordinatorClient& client, const std::string& id, std::ostream& out);
// `format` is "table" or "csv".
absl::Status IndividualsCommand(CoordinatorClient& client, const std::string& id,
                                const std::string& format, std::ostream& out);
absl::Status SpeedsCommand(CoordinatorClient& client, const std::string& id, std::ostream& out);
// Prints the state that an experiment has after pause, resume or cancel.
absl::Status PrintState(const absl::StatusOr<v1::Experiment>& experiment, std::ostream& out);

}  // namespace squish

#endif  // SQUISH_CTL_COMMANDS_H_
