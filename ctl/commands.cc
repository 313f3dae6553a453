#include "ctl/commands.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/spec/experiment_spec.h"
#include "ctl/report.h"

namespace squish {
namespace {

// Between calls to a coordinator that went away while it was watched.
constexpr absl::Duration kAway = absl::Seconds(1);

absl::StatusOr<v1::ExperimentSpec> ReadSpec(const std::string& file) {
  SQUISH_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, 1 << 20));
  return ParseExperimentSpec(text, file);
}

// Prints what a watcher sees, each thing once, also when it sees it again.
class WatchPrinter {
 public:
  explicit WatchPrinter(std::ostream& out) : out_(out) {}

  void Take(const v1::WatchEvent& event) {
    if (event.has_experiment()) TakeExperiment(event.experiment());
    if (event.has_individual()) TakeIndividual(event.individual());
    out_ << std::flush;
  }
  const v1::Experiment& experiment() const { return experiment_; }
  bool saw_something() const { return !experiment_.id().empty(); }

 private:
  void TakeExperiment(const v1::Experiment& experiment) {
    if (!saw_something()) out_ << IndividualTitles();
    const bool news = experiment.state() != experiment_.state() ||
                      experiment.reason() != experiment_.reason();
    if (news) out_ << "-- " << StateSentence(experiment) << "\n";
    experiment_ = experiment;
  }
  void TakeIndividual(const v1::Individual& individual) {
    if (!IsComplete(individual)) return;
    if (!printed_.emplace(individual.name().generation(), individual.name().index()).second) return;
    out_ << IndividualLine(individual);
  }

  std::ostream& out_;
  v1::Experiment experiment_;
  std::set<std::pair<int, int>> printed_;
};

}  // namespace

absl::Status SubmitCommand(CoordinatorClient& client, const std::string& file, std::ostream& out) {
  SQUISH_ASSIGN_OR_RETURN(const v1::ExperimentSpec spec, ReadSpec(file));
  SQUISH_ASSIGN_OR_RETURN(const v1::Experiment experiment, client.Submit(spec));
  out << experiment.id() << "\n";
  return absl::OkStatus();
}

absl::Status ValidateCommand(const std::string& file, std::ostream& out) {
  SQUISH_ASSIGN_OR_RETURN(const v1::ExperimentSpec spec, ReadSpec(file));
  out << file << ": a valid experiment, " << spec.generations() << " generations of "
      << spec.offspring() << " offspring\n";
  return absl::OkStatus();
}

absl::Status ListCommand(CoordinatorClient& client, std::ostream& out) {
  SQUISH_ASSIGN_OR_RETURN(const auto experiments, client.List());
  out << ExperimentsTable(experiments);
  return absl::OkStatus();
}

absl::Status StatusCommand(CoordinatorClient& client, const std::string& id, std::ostream& out) {
  SQUISH_ASSIGN_OR_RETURN(const v1::Experiment experiment, client.Get(id));
  out << ExperimentText(experiment);
  return absl::OkStatus();
}

absl::Status WatchCommand(CoordinatorClient& client, const std::string& id, std::ostream& out) {
  WatchPrinter printer(out);
  while (true) {
    grpc::ClientContext context;
    const absl::Status status = client.Watch(
        context, id, [&](const v1::WatchEvent& event) { printer.Take(event); });
    if (HasEnded(printer.experiment())) break;
    // A first call that fails is an answer; a coordinator that was there may come back.
    const bool away = absl::IsUnavailable(status) || absl::IsCancelled(status) ||
                      absl::IsUnknown(status) || status.ok();
    if (!printer.saw_something() || !away) return status;
    absl::SleepFor(kAway);
  }
  if (printer.experiment().state() == v1::Experiment::SUCCEEDED) return absl::OkStatus();
  return absl::AbortedError(
      absl::StrCat("the experiment ended as ", StateSentence(printer.experiment())));
}

absl::Status IndividualsCommand(CoordinatorClient& client, const std::string& id,
                                const std::string& format, std::ostream& out) {
  SQUISH_ASSIGN_OR_RETURN(const v1::Experiment experiment, client.Get(id));
  SQUISH_ASSIGN_OR_RETURN(const auto individuals, client.Individuals(id));
  out << (format == "csv" ? IndividualsCsv(experiment, individuals)
                          : IndividualsTable(individuals) + SpeedsSentence(individuals));
  return absl::OkStatus();
}

absl::Status SpeedsCommand(CoordinatorClient& client, const std::string& id, std::ostream& out) {
  SQUISH_ASSIGN_OR_RETURN(const auto individuals, client.Individuals(id));
  out << SpeedsCsv(individuals);
  return absl::OkStatus();
}

absl::Status PrintState(const absl::StatusOr<v1::Experiment>& experiment, std::ostream& out) {
  SQUISH_RETURN_IF_ERROR(experiment.status());
  out << StateSentence(*experiment) << "\n";
  return absl::OkStatus();
}

}  // namespace squish
