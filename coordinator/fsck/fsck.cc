#include "coordinator/fsck/fsck.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "coordinator/evolution/champions.h"
#include "coordinator/evolution/plan.h"
#include "coordinator/evolution/retention.h"
#include "coordinator/population/named_artifacts.h"
#include "coordinator/service/ledger.h"
#include "google/protobuf/util/message_differencer.h"

namespace squish {
namespace {

using google::protobuf::util::MessageDifferencer;

constexpr size_t kMaximumProblems = 1000;

class Findings {
 public:
  explicit Findings(FsckReport& report) : report_(report) {}

  void Add(std::string problem) {
    if (report_.problems.size() + 1 < kMaximumProblems) {
      report_.problems.push_back(std::move(problem));
    } else if (report_.problems.size() < kMaximumProblems) {
      report_.problems.push_back("there are more problems, which are not listed");
    }
  }
  void Require(bool holds, absl::string_view where, absl::string_view what) {
    if (!holds) Add(absl::StrCat(where, ": ", what));
  }

 private:
  FsckReport& report_;
};

std::string KeyText(const v1::JobKey& key) {
  return absl::StrCat(v1::JobKey::Kind_Name(key.kind()), " of ", key.generation(), ":",
                      key.index(), key.rung() > 0 ? absl::StrCat(", rung ", key.rung()) : "");
}

// One experiment against what its facts give when they are planned again.
class Replay {
 public:
  Replay(Population& population, const StoredExperiment& stored, Findings& findings,
         FsckReport& report, std::set<std::string>& artifacts)
      : population_(population),
        stored_(stored),
        spec_(stored.experiment.spec()),
        retention_(spec_, stored.summary, HasEnded(stored.experiment.state())),
        findings_(findings),
        report_(report),
        artifacts_(artifacts) {}

  absl::Status Run() {
    SQUISH_RETURN_IF_ERROR(ReadRows());
    AddNamedArtifacts(spec_, artifacts_);
    summary_.set_closed_generation(-1);
    if (stored_.experiment.has_dataset()) {
      for (int generation = 0; !finished_; ++generation) {
        SQUISH_ASSIGN_OR_RETURN(const bool closed, RunGeneration(generation));
        if (!closed) break;
      }
    }
    CheckEnd();
    CheckAttempts();
    return absl::OkStatus();
  }

 private:
  struct Row {
    BoardJob job;
    bool wanted = false;
    bool has_fact = false;
    bool has_running = false;
  };

  std::string Where(absl::string_view what = "") const {
    return absl::StrCat(stored_.experiment.id(), what.empty() ? "" : ", ", what);
  }

  absl::Status ReadRows() {
    SQUISH_ASSIGN_OR_RETURN(std::vector<v1::Individual> individuals,
                            population_.Individuals(stored_.row));
    report_.individuals += static_cast<int64_t>(individuals.size());
    for (v1::Individual& one : individuals) {
      const auto place = std::make_pair(one.name().generation(), one.name().index());
      individuals_[place] = std::move(one);
    }
    SQUISH_ASSIGN_OR_RETURN(champions_, population_.Champions(stored_.row));
    SQUISH_ASSIGN_OR_RETURN(std::vector<BoardJob> jobs, population_.Jobs(stored_.row, 0));
    report_.jobs += static_cast<int64_t>(jobs.size());
    for (BoardJob& job : jobs) {
      const JobPlace place = PlaceOf(job.key);
      by_id_[job.id] = place;
      jobs_[place] = {std::move(job)};
    }
    SQUISH_ASSIGN_OR_RETURN(attempts_, population_.Attempts(stored_.row, 0));
    SQUISH_ASSIGN_OR_RETURN(checkpoints_, population_.Checkpoints(stored_.row));
    for (const auto& [job, checkpoint] : checkpoints_) AddNamedArtifacts(checkpoint, artifacts_);
    return absl::OkStatus();
  }

  // Whether the generation was closed, so that there is a next one.
  absl::StatusOr<bool> RunGeneration(int generation) {
    OpenGeneration open;
    open.generation = generation;
    open.individuals.resize(
        static_cast<size_t>(GenerationSize(spec_, summary_, generation)));
    SQUISH_ASSIGN_OR_RETURN(const std::vector<v1::AttemptResult> facts,
                            population_.ResultFacts(stored_.row, generation));
    for (const v1::AttemptResult& fact : facts) Apply(fact, open);
    const Plan plan = MakePlan(spec_, stored_.experiment.dataset(), summary_, open);
    failed_ = plan.failed;
    CheckJobs(plan);
    CheckPopulationOf(open, plan);
    if (!plan.closing.has_value()) return false;
    summary_ = plan.closing->summary;
    finished_ = plan.closing->finished;
    AdoptChampions();
    return true;
  }

