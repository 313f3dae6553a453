#include "ctl/demo.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/dataset/cifar10.h"
#include "common/weights/network.h"
#include "ctl/champions.h"
#include "ctl/coordinator_client.h"
#include "ctl/demo_events.h"
#include "ctl/demo_folder.h"
#include "ctl/local_cluster.h"
#include "ctl/report.h"
#include "google/protobuf/text_format.h"

namespace squish {
namespace {

// How often the processes and signals are looked at while nothing happens.
constexpr absl::Duration kLook = absl::Milliseconds(200);
// Waiting for the runners to come is how every run begins; what lasts longer is said.
constexpr absl::Duration kPatience = absl::Seconds(5);

class Demo {
 public:
  Demo(const DemoOptions& options, const std::string& programs, std::ostream& out)
      : options_(options), programs_(programs), out_(out) {}

  // CANCELLED: a signal asked for the end.
  absl::Status Run(const StopSignals& signals);

 private:
  absl::Status Start(DemoFolder& folder);
  absl::Status Submit(const v1::ExperimentSpec& spec, const DemoFolder& folder);
  // Prints until the experiment has ended or cannot go on.
  absl::Status Follow(const StopSignals& signals);
  absl::Status LookAtProcesses();
  // Takes one change; an error ends the demo.
  absl::Status Take(const v1::WatchEvent& event);
  void TakeIndividual(const v1::Individual& individual);
  absl::Status TakeExperiment(const v1::Experiment& experiment);
  // Prints the state once it is news that lasts.
  void TellState();
  absl::Status WriteResults(const DemoFolder& folder);
  absl::Status WriteNetworks(const DemoFolder& folder, const std::vector<v1::Champion>& champions);

  const DemoOptions& options_;
  const std::string programs_;
  std::ostream& out_;
  // In this order: calls end before the processes that they go to.
  std::unique_ptr<LocalCluster> cluster_;
  std::unique_ptr<CoordinatorClient> client_;
  v1::Experiment experiment_;
  std::set<std::pair<int, int>> printed_;
  absl::Duration state_since_;  // Changed or asked for; of Clock::Steady.
  std::string told_state_;
};

// Whether the folder has what a worker will look for.
absl::Status CheckData(const std::string& folder, const v1::ExperimentSpec& spec) {
  if (folder.empty()) return absl::OkStatus();
  return OpenCifar10(folder, spec.dataset().input_size()).status();
}

// The digest of the network file, once it is known to be one.
absl::StatusOr<std::string> CheckAncestor(const std::string& path) {
  if (path.empty()) return "";
  SQUISH_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  const auto network = Network::FromSafetensors(bytes);
  SQUISH_RETURN_IF_ERROR(Annotate(network.status(), path));
  return Sha256Hex(bytes);
}

absl::Status Demo::Run(const StopSignals& signals) {
  // What can be wrong with the arguments is said before the folder is touched.
  SQUISH_ASSIGN_OR_RETURN(const std::string ancestor, CheckAncestor(options_.ancestor_weights));
  SQUISH_ASSIGN_OR_RETURN(const v1::ExperimentSpec spec, MakeDemoSpec(options_, ancestor));
  SQUISH_RETURN_IF_ERROR(CheckData(options_.data, spec));
  SQUISH_ASSIGN_OR_RETURN(DemoFolder folder, DemoFolder::Take(options_.out));
  SQUISH_RETURN_IF_ERROR(Start(folder));
  SQUISH_RETURN_IF_ERROR(Submit(spec, folder));
  const absl::Status followed = Follow(signals);
  // Also of a run that was ended early: what was found is worth having.
  const absl::Status written =
      cluster_->Running("coordinator") ? WriteResults(folder) : absl::OkStatus();
  SQUISH_RETURN_IF_ERROR(followed);
  return written;
}

absl::Status Demo::Start(DemoFolder& folder) {
  LocalClusterOptions options;
  options.programs = programs_;
  options.folder = folder.path();
  options.population = folder.population();
  options.workers = options_.workers;
  options.engine = options_.engine;
  if (!options_.data.empty()) options.data["cifar10"] = options_.data;
  cluster_ = std::make_unique<LocalCluster>(options);
  SQUISH_RETURN_IF_ERROR(cluster_->StartAll());
  client_ = std::make_unique<CoordinatorClient>(cluster_->address());
  out_ << "Squish demo: a coordinator at " << cluster_->address() << ", " << options_.workers
       << (options_.workers == 1 ? " worker" : " workers") << " and an agent (engine "
       << options_.engine << "); metrics at http://" << cluster_->metrics_address()
       << "/metrics; logs in " << folder.path() << "\n";
  return absl::OkStatus();
}

absl::Status Demo::Submit(const v1::ExperimentSpec& spec, const DemoFolder& folder) {
  if (!options_.ancestor_weights.empty()) {
    SQUISH_RETURN_IF_ERROR(client_->Upload(options_.ancestor_weights).status());
  }
  SQUISH_ASSIGN_OR_RETURN(experiment_, client_->Submit(spec));
  state_since_ = Clock::System().Steady();
  std::string text;
  google::protobuf::TextFormat::PrintToString(experiment_.spec(), &text);
  SQUISH_RETURN_IF_ERROR(WriteFileDurably(folder.spec(), text));
  out_ << "Experiment " << experiment_.id() << ": " << spec.generations() << " generations of "
       << spec.offspring() << " offspring, " << spec.parents() << " selected, seed "
       << spec.seed() << ", data set " << spec.dataset().name() << "\n\n"
       << IndividualTitles() << std::flush;
  return absl::OkStatus();
}

absl::Status Demo::Follow(const StopSignals& signals) {
  ExperimentEvents events(client_.get(), experiment_.id());
  while (!HasEnded(experiment_)) {
    if (signals.Received() != 0) return absl::CancelledError("stopped");
    SQUISH_RETURN_IF_ERROR(LookAtProcesses());
    TellState();
    if (const auto event = events.Next(kLook); event.has_value()) {
      SQUISH_RETURN_IF_ERROR(Take(*event));
    } else if (const auto ended = events.Ended(); ended.has_value()) {
      // The coordinator may be ending: that is the better explanation.
      absl::SleepFor(kLook);
      SQUISH_RETURN_IF_ERROR(LookAtProcesses());
      return ended->ok() ? absl::UnknownError("the coordinator stopped telling of the experiment")
                         : *ended;
    }
  }
  if (experiment_.state() == v1::Experiment::SUCCEEDED) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat("the experiment ended as ", StateSentence(experiment_)));
}

absl::Status Demo::LookAtProcesses() {
  const auto ended = cluster_->FirstEnded();
  if (!ended.has_value()) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat("the ", ended->role, " has ended (", ended->how,
                                         "); its log ", cluster_->LogPath(ended->role),
                                         " ends with\n", cluster_->LogTail(ended->role)));
}

