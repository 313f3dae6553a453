#include "ctl/commands.h"

#include <filesystem>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/file.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/dataset/folder_listing.h"
#include "common/dataset/picture_source.h"
#include "common/dataset/selection_split.h"
#include "common/genome/similarity.h"
#include "common/spec/experiment_spec.h"
#include "common/weights/network.h"
#include "ctl/branch_command.h"
#include "ctl/champions.h"
#include "ctl/generations.h"
#include "ctl/model_card.h"
#include "ctl/report.h"

namespace squish {
namespace {

// Between calls to a coordinator that went away while it was watched.
constexpr absl::Duration kAway = absl::Seconds(1);
// To the line's begin, and nothing on it.
constexpr char kClearLine[] = "\r\033[K";

absl::StatusOr<v1::ExperimentSpec> ReadSpec(const std::string& file) {
  SQUISH_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, 1 << 20));
  return ParseExperimentSpec(text, file);
}

// Uploads the weights that the spec names by a file, and names them by their digest.
absl::Status UploadWeights(CoordinatorClient& client, const std::string& spec_file,
                           v1::ExperimentSpec& spec) {
  if (!spec.ancestor().has_imported() || spec.ancestor().imported().file().empty()) {
    return absl::OkStatus();
  }
  v1::ImportedSqueezeNet& imported = *spec.mutable_ancestor()->mutable_imported();
  const std::filesystem::path path =
      std::filesystem::path(spec_file).parent_path() / imported.file();
  const absl::StatusOr<std::string> digest = client.Upload(path.string());
  if (!digest.ok()) return Annotate(digest.status(), "ancestor.imported.file");
  imported.set_digest(*digest);
  return absl::OkStatus();
}

// The pictures of a folder that would be trained on, as far as its files tell; 0: no
// folder was given.
absl::StatusOr<int> CountTrainImages(const v1::DatasetSpec& spec, const std::string& folder) {
  if (folder.empty()) return 0;
  if (!spec.has_image_folder()) {
    SQUISH_ASSIGN_OR_RETURN(const auto source, OpenPictureSource(spec, folder));
    return source->train_images() - HeldOutCount(source->train_images());
  }
  SQUISH_ASSIGN_OR_RETURN(const FolderListing listing, ListImageFolder(folder));
  int images = 0;
  for (const ListedClass& one : listing.train) {
    const int files = static_cast<int>(one.files.size());
    images += files - HeldOutCount(files);
  }
  return images;
}

absl::StatusOr<v1::Individual> FindIndividual(const std::vector<v1::Individual>& individuals,
                                              const std::string& id, const std::string& text) {
  SQUISH_ASSIGN_OR_RETURN(const v1::IndividualName name, ParseIndividualName(text));
  for (const v1::Individual& one : individuals) {
    if (one.name().generation() == name.generation() && one.name().index() == name.index()) {
      return one;
    }
  }
  return absl::NotFoundError(absl::StrCat("experiment ", id, " has no individual ", text,
                                          "; `squishctl individuals ", id, "` shows what it has"));
}

absl::StatusOr<Genome> FetchGenome(CoordinatorClient& client, const std::string& digest) {
  SQUISH_ASSIGN_OR_RETURN(const std::string file, client.Fetch(digest));
  absl::StatusOr<Network> network = Network::FromSafetensors(file);
  if (!network.ok()) {
    return absl::DataLossError(
        absl::StrCat("the network ", digest, ": ", network.status().message()));
  }
  return std::move(network->genome);
}

// Compares the networks as they were born, which those have, too, that diverged.
absl::Status FillSimilarity(CoordinatorClient& client,
                            const std::vector<v1::Individual>& individuals,
                            std::vector<GenerationFigures>& generations) {
  for (GenerationFigures& one : generations) {
    std::vector<Genome> genomes;
    for (const v1::Individual& individual : individuals) {
      const bool belongs = individual.name().generation() == one.generation;
      if (!belongs || individual.born_artifact().empty()) continue;
      absl::StatusOr<Genome> genome = FetchGenome(client, individual.born_artifact());
      if (absl::IsNotFound(genome.status())) {  // Of a generation that is kept no longer.
        genomes.clear();
        break;
      }
      SQUISH_RETURN_IF_ERROR(genome.status());
      genomes.push_back(*std::move(genome));
    }
    if (genomes.size() < 2) continue;
    SQUISH_ASSIGN_OR_RETURN(one.similarity, MeanArchitecturalSimilarity(genomes));
  }
  return absl::OkStatus();
}