  // Rules of choice may change from version to version; what was chosen stays. Said once, and
  // gone on with, so that the rest is looked at.
  void AdoptChampions() {
    const auto& stored = stored_.summary.champions();
    const auto& chosen = summary_.champions();
    if (stored.empty() || chosen.empty()) return;
    const bool same = std::equal(
        stored.begin(), stored.end(), chosen.begin(), chosen.end(),
        [](const auto& a, const auto& b) { return MessageDifferencer::Equals(a, b); });
    if (same) return;
    findings_.Add(Where("the champions are not those that this version would choose: an earlier "
                        "one chose by other rules, or the record is wrong"));
    *summary_.mutable_champions() = stored;
  }

  void Apply(const v1::AttemptResult& fact, OpenGeneration& open) {
    ++report_.facts;
    AddNamedArtifacts(fact, retention_, artifacts_);
    const std::string where = Where(KeyText(fact.key()));
    if (fact.key().index() < 0 ||
        fact.key().index() >= static_cast<int>(open.individuals.size())) {
      findings_.Add(absl::StrCat(where, ": the fact is of nobody in its generation"));
      return;
    }
    const auto row = jobs_.find(PlaceOf(fact.key()));
    if (row == jobs_.end()) {
      findings_.Add(absl::StrCat(where, ": there is a fact, and no job that it answers"));
    } else {
      findings_.Require(!row->second.has_fact, where, "there are two facts of one job");
      row->second.has_fact = true;
    }
    if (fact.has_train()) images_planned_ += fact.train().images_seen();
    ApplyResult(fact, open.individuals[static_cast<size_t>(fact.key().index())]);
  }

  void CheckJobs(const Plan& plan) {
    const bool ended = HasEnded(stored_.experiment.state());
    for (const v1::Job& wanted : plan.wanted) {
      const auto row = jobs_.find(PlaceOf(wanted.key()));
      if (row != jobs_.end()) {
        row->second.wanted = true;
      } else if (!ended) {
        findings_.Add(absl::StrCat(Where(KeyText(wanted.key())),
                                   ": the job is wanted, and was never ordered"));
      }
    }
  }

  void CheckPopulationOf(const OpenGeneration& open, const Plan& plan) {
    const bool of_champions = IsOfChampions(summary_, open.generation);
    for (int i = 0; i < static_cast<int>(open.individuals.size()); ++i) {
      const IndividualFacts& facts = open.individuals[static_cast<size_t>(i)];
      const std::string where = Where(absl::StrCat(of_champions ? "champion " : "individual ",
                                                   open.generation, ":", i));
      if (of_champions) {
        const bool there = i < static_cast<int>(champions_.size());
        findings_.Require(
            there && MessageDifferencer::Equals(
                         champions_[static_cast<size_t>(i)],
                         DescribeChampion(spec_, summary_, i, facts)),
            where, "what is stored is not what the facts give");
        continue;
      }
      v1::IndividualName name;
      name.set_generation(open.generation);
      name.set_index(i);
      const v1::Individual described =
          plan.closing.has_value()
              ? plan.closing->individuals[static_cast<size_t>(i)]
              : DescribeIndividual(spec_, summary_, std::move(name), facts);
      const auto found = individuals_.find({open.generation, i});
      findings_.Require(
          found != individuals_.end() && MessageDifferencer::Equals(found->second, described),
          where, "what is stored is not what the facts give");
    }
  }

  void CheckEnd() {
    using State = v1::Experiment;
    const State::State state = stored_.experiment.state();
    v1::EvolutionSummary stored = stored_.summary;
    // Of a program from before there was an archive.
    if (stored.archive().empty()) *stored.mutable_archive() = summary_.archive();
    findings_.Require(MessageDifferencer::Equals(stored, summary_), Where(),
                      "the stored summary is not what the facts give");
    findings_.Require(finished_ == (state == State::SUCCEEDED), Where(),
                      finished_ ? "all is done, and the experiment has not SUCCEEDED"
                                : "it has SUCCEEDED, and not all is done");
    findings_.Require(failed_.empty() || HasEnded(state), Where(),
                      absl::StrCat("it goes on, and cannot: ", failed_));
    findings_.Require(stored_.experiment.images_planned() == images_planned_, Where(),
                      absl::StrCat("images planned are ", stored_.experiment.images_planned(),
                                   ", and trainings saw ", images_planned_));
    if (!HasEnded(state)) return;
    std::vector<v1::Individual> all;
    for (const auto& [place, individual] : individuals_) all.push_back(individual);
    findings_.Require(stored_.experiment.population_digest() == PopulationDigest(all), Where(),
                      "the population digest is not that of its individuals");
  }