absl::Status Demo::Take(const v1::WatchEvent& event) {
  if (event.has_individual()) TakeIndividual(event.individual());
  return event.has_experiment() ? TakeExperiment(event.experiment()) : absl::OkStatus();
}

void Demo::TakeIndividual(const v1::Individual& individual) {
  if (!IsComplete(individual)) return;
  const auto name = std::make_pair(individual.name().generation(), individual.name().index());
  if (printed_.insert(name).second) out_ << IndividualLine(individual) << std::flush;
}

absl::Status Demo::TakeExperiment(const v1::Experiment& experiment) {
  const bool changed =
      experiment.state() != experiment_.state() || experiment.reason() != experiment_.reason();
  if (changed) state_since_ = Clock::System().Steady();
  experiment_ = experiment;
  if (experiment.state() == v1::Experiment::NEEDS_ATTENTION ||
      experiment.state() == v1::Experiment::PAUSED) {
    return absl::AbortedError(
        absl::StrCat("the experiment cannot go on by itself: ", StateSentence(experiment)));
  }
  return absl::OkStatus();
}

void Demo::TellState() {
  const bool waiting = experiment_.state() == v1::Experiment::WAITING_FOR_WORKER ||
                       experiment_.state() == v1::Experiment::WAITING_FOR_DEVICE;
  const absl::Duration now = Clock::System().Steady();
  if (!waiting || now - state_since_ < kPatience) return;
  state_since_ = now;
  // Why it waits may have changed with what the runners say, which no event tells.
  const auto latest = client_->Get(experiment_.id());
  if (!latest.ok() || latest->state() != experiment_.state()) return;
  const std::string state = StateSentence(*latest);
  if (state != told_state_) out_ << "-- " << state << "\n" << std::flush;
  told_state_ = state;
}

absl::Status Demo::WriteNetworks(const DemoFolder& folder,
                                 const std::vector<v1::Champion>& champions) {
  SQUISH_RETURN_IF_ERROR(MakeFolder(folder.networks()));
  for (const v1::Champion& champion : champions) {
    for (const auto& role : champion.roles()) {
      SQUISH_RETURN_IF_ERROR(
          client_->Download(champion.artifact(),
                            JoinPath(folder.networks(),
                                     absl::StrCat(RoleName(role), ".safetensors"))));
    }
  }
  return absl::OkStatus();
}

absl::Status Demo::WriteResults(const DemoFolder& folder) {
  SQUISH_ASSIGN_OR_RETURN(const auto individuals, client_->Individuals(experiment_.id()));
  SQUISH_ASSIGN_OR_RETURN(const auto champions, client_->Champions(experiment_.id()));
  SQUISH_RETURN_IF_ERROR(
      WriteFileDurably(folder.individuals(), IndividualsCsv(experiment_, individuals, champions)));
  SQUISH_RETURN_IF_ERROR(WriteFileDurably(folder.speeds(), SpeedsCsv(individuals)));
  SQUISH_RETURN_IF_ERROR(WriteNetworks(folder, champions));
  const Sheet sheet = ChampionsSheet(champions);
  out_ << "\n" << GenerationsTable(individuals) << "\n";
  if (!champions.empty()) {
    out_ << FormatTable(sheet.columns, sheet.rows) << ChampionsFootnote(experiment_, champions) << "\n";
  }
  out_ << SpeedsSentence(individuals)
       << "Other accuracies are on the selection split of the training pictures.\n\n"
       << "population   " << folder.population() << "\n"
       << "individuals  " << folder.individuals() << "\n"
       << "speeds       " << folder.speeds() << "\n"
       << "networks     " << folder.networks() << "/\n"
       << "experiment   " << folder.spec() << "\n"
       << "logs         " << folder.path() << "/*.log\n"
       << std::flush;
  return absl::OkStatus();
}

}  // namespace

int RunDemo(const DemoOptions& options, const std::string& programs, std::ostream& out,
            std::ostream& errors) {
  const StopSignals signals;
  absl::Status status;
  {
    Demo demo(options, programs, out);
    status = demo.Run(signals);
  }  // Everything is stopped.
  if (signals.Received() != 0) {
    errors << "squishctl: stopped by signal " << signals.Received()
           << "; every process of the demo has ended\n";
    return 128 + signals.Received();
  }
  if (status.ok()) return 0;
  errors << "squishctl: " << std::string(status.message()) << "\n";
  return 1;
}

}  // namespace squish
