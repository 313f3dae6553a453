#include "coordinator/service/dataset_difference.h"
#include "coordinator/service/experiments.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/ids.h"
#include "common/base/sha256.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/base/text.h"
#include "common/genome/ancestors.h"
#include "common/genome/cost.h"
#include "common/genome/shapes.h"
#include "common/spec/defaults.h"
#include "common/spec/experiment_spec.h"
#include "common/weights/network.h"
#include "coordinator/evolution/champions.h"
#include "coordinator/evolution/estimate.h"
#include "coordinator/service/matching.h"
#include "google/protobuf/util/time_util.h"
#include "spdlog/spdlog.h"

namespace squish {
namespace {

using google::protobuf::util::TimeUtil;

constexpr int kIdBytes = 4;
constexpr size_t kMaximumKeyBytes = 128;
// No ancestor is near it; a hostile one is not read into memory.
constexpr int64_t kMaximumAncestorBytes = int64_t{256} << 20;
constexpr int kMaximumClasses = 10'000;
constexpr int kMaximumUnreadableNames = 20;
constexpr size_t kMaximumUnreadableBytes = 4096;

// Whether a summary can be built upon.
absl::Status CheckSummary(const v1::DatasetSummary& summary) {
  const auto bad = [](absl::string_view what) { return absl::InvalidArgumentError(what); };
  if (!IsSha256Hex(summary.fingerprint())) return bad("the fingerprint is no SHA-256");
  if (summary.class_names_size() < 2 || summary.class_names_size() > kMaximumClasses) {
    return bad("there are fewer than 2 or too many classes");
  }
  if (summary.train_images() < 1 || summary.selection_images() < 1) return bad("it is empty");
  if (summary.val_images() < 1) return bad("val/ is empty, which champions are evaluated on");
  if (summary.classes_size() != 0 && summary.classes_size() != summary.class_names_size()) {
    return bad("it tells of other classes than it names");
  }
  if (summary.unreadable_size() > kMaximumUnreadableNames) return bad("it names too many files");
  for (const std::string& name : summary.unreadable()) {
    if (name.size() > kMaximumUnreadableBytes) return bad("it names a file at too great length");
  }
  if (summary.mean_size() != 3 || summary.std_size() != 3) return bad("mean or std are not three");
  for (int channel = 0; channel < 3; ++channel) {
    if (!std::isfinite(summary.mean(channel)) || !(summary.std(channel) > 0) ||
        !std::isfinite(summary.std(channel))) {
      return bad("mean or std are not usable");
    }
  }
  return absl::OkStatus();
}

// A file that an ancestor comes from.
absl::StatusOr<std::string> ReadAncestorFile(const BlobStore& artifacts,
                                             const std::string& digest) {
  if (!artifacts.Use(digest)) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no artifact ", digest, " here; upload the file first"));
  }
  const absl::StatusOr<int64_t> size = artifacts.SizeOf(digest);
  SQUISH_RETURN_IF_ERROR(size.status());
  if (*size > kMaximumAncestorBytes) {
    return absl::InvalidArgumentError(absl::StrCat("the file has ", *size, " bytes; at most ",
                                                   kMaximumAncestorBytes, " are read"));
  }
  return artifacts.Get(digest);
}

absl::StatusOr<Network> ReadAncestor(const BlobStore& artifacts, const std::string& digest) {
  SQUISH_ASSIGN_OR_RETURN(const std::string file, ReadAncestorFile(artifacts, digest));
  return Network::FromSafetensors(file);
}

}  // namespace

// --- Loading -------------------------------------------------------------------

absl::Status Experiments::Load() {
  SQUISH_ASSIGN_OR_RETURN(std::vector<StoredExperiment> stored,
                          ledger_.population().LiveExperiments());
  for (StoredExperiment& one : stored) SQUISH_RETURN_IF_ERROR(Load(std::move(one)));
  for (auto& [row, experiment] : live_) planner_.Advance(experiment);
  return absl::OkStatus();
}

absl::Status Experiments::Load(StoredExperiment stored) {
  const int64_t row = stored.row;
  LiveExperiment& experiment = live_[row];
  experiment.stored = std::move(stored);
  FillDefaults(*experiment.stored.experiment.mutable_spec());  // For fields that are new.
  ledger_.board().AddExperiment(row, experiment.spec().retry(),
                                experiment.state() != v1::Experiment::RUNNING,
                                experiment.spec().weight());
  SQUISH_RETURN_IF_ERROR(LoadOpenGeneration(experiment));
  return LoadJobs(experiment);
}