// Prints what a watcher sees, each thing once, also when it sees it again.
class WatchPrinter {
 public:
  WatchPrinter(bool progress, std::ostream& out) : progress_(progress), out_(out) {}

  void Take(const v1::WatchEvent& event) {
    if (progress_) out_ << kClearLine;
    if (event.has_experiment()) TakeExperiment(event.experiment());
    if (event.has_individual()) TakeIndividual(event.individual());
    if (event.has_champion()) TakeChampion(event.champion());
    if (progress_ && !HasEnded(experiment_)) out_ << Progress();
    out_ << std::flush;
  }
  // Nothing of a bar is left on the line.
  void ClearProgress() {
    if (progress_) out_ << kClearLine << std::flush;
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
  void TakeChampion(const v1::Champion& champion) {
    champions_[champion.index()] = champion.state();
    if (champion.state() != v1::Champion::READY || !ready_.insert(champion.index()).second) return;
    const v1::IndividualName& name = champion.individual().name();
    out_ << absl::StrFormat("-- champion %s (%d:%d): %.1f %% on val/\n", RolesText(champion),
                            name.generation(), name.index(),
                            100 * champion.evaluation().accuracy());
  }
  std::string Progress() const {
    const v1::ExperimentSpec& spec = experiment_.spec();
    const int generations =
        experiment_.finishing() ? experiment_.generation() : spec.generations();
    const int individuals = 1 + generations * spec.offspring();
    // Champions take part once they are known, so that the bar ends where the work does.
    const double all = individuals + static_cast<double>(champions_.size());
    const double done = static_cast<double>(printed_.size() + ready_.size());
    return absl::StrCat(Bar(done / all, 30), " ", StateSentence(experiment_));
  }

  const bool progress_;
  std::ostream& out_;
  std::map<int, v1::Champion::State> champions_;
  std::set<int> ready_;
  v1::Experiment experiment_;
  std::set<std::pair<int, int>> printed_;
};

}  // namespace

