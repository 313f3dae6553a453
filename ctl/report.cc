#include "ctl/report.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "ctl/table.h"

namespace squish {
namespace {

constexpr char kCsvColumns[] =
    "experiment,strategy,seed,generation,individual,parents,parameters,megabytes,macs,"
    "selection_accuracy,selection_log_loss,val_accuracy,images_per_second,ratio_to_ancestor,"
    "images_seen,genome_digest,weights_digest,training_seconds,step_seconds,measured_on\n";

std::string NameOf(const v1::IndividualName& name) {
  return absl::StrCat(name.generation(), ":", name.index());
}

std::string ParentsOf(const v1::Individual& individual) {
  return absl::StrJoin(individual.parents(), "+",
                       [](std::string* out, const v1::IndividualName& name) {
                         absl::StrAppend(out, NameOf(name));
                       });
}

double Megabytes(const v1::Individual& individual) {
  return static_cast<double>(individual.bytes()) * 1e-6;
}

bool IsBorn(const v1::Individual& individual) { return individual.parameters() > 0; }

// --- Cells for people; "-" where not known.

std::string AccuracyCell(const v1::Individual& individual) {
  if (individual.state() == v1::Individual::DIVERGED) return "diverged";
  if (!individual.has_selection_accuracy()) return "-";
  return absl::StrFormat("%.1f %%", 100 * individual.selection_accuracy());
}

std::string SpeedCell(const v1::Individual& individual) {
  if (individual.state() == v1::Individual::UNSUPPORTED) return "refused";
  if (!individual.has_images_per_second()) return "-";
  return absl::StrFormat("%.1f", individual.images_per_second());
}

std::string RatioCell(const v1::Individual& individual) {
  if (!individual.has_ratio_to_ancestor()) return "-";
  return absl::StrFormat("%.3f", individual.ratio_to_ancestor());
}

std::vector<std::string> PersonalCells(const v1::Individual& individual) {
  const std::string parents = ParentsOf(individual);
  return {absl::StrCat(individual.name().generation()),
          absl::StrCat(individual.name().index()),
          parents.empty() ? "-" : parents,
          IsBorn(individual) ? WithThousands(individual.parameters()) : "-",
          IsBorn(individual) ? absl::StrFormat("%.3f", Megabytes(individual)) : "-",
          AccuracyCell(individual),
          SpeedCell(individual),
          RatioCell(individual)};
}

std::vector<Column> PersonalColumns() {
  return {{"generation", Align::kRight, 10}, {"index", Align::kRight, 5},
          {"parents", Align::kLeft, 9},      {"parameters", Align::kRight, 10},
          {"MB", Align::kRight, 6},          {"accuracy", Align::kRight, 8},
          {"images/s", Align::kRight, 8},    {"ratio", Align::kRight, 6}};
}

std::map<int, std::vector<v1::Individual>> ByGeneration(
    const std::vector<v1::Individual>& individuals) {
  std::map<int, std::vector<v1::Individual>> generations;
  for (const v1::Individual& individual : individuals) {
    generations[individual.name().generation()].push_back(individual);
  }
  return generations;
}

std::string When(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::FromUnixSeconds(time.seconds()),
                          absl::LocalTimeZone());
}

}  // namespace

std::string IndividualsCsv(const v1::Experiment& experiment,
                           const std::vector<v1::Individual>& individuals) {
  std::string csv = kCsvColumns;
  for (const v1::Individual& individual : individuals) {
    const bool born = IsBorn(individual);
    const auto number = [](bool known, int decimals, double value) {
      return known ? absl::StrFormat("%.*f", decimals, value) : std::string();
    };
    const auto count = [](bool known, int64_t value) {
      return known ? absl::StrCat(value) : std::string();
    };
    const std::vector<std::string> cells = {
        experiment.id(),
        "EVOLUTION",
        absl::StrCat(experiment.spec().seed()),
        absl::StrCat(individual.name().generation()),
        absl::StrCat(individual.name().index()),
        ParentsOf(individual),
        count(born, individual.parameters()),
        number(born, 6, Megabytes(individual)),
        count(individual.macs() > 0, individual.macs()),
        number(individual.has_selection_accuracy(), 6, individual.selection_accuracy()),
        number(individual.has_selection_log_loss(), 6, individual.selection_log_loss()),
        "",  // No individual has been evaluated on val/ before champions are trained.
        number(individual.has_images_per_second(), 3, individual.images_per_second()),
        number(individual.has_ratio_to_ancestor(), 6, individual.ratio_to_ancestor()),
        count(individual.images_seen() > 0, individual.images_seen()),
        individual.genome_digest(),
        individual.weights_digest(),
        number(individual.training_seconds() > 0, 3, individual.training_seconds()),
        number(individual.step_seconds() > 0, 3, individual.step_seconds()),
        // It holds commas and no quotes.
        individual.measured_on().empty() ? "" : absl::StrCat("\"", individual.measured_on(), "\"")};
    absl::StrAppend(&csv, absl::StrJoin(cells, ","), "\n");
  }
  return csv;
}

std::string SpeedsCsv(const std::vector<v1::Individual>& individuals) {
  std::string csv = "architecture_digest,images_per_second\n";
  std::set<std::string> seen;
  for (const v1::Individual& individual : individuals) {
    if (!individual.has_images_per_second()) continue;
    if (!seen.insert(individual.architecture_digest()).second) continue;
    // Seventeen digits give the same double back.
    absl::StrAppendFormat(&csv, "%s,%.17g\n", individual.architecture_digest(),
                          individual.images_per_second());
  }
  return csv;
}