absl::Status Experiments::LoadOpenGeneration(LiveExperiment& experiment) {
  Population& population = ledger_.population();
  const int generation = experiment.stored.summary.closed_generation() + 1;
  experiment.Open(generation);
  SQUISH_ASSIGN_OR_RETURN(const std::vector<v1::Individual> individuals,
                          population.Individuals(experiment.row()));
  std::vector<v1::Individual> closed;
  for (const v1::Individual& individual : individuals) {
    if (individual.name().generation() < generation) {
      closed.push_back(individual);
      experiment.closed.push_back(DigestPart(individual));
    } else {
      experiment.individuals[individual.name().index()] = individual;
    }
  }
  // The population of an earlier program has no archive yet; it follows from the others.
  if (experiment.stored.summary.archive().empty()) {
    ExtendArchive(experiment.spec(), closed, experiment.stored.summary);
  }
  SQUISH_ASSIGN_OR_RETURN(const std::vector<v1::Champion> champions,
                          population.Champions(experiment.row()));
  std::copy(champions.begin(), champions.end(), experiment.champions.begin());
  SQUISH_ASSIGN_OR_RETURN(const std::vector<v1::AttemptResult> facts,
                          population.ResultFacts(experiment.row(), generation));
  for (const v1::AttemptResult& fact : facts) {
    ApplyResult(fact, experiment.open.individuals[fact.key().index()]);
  }
  SQUISH_ASSIGN_OR_RETURN(const std::vector<v1::AttemptResult> ancestor,
                          population.ResultFacts(experiment.row(), 0));
  for (const std::vector<v1::AttemptResult>* some : {&ancestor, &facts}) {
    for (const v1::AttemptResult& fact : *some) {
      if (!fact.has_measure()) continue;
      experiment.settings.emplace(fact.key().rung(), fact.measure().setting());
    }
  }
  const int size = static_cast<int>(experiment.open.individuals.size());
  for (int index = 0; index < size; ++index) ledger_.Refresh(experiment, index);
  return absl::OkStatus();
}

// Of earlier generations only the last closed one is taken up: a delivery for a job
// before that is refused, which costs its runner nothing.
absl::Status Experiments::LoadJobs(LiveExperiment& experiment) {
  Population& population = ledger_.population();
  const int from = std::max(experiment.open.generation - 1, 0);
  SQUISH_ASSIGN_OR_RETURN(std::vector<BoardJob> jobs, population.Jobs(experiment.row(), from));
  for (BoardJob& job : jobs) {
    if (job.key.generation() == experiment.open.generation) {
      experiment.jobs[PlaceOf(job.key)] = job.id;
    }
    ledger_.board().RestoreJob(std::move(job));
  }
  SQUISH_ASSIGN_OR_RETURN(const std::vector<StoredAttempt> attempts,
                          population.Attempts(experiment.row(), from));
  for (const StoredAttempt& stored : attempts) {
    AttemptNote& note = experiment.attempts[stored.attempt.id];
    note.job = stored.attempt.job;
    note.images_wasted = stored.images_wasted;
    if (stored.attempt.state == AttemptState::kRunning) {
      experiment.running[stored.attempt.job].insert(stored.attempt.id);
    }
    ledger_.board().RestoreAttempt(stored.attempt, ledger_.clock().Steady());
  }
  return absl::OkStatus();
}

// --- Owners ----------------------------------------------------------------------

absl::StatusOr<v1::ExperimentSpec> Experiments::Complete(const v1::ExperimentSpec& spec) {
  SQUISH_ASSIGN_OR_RETURN(v1::ExperimentSpec complete, CompleteExperimentSpec(spec));
  if (complete.ancestor().has_branch()) {
    SQUISH_RETURN_IF_ERROR(FillBranch(complete));
  }
  SQUISH_RETURN_IF_ERROR(CheckAncestor(complete));
  SQUISH_RETURN_IF_ERROR(CheckImages(complete, KnownTrainImages(complete.dataset())));
  return complete;
}

absl::StatusOr<Genome> Experiments::FirstGenome(const v1::ExperimentSpec& spec, int classes) {
  const std::string& digest = StartNetwork(spec);
  if (digest.empty()) {
    return SqueezeNetV11(classes, spec.ancestor().has_squeezenet_v1_1()
                                      ? spec.ancestor().squeezenet_v1_1().width()
                                      : 1);
  }
  SQUISH_ASSIGN_OR_RETURN(Network network,
                          ReadAncestor(ledger_.population().artifacts(), digest));
  return std::move(network.genome);
}

