#include "coordinator/service/coordinator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "coordinator/service/fleet_report.h"
#include "coordinator/service/matching.h"
#include "spdlog/spdlog.h"

namespace squish {
namespace {

// The loop looks after time so often. A batch that comes much later was held up (the
// process stopped, the disk hung), and the runners are not to blame for the silence.
absl::Duration Heartbeat(absl::Duration lease) { return lease / 6; }
absl::Duration GapLimit(absl::Duration lease) { return lease / 2; }

// 2 MB: some milliseconds, for which calls wait.
constexpr int kPagesOfStep = 500;

absl::Status Stopping() { return absl::UnavailableError("the coordinator stops"); }

}  // namespace

Coordinator::Parts::Parts(Population* population, Clock* clock, const Options& options,
                          const DiskGuard* guard)
    : ledger(population, clock, options.lease),
      fleet(options.set_aside),
      planner(&ledger),
      attempts(&ledger, &planner, &live, &fleet),
      experiments(&ledger, &planner, &live),
      synchronizer({options.lease, std::min(options.park_limit, options.lease / 3)}, clock,
                   &experiments, &attempts, &fleet, guard) {}

Coordinator::Coordinator(Population* population, Clock* clock, CoordinatorMetrics* metrics,
                         Options options)
    : population_(*population),
      clock_(*clock),
      metrics_(*metrics),
      options_(std::move(options)),
      guard_(options_.minimum_free_bytes,
             options_.free_bytes ? options_.free_bytes
                                 : DiskGuard::FreeBytes([population] {
                                     return population->FreeBytes();
                                   })),
      looked_(clock->Steady()),
      gathered_(clock->Steady()),
      last_batch_(clock->Steady()) {
  guard_.Look();
}

Coordinator::~Coordinator() = default;

absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Create(Population* population,
                                                                 Clock* clock,
                                                                 CoordinatorMetrics* metrics,
                                                                 Options options) {
  auto coordinator = std::unique_ptr<Coordinator>(
      new Coordinator(population, clock, metrics, std::move(options)));
  SQUISH_RETURN_IF_ERROR(coordinator->Load());
  return coordinator;
}

absl::Status Coordinator::Load() {
  parts_ = std::make_unique<Parts>(&population_, &clock_, options_, &guard_);
  population_.Begin();
  const absl::Status loaded = parts_->experiments.Load();
  if (!loaded.ok()) population_.Fail(loaded);
  return population_.Commit();
}

// --- Batches -----------------------------------------------------------------------

void Coordinator::RunBatch(std::vector<Task> tasks) {
  NoticeGap();
  LookAtDisk();
  population_.Begin();
  for (const Task& task : tasks) task(*this);
  parts_->synchronizer.Settle();
  Finish(population_.Commit());
  StepCopies();
  StepGathering();
}

void Coordinator::LookAtDisk() {
  const absl::Duration now = clock_.Steady();
  if (now - looked_ < absl::Seconds(1)) return;
  looked_ = now;
  guard_.Look();
}

void Coordinator::StepCopies() {
  if (copies_.empty()) return;
  PendingCopy& first = copies_.front();
  const absl::StatusOr<bool> whole = first.copy->Step(kPagesOfStep);
  if (whole.ok() && !*whole) return;
  PendingCopy made = std::move(first);
  copies_.pop_front();
  if (whole.ok()) {
    made.done(std::move(*made.copy));
  } else {
    made.done(whole.status());
  }
}

void Coordinator::StepGathering() {
  if (!options_.on_named || stopping_) return;
  const absl::Duration now = clock_.Steady();
  if (!gathering_.has_value()) {
    if (now - gathered_ < options_.gather_every) return;
    gathered_ = now;
    absl::StatusOr<std::vector<StoredExperiment>> all = population_.ListExperiments();
    if (!all.ok()) {
      spdlog::error("artifacts that are named cannot be gathered: {}", all.status().ToString());
      return;
    }
    gathering_.emplace().left = *std::move(all);
    return;
  }
  if (!gathering_->left.empty()) {
    // A live one may have gone on since, and have left somebody behind: one time too many is
    // no harm.
    const absl::Status added =
        population_.AddNamedArtifacts(gathering_->left.back(), gathering_->named);
    gathering_->left.pop_back();
    if (added.ok()) return;
    spdlog::error("artifacts that are named cannot be gathered: {}", added.ToString());
    gathering_.reset();  // Not knowing all is no ground for removing any.
    return;
  }
  options_.on_named(std::move(gathering_->named));
  gathering_.reset();
}

void Coordinator::Backup(const Caller&,
                         std::function<void(absl::StatusOr<DatabaseCopy>)> done) {
  if (stopping_) {
    done(Stopping());
    return;
  }
  absl::StatusOr<std::unique_ptr<DatabaseCopy>> copy = population_.StartCopy();
  if (!copy.ok()) {
    done(copy.status());
    return;
  }
  copies_.push_back({*std::move(copy), std::move(done)});
}

absl::Duration Coordinator::NextWake() const {
  if (!copies_.empty() || gathering_.has_value()) return last_batch_;
  return std::min(last_batch_ + Heartbeat(options_.lease), parts_->synchronizer.NextDeadline());
}

void Coordinator::NoticeGap() {
  const absl::Duration now = clock_.Steady();
  const absl::Duration gap = now - std::exchange(last_batch_, now);
  if (gap <= GapLimit(options_.lease)) return;
  spdlog::warn("nothing was done for {}; every lease gets a full new term",
               absl::FormatDuration(gap));
  parts_->ledger.board().RenewAll(now);
  parts_->fleet.ExcuseAll(now);
}

void Coordinator::Finish(const absl::Status& committed) {
  absl::Status told;
  if (committed.ok()) {
    Publish();
  } else {
    spdlog::error("the population could not be written: {}", committed.ToString());
    told = absl::UnavailableError(
        absl::StrCat("the coordinator could not write its population (", committed.message(),
                     "); nothing was changed, try again"));
    parts_->synchronizer.EndAll(told);
  }
  for (const auto& then : std::exchange(after_commit_, {})) then(told);
  if (committed.ok()) return;
  const absl::Status loaded = Load();
  if (loaded.ok()) return;
  spdlog::critical("the population could not be read again either: {}", loaded.ToString());
  if (options_.on_fatal) options_.on_fatal(loaded);
}

void Coordinator::Publish() {
  const Changes changes = std::exchange(parts_->ledger.changes(), {});
  for (const Changes::IndividualChange& change : changes.individuals) {
    hub_.Tell(change.experiment, change.individual);
  }
  for (const Changes::ChampionChange& change : changes.champions) {
    hub_.Tell(change.experiment, change.champion);
  }
  for (const auto& [row, experiment] : parts_->live) {
    if (hub_.IsWatched(experiment.id())) hub_.Tell(DescribeNow(experiment));
  }
  metrics_.Count(changes);
  RemoveCheckpoints(changes.obsolete_checkpoints);
  const absl::Duration now = clock_.Steady();
  if (metrics_.IsDue(now) || !changes.ended.empty()) {
    metrics_.Show(now, parts_->ledger.board(), parts_->fleet, parts_->live, population_);
  }
  if (!changes.ended.empty()) NoteEnded();
}

// Nothing else names a checkpoint, and at one a minute they would fill the disk. One that a
// crash leaves behind does no harm.
void Coordinator::RemoveCheckpoints(const std::vector<std::string>& artifacts) {
  for (const std::string& artifact : artifacts) {
    // Attempts that trained alike made the same one.
    if (population_.IsCheckpoint(artifact).value_or(true)) continue;
    const absl::Status removed = population_.artifacts().Remove(artifact);
    if (!removed.ok()) spdlog::warn("checkpoint {} stays: {}", artifact, removed.ToString());
  }
}

void Coordinator::NoteEnded() {
  for (const auto& [row, experiment] : parts_->live) {
    if (!HasEnded(experiment.state())) continue;
    spdlog::info("{}: {} {}", experiment.id(), v1::Experiment::State_Name(experiment.state()),
                 experiment.stored.experiment.reason());
    all_succeeded_ = all_succeeded_ && experiment.state() == v1::Experiment::SUCCEEDED;
  }
  parts_->experiments.DropEnded();
  CheckAllEnded();
}

void Coordinator::CheckAllEnded() {
  if (parts_->live.empty() && options_.on_all_ended) options_.on_all_ended(all_succeeded_);
}

// --- Experiments ---------------------------------------------------------------------

v1::Experiment Coordinator::DescribeNow(const LiveExperiment& experiment) {
  v1::Experiment described = Describe(experiment);
  DescribeWaiting(experiment, parts_->ledger.board(), parts_->fleet, guard_.Reason(), described);
  return described;
}

absl::StatusOr<v1::Experiment> Coordinator::DescribeFor(absl::string_view id) {
  if (const LiveExperiment* live = parts_->experiments.Find(id)) return DescribeNow(*live);
  SQUISH_ASSIGN_OR_RETURN(const StoredExperiment ended, population_.FindExperiment(id));
  return DescribeEnded(ended);
}

absl::StatusOr<v1::Experiment> Coordinator::Submit(const Caller&,
                                                   const v1::SubmitRequest& request) {
  SQUISH_ASSIGN_OR_RETURN(
      const StoredExperiment submitted,
      parts_->experiments.Submit(request.spec(), request.idempotency_key()));
  if (HasEnded(submitted.experiment.state())) {  // Asked for again after its end.
    all_succeeded_ =
        all_succeeded_ && submitted.experiment.state() == v1::Experiment::SUCCEEDED;
    AfterCommit([this](const absl::Status&) { CheckAllEnded(); });
  }
  return DescribeFor(submitted.experiment.id());
}

absl::StatusOr<v1::Experiment> Coordinator::Get(const Caller&,
                                                const v1::GetExperimentRequest& request) {
  return DescribeFor(request.id());
}

absl::StatusOr<v1::ListExperimentsResponse> Coordinator::List(const Caller&,
                                                              const v1::ListExperimentsRequest&) {
  SQUISH_ASSIGN_OR_RETURN(const std::vector<StoredExperiment> all, population_.ListExperiments());
  v1::ListExperimentsResponse response;
  for (const StoredExperiment& stored : all) {
    const LiveExperiment* live = parts_->experiments.Find(stored.experiment.id());
    *response.add_experiments() =
        live != nullptr ? DescribeNow(*live) : DescribeEnded(stored);
  }
  return response;
}

absl::StatusOr<v1::ListIndividualsResponse> Coordinator::ListIndividuals(
    const Caller&, const v1::ListIndividualsRequest& request) {
  SQUISH_ASSIGN_OR_RETURN(const StoredExperiment stored,
                          population_.FindExperiment(request.experiment()));
  SQUISH_ASSIGN_OR_RETURN(std::vector<v1::Individual> individuals,
                          population_.Individuals(stored.row));
  v1::ListIndividualsResponse response;
  for (v1::Individual& individual : individuals) {
    *response.add_individuals() = std::move(individual);
  }
  return response;
}

absl::StatusOr<v1::ListChampionsResponse> Coordinator::ListChampions(
    const Caller&, const v1::ListChampionsRequest& request) {
  SQUISH_ASSIGN_OR_RETURN(const StoredExperiment stored,
                          population_.FindExperiment(request.experiment()));
  SQUISH_ASSIGN_OR_RETURN(std::vector<v1::Champion> champions, population_.Champions(stored.row));
  v1::ListChampionsResponse response;
  for (v1::Champion& champion : champions) *response.add_champions() = std::move(champion);
  return response;
}

absl::StatusOr<v1::ListRunnersResponse> Coordinator::ListRunners(const Caller&,
                                                                 const v1::ListRunnersRequest&) {
  return DescribeRunners(parts_->fleet, parts_->ledger.board(), parts_->live,
                         clock_.Steady());
}

absl::StatusOr<v1::EstimateResponse> Coordinator::Estimate(const Caller&,
                                                           const v1::EstimateRequest& request) {
  if (request.train_images() < 0) {
    return absl::InvalidArgumentError("train_images: is negative");
  }
  SQUISH_ASSIGN_OR_RETURN(const v1::ExperimentSpec spec,
                          parts_->experiments.Complete(request.spec()));
  return EstimateOnFleet(spec, request.train_images(), parts_->fleet, parts_->experiments,
                         population_);
}

absl::StatusOr<v1::Experiment> Coordinator::Pause(const Caller&, const v1::PauseRequest& request) {
  SQUISH_RETURN_IF_ERROR(parts_->experiments.Pause(request.id()));
  return DescribeFor(request.id());
}

absl::StatusOr<v1::Experiment> Coordinator::Resume(const Caller&,
                                                   const v1::ResumeRequest& request) {
  SQUISH_RETURN_IF_ERROR(parts_->experiments.Resume(request.id()));
  return DescribeFor(request.id());
}

absl::StatusOr<v1::Experiment> Coordinator::Retry(const Caller&, const v1::RetryRequest& request) {
  SQUISH_RETURN_IF_ERROR(parts_->experiments.Retry(request.id()));
  return DescribeFor(request.id());
}

absl::StatusOr<v1::Experiment> Coordinator::Cancel(const Caller&,
                                                   const v1::CancelRequest& request) {
  SQUISH_RETURN_IF_ERROR(parts_->experiments.Cancel(request.id()));
  return DescribeFor(request.id());
}

void Coordinator::Watch(const Caller&, const v1::WatchRequest& request,
                        std::shared_ptr<WatchSink> sink) {
  // The snapshot is of what is on disk, so it waits for the commit.
  AfterCommit([this, id = request.experiment(), sink](const absl::Status& committed) {
    absl::Status started = stopping_ ? Stopping() : committed;
    if (started.ok()) started = StartWatch(id, sink);
    if (!started.ok()) sink->End(started);
  });
}

absl::Status Coordinator::StartWatch(const std::string& id,
                                     const std::shared_ptr<WatchSink>& sink) {
  SQUISH_ASSIGN_OR_RETURN(const v1::Experiment experiment, DescribeFor(id));
  SQUISH_ASSIGN_OR_RETURN(const StoredExperiment stored, population_.FindExperiment(id));
  SQUISH_ASSIGN_OR_RETURN(const std::vector<v1::Individual> individuals,
                          population_.Individuals(stored.row));
  SQUISH_ASSIGN_OR_RETURN(const std::vector<v1::Champion> champions,
                          population_.Champions(stored.row));
  return hub_.Add(sink, experiment, individuals, champions);
}

// --- Runners ----------------------------------------------------------------------------

void Coordinator::Synchronize(const Caller& caller, const v1::SynchronizeRequest& request,
                              uint64_t call, Synchronizer::Answer answer) {
  if (stopping_) {
    answer(Stopping());
    return;
  }
  parts_->synchronizer.Synchronize(
      caller, request, call,
      [this, answer = std::move(answer)](absl::StatusOr<v1::SynchronizeResponse> response) {
        AfterCommit([answer, response = std::move(response)](const absl::Status& committed) {
          answer(committed.ok() ? response : committed);
        });
      });
}

void Coordinator::Stop() {
  stopping_ = true;
  parts_->synchronizer.EndAll(Stopping());
  for (PendingCopy& pending : std::exchange(copies_, {})) pending.done(Stopping());
  AfterCommit([this](const absl::Status&) { hub_.EndAll(Stopping()); });
}

}  // namespace squish