bool IsComplete(const v1::Individual& individual) {
  switch (individual.state()) {
    case v1::Individual::EVALUATED:
    case v1::Individual::DIVERGED:
    case v1::Individual::UNSUPPORTED:
      return true;
    default:
      return individual.has_selection_accuracy() && individual.has_images_per_second();
  }
}

bool HasEnded(const v1::Experiment& experiment) {
  return experiment.state() == v1::Experiment::SUCCEEDED ||
         experiment.state() == v1::Experiment::FAILED ||
         experiment.state() == v1::Experiment::CANCELLED;
}

std::string IndividualTitles() { return FormatTitles(PersonalColumns()); }

std::string IndividualLine(const v1::Individual& individual) {
  return FormatRow(PersonalColumns(), PersonalCells(individual));
}

std::string IndividualsTable(const std::vector<v1::Individual>& individuals) {
  std::vector<Column> columns = PersonalColumns();
  columns.push_back({"selected", Align::kLeft, 8});
  std::vector<std::vector<std::string>> rows;
  for (const v1::Individual& individual : individuals) {
    rows.push_back(PersonalCells(individual));
    rows.back().push_back(individual.selected() ? "yes" : "");
  }
  return FormatTable(columns, rows);
}

std::string GenerationsTable(const std::vector<v1::Individual>& individuals) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [generation, members] : ByGeneration(individuals)) {
    v1::Individual best;  // Of each kind, not one individual.
    std::vector<std::string> selected;
    for (const v1::Individual& member : members) {
      if (member.selected()) selected.push_back(absl::StrCat(member.name().index()));
      if (member.selection_accuracy() >= best.selection_accuracy() &&
          member.has_selection_accuracy()) {
        best.set_selection_accuracy(member.selection_accuracy());
      }
      if (member.has_ratio_to_ancestor() &&
          member.ratio_to_ancestor() >= best.ratio_to_ancestor()) {
        best.set_ratio_to_ancestor(member.ratio_to_ancestor());
      }
      if (IsBorn(member) && (best.bytes() == 0 || member.bytes() < best.bytes())) {
        best.set_bytes(member.bytes());
      }
    }
    rows.push_back({absl::StrCat(generation), absl::StrCat(members.size()),
                    best.bytes() > 0 ? absl::StrFormat("%.3f", Megabytes(best)) : "-",
                    AccuracyCell(best), RatioCell(best), absl::StrJoin(selected, " ")});
  }
  return FormatTable({{"generation"}, {"individuals"}, {"smallest MB"}, {"best accuracy"},
                      {"best ratio"}, {"selected", Align::kLeft}},
                     rows);
}

std::string BestNetworksTable(const std::vector<BestNetwork>& best) {
  std::vector<Column> columns = PersonalColumns();
  columns.insert(columns.begin(), {"best network", Align::kLeft});
  std::vector<std::vector<std::string>> rows;
  for (const BestNetwork& network : best) {
    rows.push_back(PersonalCells(network.individual));
    rows.back().insert(rows.back().begin(), network.role);
  }
  return FormatTable(columns, rows);
}

std::string SpeedsSentence(const std::vector<v1::Individual>& individuals) {
  std::set<std::string> settings;
  for (const v1::Individual& individual : individuals) {
    if (!individual.measured_on().empty()) settings.insert(individual.measured_on());
  }
  if (settings.empty()) return "";
  return absl::StrCat("Speeds were measured on: ", absl::StrJoin(settings, "; "), ".\n");
}

std::string StateSentence(const v1::Experiment& experiment) {
  std::string sentence = absl::StrCat(v1::Experiment::State_Name(experiment.state()),
                                      ", generation ", experiment.generation(), " of ",
                                      experiment.spec().generations());
  if (!experiment.reason().empty()) absl::StrAppend(&sentence, ": ", experiment.reason());
  return sentence;
}

std::string ExperimentText(const v1::Experiment& experiment) {
  std::vector<std::vector<std::string>> rows = {
      {"id", experiment.id()},
      {"name", experiment.spec().name()},
      {"state", StateSentence(experiment)},
      {"created", When(experiment.created())},
      {"data set", experiment.dataset().fingerprint().empty()
                       ? absl::StrCat(experiment.spec().dataset().name(), ", not yet prepared")
                       : absl::StrCat(experiment.spec().dataset().name(), ", fingerprint ",
                                      experiment.dataset().fingerprint())},
      {"device class", experiment.device_class().empty() ? "-" : experiment.device_class()},
      {"images trained", WithThousands(experiment.images_planned())},
      {"images wasted", WithThousands(experiment.images_wasted())},
      {"population digest", experiment.population_digest()}};
  if (HasEnded(experiment)) {
    rows.insert(rows.begin() + 4, {"finished", When(experiment.finished())});
  }
  if (experiment.numerics_classes_size() > 1) {
    rows.push_back({"note", absl::StrCat("not reproducible: trained in ",
                                         experiment.numerics_classes_size(),
                                         " numerics classes")});
  }
  std::string text;
  for (const auto& row : rows) absl::StrAppendFormat(&text, "%-18s %s\n", row[0], row[1]);
  return text;
}

std::string ExperimentsTable(const std::vector<v1::Experiment>& experiments) {
  std::vector<std::vector<std::string>> rows;
  for (const v1::Experiment& experiment : experiments) {
    rows.push_back({experiment.id(), experiment.spec().name(),
                    v1::Experiment::State_Name(experiment.state()),
                    absl::StrCat(experiment.generation(), "/", experiment.spec().generations()),
                    When(experiment.created()), experiment.reason()});
  }
  return FormatTable({{"experiment", Align::kLeft},
                      {"name", Align::kLeft},
                      {"state", Align::kLeft},
                      {"generation"},
                      {"created", Align::kLeft},
                      {"reason", Align::kLeft}},
                     rows);
}

}  // namespace squish