  void CheckAttempts() {
    int64_t wasted = 0;
    for (const StoredAttempt& attempt : attempts_) {
      wasted += attempt.images_wasted;
      const auto place = by_id_.find(attempt.attempt.job);
      if (place == by_id_.end()) continue;  // A foreign key, which SQLite has looked at.
      Row& row = jobs_[place->second];
      if (attempt.attempt.state == AttemptState::kRunning) row.has_running = true;
    }
    findings_.Require(stored_.experiment.images_wasted() == wasted, Where(),
                      absl::StrCat("images wasted are ", stored_.experiment.images_wasted(),
                                   ", and attempts wasted ", wasted));
    const bool ended = HasEnded(stored_.experiment.state());
    for (const auto& [place, row] : jobs_) {
      const std::string where = Where(KeyText(row.job.key));
      const JobState state = row.job.state;
      findings_.Require((state == JobState::kDone) == row.has_fact, where,
                        row.has_fact ? "there is its fact, and the job is not DONE"
                                     : "the job is DONE, and there is no fact");
      findings_.Require(!row.has_running || state == JobState::kLeased, where,
                        absl::StrCat("an attempt runs, and the job is ", JobStateName(state)));
      findings_.Require(state != JobState::kLeased || row.has_running, where,
                        "the job is LEASED, and no attempt runs");
      const bool is_open = state != JobState::kDone && state != JobState::kWithdrawn;
      findings_.Require(!is_open || (row.wanted && !ended), where,
                        "the job is open, and nobody wants it");
      findings_.Require(is_open || checkpoints_.count(row.job.id) == 0, where,
                        absl::StrCat("there is a checkpoint, and the job is ",
                                     JobStateName(state)));
    }
  }

  Population& population_;
  const StoredExperiment& stored_;
  const v1::ExperimentSpec& spec_;
  const Retention retention_;
  Findings& findings_;
  FsckReport& report_;
  std::set<std::string>& artifacts_;

  std::map<std::pair<int, int>, v1::Individual> individuals_;  // generation, index
  std::vector<v1::Champion> champions_;
  std::map<JobPlace, Row> jobs_;
  std::map<int64_t, JobPlace> by_id_;
  std::vector<StoredAttempt> attempts_;
  std::map<int64_t, v1::Checkpoint> checkpoints_;  // By job.

  v1::EvolutionSummary summary_;  // As replayed.
  bool finished_ = false;
  std::string failed_;
  int64_t images_planned_ = 0;
};

absl::Status CheckArtifacts(const BlobStore& store, const std::set<std::string>& named,
                            Findings& findings, FsckReport& report) {
  report.artifacts = static_cast<int64_t>(named.size());
  for (const std::string& digest : named) {
    const absl::Status readable = store.Verify(digest);
    if (!readable.ok()) findings.Add(std::string(readable.message()));
  }
  SQUISH_ASSIGN_OR_RETURN(const std::vector<std::string> all, store.List());
  report.unreferenced = std::count_if(
      all.begin(), all.end(), [&](const std::string& one) { return named.count(one) == 0; });
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FsckReport> CheckPopulation(Population& population) {
  FsckReport report;
  Findings findings(report);
  SQUISH_ASSIGN_OR_RETURN(const std::vector<std::string> damage, population.FindDamage());
  for (const std::string& one : damage) findings.Add(absl::StrCat("the database: ", one));
  std::set<std::string> artifacts;
  const auto stored = population.ListExperiments();
  if (!stored.ok()) {
    findings.Add(absl::StrCat("experiments: ", stored.status().message()));
    return report;
  }
  for (const StoredExperiment& one : *stored) {
    ++report.experiments;
    const absl::Status read = Replay(population, one, findings, report, artifacts).Run();
    if (!read.ok()) findings.Add(absl::StrCat(one.experiment.id(), ": ", read.message()));
  }
  SQUISH_RETURN_IF_ERROR(CheckArtifacts(population.artifacts(), artifacts, findings, report));
  return report;
}

}  // namespace squish
