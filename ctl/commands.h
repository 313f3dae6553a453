// The commands of squishctl, but for the larger ones that have files of their own. Each
// prints its answer to `out`; errors are for the caller to print.
#ifndef SQUISH_CTL_COMMANDS_H_
#define SQUISH_CTL_COMMANDS_H_

#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "ctl/coordinator_client.h"
#include "ctl/sheet.h"

namespace squish {

// Prints the experiment's id. Imported weights that the spec names are uploaded before.
// INVALID_ARGUMENT: the file is no spec (file:line:column).
absl::Status SubmitCommand(CoordinatorClient& client, const std::string& file, std::ostream& out);
// Checks a spec without a coordinator. Errors as SubmitCommand.
absl::Status ValidateCommand(const std::string& file, std::ostream& out);
// What the experiment would cost on the fleet; starts nothing. `data`: the folder of its
// data set, for when no connected worker knows; may be empty. Errors as SubmitCommand and
// those of looking at the folder.
absl::Status PlanCommand(CoordinatorClient& client, const std::string& file,
                         const std::string& data, Format format, std::ostream& out);
absl::Status ListCommand(CoordinatorClient& client, Format format, std::ostream& out);
absl::Status StatusCommand(CoordinatorClient& client, const std::string& id, Format format,
                           std::ostream& out);
// Prints individuals as they become complete and changes of state, until the experiment
// has ended; with `progress`, meant for terminals, a bar below them. Goes on after the
// coordinator was away. ABORTED: it ended without success.
absl::Status WatchCommand(CoordinatorClient& client, const std::string& id, bool progress,
                          std::ostream& out);
absl::Status IndividualsCommand(CoordinatorClient& client, const std::string& id, Format format,
                                std::ostream& out);
// One individual, "generation:index", with how it was born. NOT_FOUND: there is none.
absl::Status ShowCommand(CoordinatorClient& client, const std::string& id,
                         const std::string& individual, Format format, std::ostream& out);
// The individual and its parents back to generation 0.
absl::Status LineageCommand(CoordinatorClient& client, const std::string& id,
                            const std::string& individual, Format format, std::ostream& out);
// Figures of each generation. `with_similarity` fetches every network that was born, to
// compare their genomes: megabytes each. DATA_LOSS: one of them is no network.
absl::Status GenerationsCommand(CoordinatorClient& client, const std::string& id,
                                bool with_similarity, Format format, std::ostream& out);
absl::Status ChampionsCommand(CoordinatorClient& client, const std::string& id, Format format,
                              std::ostream& out);
absl::Status RunnersCommand(CoordinatorClient& client, Format format, std::ostream& out);
absl::Status SpeedsCommand(CoordinatorClient& client, const std::string& id, std::ostream& out);
// Prints the state that an experiment has after pause, resume, retry or cancel.
absl::Status PrintState(const absl::StatusOr<v1::Experiment>& experiment, std::ostream& out);

}  // namespace squish

#endif  // SQUISH_CTL_COMMANDS_H_