absl::Status Experiments::FillBranch(v1::ExperimentSpec& spec) {
  v1::BranchPoint& branch = *spec.mutable_ancestor()->mutable_branch();
  Population& population = ledger_.population();
  const absl::StatusOr<StoredExperiment> origin = population.FindExperiment(branch.experiment());
  if (absl::IsNotFound(origin.status())) {
    return absl::InvalidArgumentError(
        absl::StrCat("ancestor.branch.experiment: ", origin.status().message()));
  }
  SQUISH_RETURN_IF_ERROR(origin.status());
  SQUISH_ASSIGN_OR_RETURN(const std::vector<v1::Individual> individuals,
                          population.Individuals(origin->row));
  if (!branch.has_individual()) {
    if (origin->summary.parents().empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("ancestor.branch.individual: ", branch.experiment(),
                       " has selected nobody yet; name a trained individual, or wait"));
    }
    *branch.mutable_individual() = origin->summary.parents(0).name();
  }
  const v1::IndividualName& name = branch.individual();
  const auto found = std::find_if(individuals.begin(), individuals.end(), [&](const auto& one) {
    return one.name().generation() == name.generation() && one.name().index() == name.index();
  });
  if (found == individuals.end() || found->trained_artifact().empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "ancestor.branch.individual: ", branch.experiment(), " has no trained individual ",
        name.generation(), ":", name.index(), "; 'squishctl individuals ", branch.experiment(),
        "' shows what it has"));
  }
  branch.set_network(found->trained_artifact());
  const v1::AncestorSpec& earlier = origin->experiment.spec().ancestor();
  if (earlier.has_branch()) {  // A branch of a branch: the ancestor stays.
    branch.set_ancestor_network(earlier.branch().ancestor_network());
    branch.set_ancestor_trained(earlier.branch().ancestor_trained());
    branch.set_ancestor_architecture(earlier.branch().ancestor_architecture());
    branch.set_ancestor_macs(earlier.branch().ancestor_macs());
    return RecountAncestor(origin->experiment.spec(), spec);
  }
  const v1::Individual& ancestor = individuals.front();
  branch.set_ancestor_network(ancestor.born_artifact());
  branch.set_ancestor_trained(ancestor.trained_artifact());
  branch.set_ancestor_architecture(ancestor.architecture_digest());
  branch.set_ancestor_macs(ancestor.macs());
  return RecountAncestor(origin->experiment.spec(), spec);
}

// MACs are counted at the measurement's input size, which may be another in the branch.
absl::Status Experiments::RecountAncestor(const v1::ExperimentSpec& origin,
                                          v1::ExperimentSpec& spec) {
  const int input_size = spec.measurement().input_size();
  if (input_size == origin.measurement().input_size()) return absl::OkStatus();
  v1::BranchPoint& branch = *spec.mutable_ancestor()->mutable_branch();
  SQUISH_ASSIGN_OR_RETURN(
      const Network ancestor,
      ReadAncestor(ledger_.population().artifacts(), branch.ancestor_network()));
  SQUISH_ASSIGN_OR_RETURN(const Cost cost, ComputeCost(ancestor.genome, input_size));
  branch.set_ancestor_macs(cost.macs);
  return absl::OkStatus();
}

absl::StatusOr<StoredExperiment> Experiments::Submit(const v1::ExperimentSpec& spec,
                                                     absl::string_view idempotency_key) {
  Population& population = ledger_.population();
  if (idempotency_key.size() > kMaximumKeyBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("idempotency_key: at most ", kMaximumKeyBytes, " bytes"));
  }
  if (!idempotency_key.empty()) {
    SQUISH_ASSIGN_OR_RETURN(std::optional<StoredExperiment> earlier,
                            population.FindByIdempotencyKey(idempotency_key));
    if (earlier.has_value()) return *std::move(earlier);
  }
  SQUISH_ASSIGN_OR_RETURN(v1::ExperimentSpec complete, Complete(spec));

  const int64_t row = population.NewExperimentRow();
  LiveExperiment& experiment = live_[row];
  StoredExperiment& stored = experiment.stored;
  stored.row = row;
  stored.experiment.set_id(absl::StrCat(complete.name(), "-", RandomHex(kIdBytes)));
  *stored.experiment.mutable_spec() = std::move(complete);
  stored.experiment.set_state(v1::Experiment::RUNNING);
  *stored.experiment.mutable_created() =
      TimeUtil::MillisecondsToTimestamp(absl::ToUnixMillis(ledger_.clock().Now()));
  stored.summary.set_closed_generation(-1);
  population.AddExperiment(stored, idempotency_key);
  ledger_.board().AddExperiment(row, experiment.spec().retry(), /*paused=*/false,
                                experiment.spec().weight());
  ledger_.OpenGeneration(experiment, 0);
  spdlog::info("{}: submitted", experiment.id());
  return stored;
}

