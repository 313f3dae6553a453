// Champions as people see them. Pure.
#ifndef SQUISH_CTL_CHAMPIONS_H_
#define SQUISH_CTL_CHAMPIONS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ctl/sheet.h"
#include "squish/v1/experiment.pb.h"

namespace squish {

// "smallest", "fastest", "most-accurate", "knee", "0.95" (the megabytes asked for).
std::string RoleName(const v1::Champion::Role& role);

// "smallest, knee"; a role that is not met is followed by '*'.
std::string RolesText(const v1::Champion& champion);

// One row a champion.
Sheet ChampionsSheet(const std::vector<v1::Champion>& champions);

// What stands below the table: what a '*' means, what val accuracies and speeds are of, and
// what imported weights have seen. Empty without champions.
std::string ChampionsFootnote(const v1::Experiment& experiment,
                              const std::vector<v1::Champion>& champions);

// The champion that `which` names: by a role as RoleName writes it, or by its individual,
// "generation:index". NOT_FOUND says which there are.
absl::StatusOr<v1::Champion> FindChampion(const std::vector<v1::Champion>& champions,
                                          absl::string_view which);

}  // namespace squish

#endif  // SQUISH_CTL_CHAMPIONS_H_
