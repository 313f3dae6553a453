#include "ctl/champions.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace squish {
namespace {

std::string NameOf(const v1::Champion& champion) {
  const v1::IndividualName& name = champion.individual().name();
  return absl::StrCat(name.generation(), ":", name.index());
}

std::string Percent(bool known, double fraction) {
  return known ? absl::StrFormat("%.1f %%", 100 * fraction) : "-";
}

bool Has(const v1::Champion& champion, absl::string_view which) {
  if (NameOf(champion) == which) return true;
  double megabytes = 0;
  const bool is_size = absl::SimpleAtod(which, &megabytes);
  return std::any_of(champion.roles().begin(), champion.roles().end(), [&](const auto& role) {
    return RoleName(role) == which ||
           (is_size && role.kind() == v1::Champion::Role::SIZE && role.megabytes() == megabytes);
  });
}

}  // namespace

std::string RoleName(const v1::Champion::Role& role) {
  if (role.kind() == v1::Champion::Role::SIZE) return absl::StrCat(role.megabytes());
  return absl::StrReplaceAll(absl::AsciiStrToLower(v1::Champion::Role::Kind_Name(role.kind())),
                             {{"_", "-"}});
}

std::string RolesText(const v1::Champion& champion) {
  return absl::StrJoin(champion.roles(), ", ", [](std::string* out, const auto& role) {
    absl::StrAppend(out, RoleName(role),
                    role.kind() == v1::Champion::Role::SIZE ? " MB" : "", role.met() ? "" : "*");
  });
}

Sheet ChampionsSheet(const std::vector<v1::Champion>& champions) {
  Sheet sheet;
  sheet.columns = {{"champion", Align::kLeft}, {"individual", Align::kLeft}, {"parameters"},
                   {"MB"}, {"val accuracy"}, {"val log-loss"}, {"selection accuracy"},
                   {"ratio"}, {"state", Align::kLeft}, {"measured on", Align::kLeft}};
  for (const v1::Champion& champion : champions) {
    const v1::Individual& individual = champion.individual();
    const bool evaluated = champion.has_evaluation();
    sheet.rows.push_back(
        {RolesText(champion), NameOf(champion), WithThousands(individual.parameters()),
         absl::StrFormat("%.3f", static_cast<double>(individual.bytes()) * 1e-6),
         Percent(evaluated, champion.evaluation().accuracy()),
         evaluated ? absl::StrFormat("%.3f", champion.evaluation().log_loss()) : "-",
         Percent(champion.has_selection_accuracy(), champion.selection_accuracy()),
         individual.has_ratio_to_ancestor()
             ? absl::StrFormat("%.3f", individual.ratio_to_ancestor())
             : "-",
         v1::Champion::State_Name(champion.state()), individual.measured_on()});
  }
  return sheet;
}

std::string ChampionsFootnote(const v1::Experiment& experiment,
                              const std::vector<v1::Champion>& champions) {
  std::string text;
  for (const v1::Champion& champion : champions) {
    for (const auto& role : champion.roles()) {
      if (role.met()) continue;
      text = "* nothing feasible was found for it; this is the nearest.\n";
    }
  }
  const bool evaluated = std::any_of(champions.begin(), champions.end(),
                                     [](const auto& one) { return one.has_evaluation(); });
  if (evaluated) {
    absl::StrAppend(&text, "Val accuracies are of one evaluation on val/, which nothing else in "
                           "this experiment has looked at.\n");
  }
  const v1::ImportedSqueezeNet& imported = experiment.spec().ancestor().imported();
  if (evaluated && experiment.spec().ancestor().has_imported()) {
    absl::StrAppend(&text, "Its weights were imported: ",
                    imported.note().empty() ? "what they have seen was not stated."
                                            : imported.note(),
                    "\n");
  }
  if (evaluated && experiment.spec().ancestor().has_branch()) {
    absl::StrAppend(&text, "It is a branch of ", experiment.spec().ancestor().branch().experiment(),
                    ": what holds for that one's weights and val/ holds here, too.\n");
  }
  return text;
}

absl::StatusOr<v1::Champion> FindChampion(const std::vector<v1::Champion>& champions,
                                          absl::string_view which) {
  for (const v1::Champion& champion : champions) {
    if (Has(champion, which)) return champion;
  }
  if (champions.empty()) {
    return absl::NotFoundError(
        "the experiment has no champions yet: they are chosen when its last generation is closed");
  }
  std::vector<std::string> names;
  for (const v1::Champion& champion : champions) {
    for (const auto& role : champion.roles()) names.push_back(RoleName(role));
    names.push_back(NameOf(champion));
  }
  return absl::NotFoundError(absl::StrCat("there is no champion '", which, "'; there are ",
                                          absl::StrJoin(names, ", ")));
}

}  // namespace squish