absl::Status Experiments::CheckAncestor(const v1::ExperimentSpec& spec) {
  const BlobStore& artifacts = ledger_.population().artifacts();
  if (spec.ancestor().has_imported()) {
    const v1::ImportedSqueezeNet& imported = spec.ancestor().imported();
    if (imported.digest().empty()) {
      return absl::InvalidArgumentError(
          "ancestor.imported.digest: is missing; 'squishctl submit' uploads ancestor.imported.file "
          "and fills it in, 'squishctl upload FILE' prints it");
    }
    const absl::StatusOr<std::string> file = ReadAncestorFile(artifacts, imported.digest());
    SQUISH_RETURN_IF_ERROR(Annotate(file.status(), "ancestor.imported"));
    return Annotate(ImportTorchvisionSqueezeNet(*file).status(), "ancestor.imported");
  }
  const std::string& digest = StartNetwork(spec);
  if (digest.empty()) return absl::OkStatus();
  if (spec.ancestor().has_branch() && !artifacts.Contains(digest)) {
    return absl::InvalidArgumentError(
        "ancestor.branch: that individual's network is kept no longer (retention); choose one of "
        "the archive, which 'squishctl champions' and the last generations are of");
  }
  const absl::StatusOr<Network> network = ReadAncestor(artifacts, digest);
  SQUISH_RETURN_IF_ERROR(Annotate(network.status(), spec.ancestor().has_branch()
                                                        ? "ancestor.branch"
                                                        : "ancestor.network_digest"));
  for (const int size : {spec.dataset().input_size(), spec.measurement().input_size()}) {
    SQUISH_RETURN_IF_ERROR(Annotate(ComputeShapes(network->genome, size).status(),
                                    absl::StrCat("pictures of ", size, " pixels")));
  }
  return CheckReach(spec, network->genome);
}

absl::StatusOr<LiveExperiment*> Experiments::FindToChange(absl::string_view id) {
  for (auto& [row, experiment] : live_) {
    if (experiment.id() == id && !HasEnded(experiment.state())) return &experiment;
  }
  SQUISH_ASSIGN_OR_RETURN(const StoredExperiment ended, ledger_.population().FindExperiment(id));
  return absl::FailedPreconditionError(
      absl::StrCat("experiment ", id, " has ended (",
                   v1::Experiment::State_Name(ended.experiment.state()), ")"));
}

absl::Status Experiments::Pause(absl::string_view id) {
  SQUISH_ASSIGN_OR_RETURN(LiveExperiment* const experiment, FindToChange(id));
  experiment->stored.experiment.set_state(v1::Experiment::PAUSED);
  experiment->stored.experiment.set_reason("paused by its owner");
  ledger_.board().SetPaused(experiment->row(), true);
  ledger_.Save(*experiment);
  return absl::OkStatus();
}

absl::Status Experiments::Resume(absl::string_view id) {
  SQUISH_ASSIGN_OR_RETURN(LiveExperiment* const experiment, FindToChange(id));
  if (experiment->state() != v1::Experiment::PAUSED) return absl::OkStatus();
  experiment->stored.experiment.set_state(v1::Experiment::RUNNING);
  experiment->stored.experiment.set_reason("");
  ledger_.board().SetPaused(experiment->row(), false);
  ledger_.CheckAttention(*experiment);  // What asked before the pause asks again.
  ledger_.Save(*experiment);
  return absl::OkStatus();
}

absl::Status Experiments::Retry(absl::string_view id) {
  SQUISH_ASSIGN_OR_RETURN(LiveExperiment* const experiment, FindToChange(id));
  if (ledger_.board().Exhausted(experiment->row()).empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("no job of ", id, " is out of retries: there is nothing to try again",
                     experiment->state() == v1::Experiment::PAUSED
                         ? "; 'squishctl resume' ends a pause"
                         : ""));
  }
  ledger_.RetryExhausted(*experiment);
  ledger_.CheckAttention(*experiment);
  ledger_.Save(*experiment);
  return absl::OkStatus();
}

absl::Status Experiments::Cancel(absl::string_view id) {
  SQUISH_ASSIGN_OR_RETURN(LiveExperiment* const experiment, FindToChange(id));
  ledger_.End(*experiment, v1::Experiment::CANCELLED, "cancelled by its owner");
  return absl::OkStatus();
}

// --- Data sets and agents ------------------------------------------------------------