absl::Status SubmitCommand(CoordinatorClient& client, const std::string& file, std::ostream& out) {
  SQUISH_ASSIGN_OR_RETURN(v1::ExperimentSpec spec, ReadSpec(file));
  SQUISH_RETURN_IF_ERROR(UploadWeights(client, file, spec));
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

absl::Status PlanCommand(CoordinatorClient& client, const std::string& file,
                         const std::string& data, Format format, std::ostream& out) {
  SQUISH_ASSIGN_OR_RETURN(v1::ExperimentSpec spec, ReadSpec(file));
  SQUISH_ASSIGN_OR_RETURN(const int train_images, CountTrainImages(spec.dataset(), data));
  SQUISH_RETURN_IF_ERROR(UploadWeights(client, file, spec));
  SQUISH_ASSIGN_OR_RETURN(const v1::EstimateResponse estimate,
                          client.Estimate(spec, train_images));
  out << Render(format, EstimateSheet(estimate), estimate);
  if (format == Format::kTable) {
    for (const std::string& note : estimate.notes()) out << "- " << note << "\n";
  }
  return absl::OkStatus();
}

absl::Status ListCommand(CoordinatorClient& client, Format format, std::ostream& out) {
  SQUISH_ASSIGN_OR_RETURN(const v1::ListExperimentsResponse experiments, client.List());
  out << Render(format, ExperimentsSheet(experiments), experiments);
  return absl::OkStatus();
}

absl::Status StatusCommand(CoordinatorClient& client, const std::string& id, Format format,
                           std::ostream& out) {
  SQUISH_ASSIGN_OR_RETURN(const v1::Experiment experiment, client.Get(id));
  out << RenderFields(format, ExperimentFields(experiment), experiment);
  if (format != Format::kTable) return absl::OkStatus();
  SQUISH_ASSIGN_OR_RETURN(const auto champions, client.Champions(id));
  if (champions.empty()) return absl::OkStatus();
  const Sheet sheet = ChampionsSheet(champions);
  out << "\n" << FormatTable(sheet.columns, sheet.rows) << ChampionsFootnote(experiment, champions);
  return absl::OkStatus();
}

absl::Status WatchCommand(CoordinatorClient& client, const std::string& id, bool progress,
                          std::ostream& out) {
  WatchPrinter printer(progress, out);
  while (true) {
    grpc::ClientContext context;
    const absl::Status status = client.Watch(
        context, id, [&](const v1::WatchEvent& event) { printer.Take(event); });
    if (HasEnded(printer.experiment())) break;
    // A first call that fails is an answer; a coordinator that was there may come back.
    const bool away = absl::IsUnavailable(status) || absl::IsCancelled(status) ||
                      absl::IsUnknown(status) || status.ok();
    printer.ClearProgress();
    if (!printer.saw_something() || !away) return status;
    absl::SleepFor(kAway);
  }
  if (printer.experiment().state() == v1::Experiment::SUCCEEDED) return absl::OkStatus();
  return absl::AbortedError(
      absl::StrCat("the experiment ended as ", StateSentence(printer.experiment())));
}

absl::Status IndividualsCommand(CoordinatorClient& client, const std::string& id, Format format,
                                std::ostream& out) {
  SQUISH_ASSIGN_OR_RETURN(const v1::Experiment experiment, client.Get(id));
  SQUISH_ASSIGN_OR_RETURN(const auto individuals, client.Individuals(id));
  switch (format) {
    case Format::kTable:
      out << IndividualsTable(individuals) << SpeedsSentence(individuals);
      break;
    case Format::kCsv: {
      SQUISH_ASSIGN_OR_RETURN(const auto champions, client.Champions(id));
      out << IndividualsCsv(experiment, individuals, champions);
      break;
    }
    case Format::kJson: {
      v1::ListIndividualsResponse all;
      for (const v1::Individual& individual : individuals) *all.add_individuals() = individual;
      out << FormatJson(all);
      break;
    }
  }
  return absl::OkStatus();
}

absl::Status ShowCommand(CoordinatorClient& client, const std::string& id,
                         const std::string& individual, Format format, std::ostream& out) {
  SQUISH_ASSIGN_OR_RETURN(const auto individuals, client.Individuals(id));
  SQUISH_ASSIGN_OR_RETURN(const v1::Individual found, FindIndividual(individuals, id, individual));
  out << RenderFields(format, IndividualFields(found), found);
  return absl::OkStatus();
}

absl::Status LineageCommand(CoordinatorClient& client, const std::string& id,
                            const std::string& individual, Format format, std::ostream& out) {
  SQUISH_ASSIGN_OR_RETURN(const auto individuals, client.Individuals(id));
  SQUISH_ASSIGN_OR_RETURN(const v1::Individual found, FindIndividual(individuals, id, individual));
  v1::ListIndividualsResponse lineage;
  for (v1::Individual& one : Lineage(individuals, found.name())) {
    *lineage.add_individuals() = std::move(one);
  }
  out << Render(format, LineageSheet(lineage), lineage);
  return absl::OkStatus();
}

absl::Status GenerationsCommand(CoordinatorClient& client, const std::string& id,
                                bool with_similarity, Format format, std::ostream& out) {
  SQUISH_ASSIGN_OR_RETURN(const v1::Experiment experiment, client.Get(id));
  SQUISH_ASSIGN_OR_RETURN(const auto individuals, client.Individuals(id));
  std::vector<GenerationFigures> generations = FiguresOfGenerations(experiment, individuals);
  if (with_similarity) {
    SQUISH_RETURN_IF_ERROR(FillSimilarity(client, individuals, generations));
  }
  out << RenderGenerations(format, generations);
  if (format == Format::kTable) out << SpeedsSentence(individuals);
  return absl::OkStatus();
}

absl::Status ChampionsCommand(CoordinatorClient& client, const std::string& id, Format format,
                              std::ostream& out) {
  SQUISH_ASSIGN_OR_RETURN(const v1::Experiment experiment, client.Get(id));
  SQUISH_ASSIGN_OR_RETURN(const auto champions, client.Champions(id));
  v1::ListChampionsResponse all;
  for (const v1::Champion& champion : champions) *all.add_champions() = champion;
  out << Render(format, ChampionsSheet(champions), all);
  if (format == Format::kTable) out << ChampionsFootnote(experiment, champions);
  return absl::OkStatus();
}

absl::Status RunnersCommand(CoordinatorClient& client, Format format, std::ostream& out) {
  SQUISH_ASSIGN_OR_RETURN(const v1::ListRunnersResponse runners, client.Runners());
  out << Render(format, RunnersSheet(runners), runners);
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
