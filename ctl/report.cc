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

Sheet Fields() {
  Sheet fields;
  fields.columns = {{"field", Align::kLeft}, {"value", Align::kLeft}};
  return fields;
}

std::string When(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::FromUnixSeconds(time.seconds()),
                          absl::LocalTimeZone());
}

}  // namespace

std::string IndividualsCsv(const v1::Experiment& experiment,
                           const std::vector<v1::Individual>& individuals,
                           const std::vector<v1::Champion>& champions) {
  // By weights: what was trained further has others than the individual.
  std::map<std::string, double> val_accuracies;
  for (const v1::Champion& champion : champions) {
    if (!champion.has_evaluation()) continue;
    val_accuracies[champion.weights_digest()] = champion.evaluation().accuracy();
  }
  std::string csv = kCsvColumns;
  for (const v1::Individual& individual : individuals) {
    const bool born = IsBorn(individual);
    const auto number = [](bool known, int decimals, double value) {
      return known ? absl::StrFormat("%.*f", decimals, value) : std::string();
    };
    const auto count = [](bool known, int64_t value) {
      return known ? absl::StrCat(value) : std::string();
    };
    const auto val = val_accuracies.find(individual.weights_digest());
    const std::vector<std::string> cells = {
        experiment.id(),
        v1::ExperimentSpec::Strategy_Name(experiment.spec().strategy()),
        absl::StrCat(experiment.spec().seed()),
        absl::StrCat(individual.name().generation()),
        absl::StrCat(individual.name().index()),
        ParentsOf(individual),
        count(born, individual.parameters()),
        number(born, 6, Megabytes(individual)),
        count(individual.macs() > 0, individual.macs()),
        number(individual.has_selection_accuracy(), 6, individual.selection_accuracy()),
        number(individual.has_selection_log_loss(), 6, individual.selection_log_loss()),
        number(val != val_accuracies.end(), 6, val == val_accuracies.end() ? 0 : val->second),
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
    case v1::Individual::UNTRAINED:
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

std::string SpeedsSentence(const std::vector<v1::Individual>& individuals) {
  std::set<std::string> settings;
  for (const v1::Individual& individual : individuals) {
    if (!individual.measured_on().empty()) settings.insert(individual.measured_on());
  }
  if (settings.empty()) return "";
  return absl::StrCat("Speeds were measured on: ", absl::StrJoin(settings, "; "), ".\n");
}

std::string StateSentence(const v1::Experiment& experiment) {
  const bool all_closed =
      experiment.finishing() || experiment.state() == v1::Experiment::SUCCEEDED;
  const bool early = all_closed && experiment.generation() < experiment.spec().generations();
  std::string sentence = absl::StrCat(v1::Experiment::State_Name(experiment.state()),
                                      ", generation ", experiment.generation(), " of ",
                                      experiment.spec().generations(),
                                      early ? ", stopped early" : "",
                                      experiment.finishing() ? ", finishing champions" : "");
  if (!experiment.reason().empty()) absl::StrAppend(&sentence, ": ", experiment.reason());
  return sentence;
}

Sheet ExperimentFields(const v1::Experiment& experiment) {
  Sheet fields = Fields();
  fields.rows = {
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
    fields.rows.insert(fields.rows.begin() + 4, {"finished", When(experiment.finished())});
  }
  if (experiment.dataset().unreadable_images() > 0) {
    fields.rows.push_back(
        {"left out", absl::StrCat(experiment.dataset().unreadable_images(),
                                  " pictures that could not be read, such as ",
                                  absl::StrJoin(experiment.dataset().unreadable(), "; "))});
  }
  if (experiment.spec().ancestor().has_branch()) {
    const v1::BranchPoint& branch = experiment.spec().ancestor().branch();
    fields.rows.push_back(
        {"branch of", absl::StrCat(branch.experiment(), ", individual ",
                                   NameOf(branch.individual()))});
  }
  if (experiment.numerics_classes_size() > 1) {
    fields.rows.push_back({"note", absl::StrCat("not reproducible: trained in ",
                                                experiment.numerics_classes_size(),
                                                " numerics classes")});
  }
  return fields;
}

namespace {

// What measurement.beside found.
std::string SpeedsBesideCell(const v1::Individual& individual) {
  std::vector<std::string> speeds;
  for (const v1::Speed& speed : individual.beside()) {
    speeds.push_back(absl::StrCat(
        speed.has_images_per_second()
            ? absl::StrFormat("%.1f images/s, ratio %.3f", speed.images_per_second(),
                              speed.ratio_to_ancestor())
            : "refused",
        " (", speed.measured_on(), ")"));
  }
  return speeds.empty() ? "-" : absl::StrJoin(speeds, "; ");
}

}  // namespace

Sheet IndividualFields(const v1::Individual& individual) {
  Sheet fields = Fields();
  const std::string parents = ParentsOf(individual);
  fields.rows = {{"individual", NameOf(individual.name())},
                 {"state", v1::Individual::State_Name(individual.state())},
                 {"parents", parents.empty() ? "-" : parents},
                 {"parameters", WithThousands(individual.parameters())},
                 {"megabytes", absl::StrFormat("%.3f", Megabytes(individual))},
                 {"synapses", individual.synapses() > 0 ? WithThousands(individual.synapses()) : "-"},
                 {"MACs", WithThousands(individual.macs())},
                 {"selection accuracy", AccuracyCell(individual)},
                 {"selection log-loss", individual.has_selection_log_loss()
                                            ? absl::StrFormat("%.4f", individual.selection_log_loss())
                                            : "-"},
                 {"images/s", SpeedCell(individual)},
                 {"ratio", RatioCell(individual)},
                 {"measured on", individual.measured_on().empty() ? "-" : individual.measured_on()},
                 {"beside it", SpeedsBesideCell(individual)},
                 {"images trained", WithThousands(individual.images_seen())},
                 {"selected", individual.selected() ? "yes" : "no"},
                 {"genome digest", individual.genome_digest()},
                 {"weights digest", individual.weights_digest()},
                 {"born artifact", individual.born_artifact()},
                 {"trained artifact", individual.trained_artifact()}};
  if (individual.has_images_per_joule()) {
    fields.rows.push_back({"images/joule", absl::StrFormat("%.2f", individual.images_per_joule())});
  }
  if (!individual.strengths_artifact().empty()) {
    fields.rows.push_back({"strengths artifact", individual.strengths_artifact()});
  }
  const v1::BirthRecord& birth = individual.birth();
  if (birth.survival().empty()) return fields;
  fields.rows.push_back({"R", absl::StrFormat("%g", birth.resource_factor())});
  fields.rows.push_back({"kappa", absl::StrFormat("%.6g", birth.kappa())});
  fields.rows.push_back({"target budget", absl::StrFormat("%.0f", birth.target_budget())});
  fields.rows.push_back({"expected budget", absl::StrFormat("%.0f", birth.expected_budget())});
  for (const v1::LayerSurvival& layer : birth.survival()) {
    fields.rows.push_back(
        {layer.layer(), absl::StrCat(layer.after(), " of ", layer.before(), " filters")});
  }
  for (const v1::LayerTime& time : individual.profile()) {
    fields.rows.push_back(
        {absl::StrCat("time of ", time.layer()), absl::StrFormat("%.4f ms", time.milliseconds())});
  }
  return fields;
}

std::string RenderFields(Format format, const Sheet& fields,
                         const google::protobuf::Message& message) {
  if (format != Format::kTable) return Render(format, fields, message);
  std::string text;
  for (const auto& row : fields.rows) absl::StrAppendFormat(&text, "%-18s %s\n", row[0], row[1]);
  return text;
}

Sheet ExperimentsSheet(const v1::ListExperimentsResponse& experiments) {
  Sheet sheet;
  sheet.columns = {{"experiment", Align::kLeft}, {"name", Align::kLeft}, {"state", Align::kLeft},
                   {"generation"}, {"created", Align::kLeft}, {"reason", Align::kLeft}};
  for (const v1::Experiment& experiment : experiments.experiments()) {
    sheet.rows.push_back({experiment.id(), experiment.spec().name(),
                          v1::Experiment::State_Name(experiment.state()),
                          absl::StrCat(experiment.generation(), "/",
                                       experiment.spec().generations()),
                          When(experiment.created()), experiment.reason()});
  }
  return sheet;
}

Sheet LineageSheet(const v1::ListIndividualsResponse& lineage) {
  Sheet sheet;
  sheet.columns = PersonalColumns();
  sheet.columns.push_back({"measured on", Align::kLeft});
  for (const v1::Individual& individual : lineage.individuals()) {
    sheet.rows.push_back(PersonalCells(individual));
    sheet.rows.back().push_back(individual.measured_on());
  }
  return sheet;
}

Sheet RunnersSheet(const v1::ListRunnersResponse& runners) {
  Sheet sheet;
  sheet.columns = {{"runner", Align::kLeft}, {"kind", Align::kLeft}, {"host", Align::kLeft},
                   {"version", Align::kLeft}, {"slots"}, {"offers", Align::kLeft},
                   {"does", Align::kLeft}};
  for (const v1::RunnerStatus& runner : runners.runners()) {
    const v1::RunnerInfo& info = runner.info();
    std::vector<std::string> offers, work;
    if (info.cuda()) offers.push_back("CUDA");
    if (!info.device_class().empty()) {
      offers.push_back(absl::StrCat(info.device_class(), " with ", info.engine()));
    }
    for (const v1::DatasetReport& report : runner.datasets()) {
      offers.push_back(absl::StrCat(report.spec().name(), " ",
                                    v1::DatasetReport::State_Name(report.state())));
      if (report.state() == v1::DatasetReport::PREPARING) {
        absl::StrAppendFormat(&offers.back(), " %.0f %%", 100 * report.fraction());
      }
    }
    for (const v1::WorkInHand& one : runner.work()) {
      work.push_back(absl::StrFormat("%s %d:%d of %s, %.0f %%",
                                     v1::JobKey::Kind_Name(one.key().kind()),
                                     one.key().generation(), one.key().index(), one.experiment(),
                                     100 * one.fraction()));
    }
    if (runner.draining()) work.push_back("is stopping");
    if (runner.has_set_aside()) {
      const v1::SetAside& aside = runner.set_aside();
      work.push_back(
          absl::StrFormat("set aside for %.0f s: %s", aside.seconds(), aside.why()));
    }
    sheet.rows.push_back({info.id(), v1::RunnerInfo::Kind_Name(info.kind()), info.host(),
                          info.version(), absl::StrCat(info.slots()), absl::StrJoin(offers, "; "),
                          work.empty() ? "waits" : absl::StrJoin(work, "; ")});
  }
  return sheet;
}

Sheet EstimateSheet(const v1::EstimateResponse& estimate) {
  Sheet sheet;
  sheet.columns = {{"cost", Align::kLeft}, {"at most"}, {"unit", Align::kLeft}};
  sheet.rows = {
      {"SYNTHESIZE", WithThousands(estimate.synthesize_jobs()), "jobs"},
      {"TRAIN", WithThousands(estimate.train_jobs()), "jobs"},
      {"MEASURE", WithThousands(estimate.measure_jobs()), "jobs"},
      {"EVALUATE", WithThousands(estimate.evaluate_jobs()), "jobs"},
      {"EXPORT", WithThousands(estimate.export_jobs()), "jobs"},
      {"trained with", estimate.images() > 0 ? WithThousands(estimate.images()) : "unknown",
       "images"},
      {"time on this fleet",
       estimate.has_hours() ? absl::StrFormat("%.2f", estimate.hours()) : "unknown", "hours"},
      {"disk of the coordinator",
       absl::StrFormat("%.1f", static_cast<double>(estimate.disk_bytes()) * 1e-6), "MB"}};
  return sheet;
}

}  // namespace squish