void Experiments::PinDataset(const v1::DatasetReport& report) {
  if (report.state() != v1::DatasetReport::READY) return;
  for (auto& [row, experiment] : live_) {
    v1::Experiment& stored = experiment.stored.experiment;
    if (stored.has_dataset() || HasEnded(experiment.state()) ||
        DatasetKey(report.spec()) != DatasetKey(experiment.spec().dataset())) {
      continue;
    }
    if (const absl::Status usable = CheckSummary(report.summary()); !usable.ok()) {
      spdlog::warn("{}: a worker's data set summary is not usable: {}", experiment.id(),
                   usable.ToString());
      continue;
    }
    absl::Status fits = CheckClasses(experiment, report.summary());
    fits.Update(CheckImages(experiment.spec(), report.summary().train_images()));
    if (!fits.ok()) {
      ledger_.End(experiment, v1::Experiment::FAILED, fits.message());
      continue;
    }
    *stored.mutable_dataset() = report.summary();
    ledger_.population().AddDatasetFact(row, report.summary());
    ledger_.Save(experiment);
    spdlog::info("{}: data set '{}' has fingerprint {}", experiment.id(), report.spec().name(),
                 report.summary().fingerprint());
    planner_.Advance(experiment);
  }
}

absl::Status Experiments::CheckClasses(const LiveExperiment& experiment,
                                       const v1::DatasetSummary& dataset) {
  const std::string& digest = StartNetwork(experiment.spec());
  if (digest.empty()) {
    // Only now it is known how many filters the head has.
    SQUISH_ASSIGN_OR_RETURN(const Genome first,
                            FirstGenome(experiment.spec(), dataset.class_names_size()));
    return CheckReach(experiment.spec(), first);
  }
  SQUISH_ASSIGN_OR_RETURN(const Network network,
                          ReadAncestor(ledger_.population().artifacts(), digest));
  if (std::equal(network.class_names.begin(), network.class_names.end(),
                 dataset.class_names().begin(), dataset.class_names().end())) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "the ancestor network is for ", network.class_names.size(), " classes (",
      Utf8Prefix(absl::StrJoin(network.class_names, ", "), 200), ") and the data set has ",
      dataset.class_names_size(), " (", Utf8Prefix(absl::StrJoin(dataset.class_names(), ", "), 200),
      "); they must be the same, in the same order"));
}

WantedDatasets Experiments::Wanted() const {
  WantedDatasets wanted;
  for (const auto& [row, experiment] : live_) {
    if (HasEnded(experiment.state())) continue;
    const v1::DatasetSpec& spec = experiment.spec().dataset();
    WantedDataset& dataset = wanted[DatasetKey(spec)];
    dataset.spec = spec;
    if (dataset.fingerprint.empty()) {
      dataset.fingerprint = experiment.stored.experiment.dataset().fingerprint();
    }
  }
  return wanted;
}

std::string Experiments::DifferenceFromPinned(const v1::DatasetReport& report) const {
  if (report.state() != v1::DatasetReport::READY) return "";
  const std::string key = DatasetKey(report.spec());
  for (const auto& [row, experiment] : live_) {
    const v1::DatasetSummary& pinned = experiment.stored.experiment.dataset();
    if (HasEnded(experiment.state()) || pinned.fingerprint().empty() ||
        pinned.fingerprint() == report.summary().fingerprint() ||
        DatasetKey(experiment.spec().dataset()) != key) {
      continue;
    }
    return DescribeClassDifference(pinned, report.summary());
  }
  return "";
}

void Experiments::AgentArrived(const ConnectedRunner& agent) {
  for (auto& [row, experiment] : live_) {
    const std::vector<const BoardJob*> exhausted = ledger_.board().Exhausted(row);
    const v1::RetrySpec& retry = experiment.spec().retry();
    const bool only_measurements =
        std::all_of(exhausted.begin(), exhausted.end(), [&retry](const BoardJob* job) {
          return ExhaustedByMeasurements(*job, retry);
        });
    const bool can_do_some =
        std::any_of(exhausted.begin(), exhausted.end(),
                    [&agent, &experiment = experiment](const BoardJob* job) {
                      return CanDo(agent, experiment, job->key);
                    });
    if (!only_measurements || !can_do_some) continue;
    ledger_.RetryExhausted(experiment);
    ledger_.Save(experiment);
  }
}

// --- Looking ------------------------------------------------------------------------

const LiveExperiment* Experiments::Find(absl::string_view id) const {
  for (const auto& [row, experiment] : live_) {
    if (experiment.id() == id) return &experiment;
  }
  return nullptr;
}

void Experiments::DropEnded() {
  for (auto it = live_.begin(); it != live_.end();) {
    it = HasEnded(it->second.state()) ? live_.erase(it) : std::next(it);
  }
}

}  // namespace squish
