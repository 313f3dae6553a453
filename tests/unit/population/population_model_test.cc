// The store against a model that is too simple to be wrong: maps in memory, and the state
// machines as tables. Hundreds of random transactions, legal and illegal; what is refused must
// leave no trace, and after each one, and after reopening the file, both must agree on everything
// that can be read.
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/random.h"
#include "common/spec/older.h"
#include "coordinator/population/population.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_folder.h"

namespace squish {
namespace {

using google::protobuf::util::TimeUtil;

constexpr int kTransactions = 250, kGenerations = 3;
constexpr v1::Experiment::State kStates[] = {
    v1::Experiment::RUNNING,   v1::Experiment::PAUSED, v1::Experiment::NEEDS_ATTENTION,
    v1::Experiment::SUCCEEDED, v1::Experiment::FAILED, v1::Experiment::CANCELLED};

bool IsOver(JobState state) { return state == JobState::kDone || state == JobState::kWithdrawn; }

struct ModelJob {
  BoardJob job;
  std::optional<v1::Checkpoint> checkpoint;
};

struct Model {
  std::map<int64_t, StoredExperiment> experiments;  // By row.
  std::map<int64_t, std::map<std::pair<int, int>, v1::Individual>> individuals;
  std::map<int64_t, std::map<int, v1::Champion>> champions;
  std::map<int64_t, ModelJob> jobs;  // By id.
  std::map<std::string, StoredAttempt> attempts;
  std::map<std::pair<int64_t, int>, std::vector<v1::AttemptResult>> facts;
  std::map<std::string, v1::MeasureResult> measurements;  // By architecture.
};

// What was read, by value: a loop must not walk in a temporary.
template <typename T>
T Read(absl::StatusOr<T> read) {
  EXPECT_TRUE(read.ok()) << read.status();
  return read.ok() ? *std::move(read) : T{};
}

// Everything that can be read, as text.
class Listing {
 public:
  void Add(const StoredExperiment& one) {
    absl::StrAppend(&text_, one.row, " ", one.nondeterministic, " ",
                    one.summary.closed_generation(), "\n", one.experiment.DebugString());
  }
  void Add(const BoardJob& job, const std::optional<v1::Checkpoint>& checkpoint) {
    absl::StrAppend(&text_, "job ", job.id, " ", job.experiment, " ", JobStateName(job.state), " ",
                    job.lost, " ", job.failed, " ", job.invalid, " ", job.last_error, " ",
                    job.result_digest, "\n", job.key.DebugString(),
                    checkpoint.has_value() ? checkpoint->DebugString() : "", "\n");
  }
  void Add(const StoredAttempt& one) {
    absl::StrAppend(&text_, "attempt ", one.attempt.id, " ", one.attempt.job, " ",
                    one.attempt.runner, " ", one.attempt.incarnation, " ",
                    AttemptStateName(one.attempt.state), " ", one.images_wasted, "\n");
  }
  void Add(const google::protobuf::Message& message) {
    absl::StrAppend(&text_, message.GetTypeName(), "\n", message.DebugString());
  }
  void Head(absl::string_view what, int64_t number) {
    absl::StrAppend(&text_, "-- ", what, " ", number, "\n");
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

class PopulationModelTest : public testing::TestWithParam<int> {
 protected:
  PopulationModelTest()
      : random_(RandomDomain::kShuffle, {77, static_cast<uint64_t>(GetParam())}) {
    Reopen();
  }

  void Reopen() {
    population_.reset();
    auto population = Population::Open(JoinPath(folder_, "population.db"));
    ASSERT_TRUE(population.ok()) << population.status();
    population_ = *std::move(population);
  }

  int Draw(int below) { return static_cast<int>(random_.Below(place_++, below)); }
  template <typename Map>
  typename Map::mapped_type& DrawFrom(Map& map) {
    return std::next(map.begin(), Draw(static_cast<int>(map.size())))->second;
  }

  // --- What a transaction is made of. Each does the same to both; false: the store is to
  // refuse it, and with it the transaction.

  bool AddExperiment() {
    StoredExperiment added;
    added.row = population_->NewExperimentRow();
    added.experiment.set_id(absl::StrCat("e-", added.row));
    added.experiment.mutable_spec()->set_name("e");
    CompleteOlder(*added.experiment.mutable_spec());  // As reading does.
    added.experiment.set_state(v1::Experiment::RUNNING);
    *added.experiment.mutable_created() = TimeUtil::MillisecondsToTimestamp(1000 + added.row);
    added.summary.set_closed_generation(-1);
    population_->AddExperiment(added, absl::StrCat("key-", added.row));
    model_.experiments[added.row] = added;
    return true;
  }

  bool AddTakenExperiment() {
    StoredExperiment taken = DrawFrom(model_.experiments);
    taken.row = population_->NewExperimentRow();
    population_->AddExperiment(taken, "");
    return false;
  }

  bool UpdateExperiment() {
    StoredExperiment& stored = DrawFrom(model_.experiments);
    v1::Experiment& experiment = stored.experiment;
    const v1::Experiment::State before = experiment.state();
    experiment.set_state(kStates[Draw(6)]);
    experiment.set_reason(absl::StrCat("reason ", Draw(100)));
    experiment.set_images_planned(experiment.images_planned() + Draw(1000));
    stored.nondeterministic += Draw(2);
    stored.summary.set_closed_generation(Draw(kGenerations));
    experiment.clear_finished();
    experiment.clear_population_digest();
    if (HasEnded(experiment.state())) {
      *experiment.mutable_finished() = TimeUtil::MillisecondsToTimestamp(5000 + Draw(100));
      experiment.set_population_digest(absl::StrCat("digest ", Draw(100)));
    }
    population_->UpdateExperiment(stored);
    population_->UpdateSummary(stored);
    return !HasEnded(before) || experiment.state() == before;
  }

  bool PutIndividual() {
    const int64_t row = DrawFrom(model_.experiments).row;
    v1::Individual individual;
    individual.mutable_name()->set_generation(Draw(kGenerations));
    individual.mutable_name()->set_index(Draw(3));
    individual.set_state(static_cast<v1::Individual::State>(1 + Draw(6)));
    individual.set_parameters(Draw(1000));
    population_->PutIndividual(row, individual);
    model_.individuals[row][{individual.name().generation(), individual.name().index()}] =
        individual;
    return true;
  }

  bool PutChampion() {
    const int64_t row = DrawFrom(model_.experiments).row;
    v1::Champion champion;
    champion.set_index(Draw(3));
    champion.set_state(static_cast<v1::Champion::State>(1 + Draw(3)));
    champion.set_selection_accuracy(Draw(100) / 100.0);
    population_->PutChampion(row, champion);
    model_.champions[row][champion.index()] = champion;
    return true;
  }

  bool AddJob() {
    BoardJob job;
    job.id = population_->NewJobId();
    job.experiment = DrawFrom(model_.experiments).row;
    job.key.set_generation(Draw(kGenerations));
    job.key.set_index(Draw(4));
    job.key.set_kind(static_cast<v1::JobKey::Kind>(1 + Draw(5)));
    const bool taken = std::any_of(
        model_.jobs.begin(), model_.jobs.end(), [&job](const auto& entry) {
          const BoardJob& other = entry.second.job;
          return other.experiment == job.experiment &&
                 other.key.SerializeAsString() == job.key.SerializeAsString();
        });
    population_->AddJob(job, {});
    if (!taken) model_.jobs[job.id].job = job;
    return !taken;
  }

  bool UpdateJob() {
    if (model_.jobs.empty()) return true;
    ModelJob& changed = DrawFrom(model_.jobs);
    const JobState before = changed.job.state;
    changed.job.state = static_cast<JobState>(1 + Draw(5));
    changed.job.lost += Draw(2);
    changed.job.failed += Draw(2);
    changed.job.last_error = absl::StrCat("error ", Draw(10));
    if (changed.job.state == JobState::kDone) changed.job.result_digest = "digest";
    population_->UpdateJob(changed.job);
    if (changed.job.state == before) return true;
    if (IsOver(before)) return false;
    if (before == JobState::kExhausted && changed.job.state == JobState::kLeased) return false;
    return !(IsOver(changed.job.state) && changed.checkpoint.has_value());
  }

  bool PutCheckpoint() {
    if (model_.jobs.empty()) return true;
    ModelJob& of = DrawFrom(model_.jobs);
    v1::Checkpoint checkpoint;
    checkpoint.set_artifact(std::string(64, static_cast<char>('a' + Draw(6))));
    checkpoint.set_step(1 + Draw(100));
    population_->PutCheckpoint(of.job.id, checkpoint);
    of.checkpoint = checkpoint;
    return of.job.key.kind() == v1::JobKey::TRAIN && !IsOver(of.job.state);
  }

  bool RemoveCheckpoint() {
    if (model_.jobs.empty()) return true;
    ModelJob& of = DrawFrom(model_.jobs);
    population_->RemoveCheckpoint(of.job.id);
    of.checkpoint.reset();
    return true;
  }

  bool AddAttempt() {
    if (model_.jobs.empty()) return true;
    StoredAttempt added;
    added.attempt.id = absl::StrCat("a-", next_attempt_++);
    added.attempt.job = DrawFrom(model_.jobs).job.id;
    added.attempt.runner = absl::StrCat("runner-", Draw(3));
    added.attempt.incarnation = ~uint64_t{0} - Draw(2);
    population_->AddAttempt(added.attempt, absl::FromUnixSeconds(1));
    model_.attempts[added.attempt.id] = added;
    return true;
  }

  bool UpdateAttempt() {
    if (model_.attempts.empty()) return true;
    StoredAttempt& changed = DrawFrom(model_.attempts);
    const AttemptState before = changed.attempt.state;
    changed.attempt.state = static_cast<AttemptState>(2 + Draw(4));
    changed.images_wasted = Draw(1000);
    population_->UpdateAttempt(changed, absl::FromUnixSeconds(2));
    return before == AttemptState::kRunning || changed.attempt.state == before ||
           (before != AttemptState::kDelivered &&
            changed.attempt.state == AttemptState::kDelivered);
  }

  bool AddFact() {
    const int64_t row = DrawFrom(model_.experiments).row;
    v1::AttemptResult result;
    result.set_attempt_id(absl::StrCat("fact-", Draw(1000)));
    result.mutable_key()->set_generation(Draw(kGenerations));
    population_->AddResultFact(row, result);
    model_.facts[{row, result.key().generation()}].push_back(result);
    return true;
  }

  bool CacheMeasurement() {
    const std::string architecture = absl::StrCat("architecture-", Draw(8));
    v1::MeasureResult result;
    result.set_ratio(1 + Draw(100) / 10.0);
    population_->CacheMeasurement({architecture, "ancestor", {}}, result);
    model_.measurements.emplace(architecture, result);  // The first stays.
    return true;
  }

  bool WriteToNobody() {
    BoardJob missing;
    missing.id = 999'999;
    population_->UpdateJob(missing);
    return false;
  }

  void Transaction() {
    using Step = bool (PopulationModelTest::*)();
    using T = PopulationModelTest;
    static constexpr Step kSteps[] = {
        &T::AddExperiment,  &T::UpdateExperiment, &T::PutIndividual, &T::PutIndividual,
        &T::PutChampion,    &T::AddJob,           &T::AddJob,        &T::AddJob,
        &T::UpdateJob,      &T::UpdateJob,        &T::UpdateJob,     &T::PutCheckpoint,
        &T::RemoveCheckpoint, &T::AddAttempt,     &T::AddAttempt,    &T::UpdateAttempt,
        &T::UpdateAttempt,  &T::AddFact,          &T::CacheMeasurement};
    const Model before = model_;
    bool legal = true;
    population_->Begin();
    if (model_.experiments.empty()) AddExperiment();
    for (int left = 1 + Draw(4); left > 0 && legal; --left) {
      legal = (this->*kSteps[Draw(static_cast<int>(std::size(kSteps)))])();
    }
    const int trouble = Draw(20);
    if (legal && trouble == 0) legal = AddTakenExperiment();
    if (legal && trouble == 1) legal = WriteToNobody();
    if (legal && trouble == 2) {
      population_->Fail(absl::InternalError("the caller could not go on"));
      legal = false;
    }
    const absl::Status committed = population_->Commit();
    ASSERT_EQ(committed.ok(), legal) << committed;
    if (legal) {
      ++committed_;
    } else {
      model_ = before;
      ++refused_;
    }
  }

  std::string Expected() const {
    Listing listing;
    for (const auto& [row, stored] : model_.experiments) {
      listing.Head("experiment", row);
      listing.Add(stored);
      if (const auto some = model_.individuals.find(row); some != model_.individuals.end()) {
        for (const auto& [name, individual] : some->second) listing.Add(individual);
      }
      if (const auto some = model_.champions.find(row); some != model_.champions.end()) {
        for (const auto& [index, champion] : some->second) listing.Add(champion);
      }
      for (int from = 0; from < kGenerations; ++from) {
        listing.Head("from generation", from);
        for (const auto& [id, one] : model_.jobs) {
          if (one.job.experiment != row || one.job.key.generation() < from) continue;
          listing.Add(one.job, one.checkpoint);
        }
        for (const auto& [id, one] : model_.attempts) {
          const BoardJob& job = model_.jobs.at(one.attempt.job).job;
          if (job.experiment == row && job.key.generation() >= from) listing.Add(one);
        }
        const auto facts = model_.facts.find({row, from});
        if (facts == model_.facts.end()) continue;
        for (const v1::AttemptResult& fact : facts->second) listing.Add(fact);
      }
    }
    for (const auto& [architecture, result] : model_.measurements) listing.Add(result);
    return listing.text();
  }

  std::string Stored() {
    Listing listing;
    std::vector<StoredExperiment> experiments = Read(population_->ListExperiments());
    std::reverse(experiments.begin(), experiments.end());
    for (const StoredExperiment& stored : experiments) {
      const int64_t row = stored.row;
      listing.Head("experiment", row);
      listing.Add(stored);
      for (const v1::Individual& one : Read(population_->Individuals(row))) listing.Add(one);
      for (const v1::Champion& one : Read(population_->Champions(row))) listing.Add(one);
      const std::map<int64_t, v1::Checkpoint> checkpoints = Read(population_->Checkpoints(row));
      for (int from = 0; from < kGenerations; ++from) {
        listing.Head("from generation", from);
        for (const BoardJob& job : Read(population_->Jobs(row, from))) {
          const auto found = checkpoints.find(job.id);
          listing.Add(job, found == checkpoints.end()
                               ? std::nullopt
                               : std::optional<v1::Checkpoint>(found->second));
        }
        // By id as text, like the model's map.
        for (const StoredAttempt& one : Read(population_->Attempts(row, from))) listing.Add(one);
        for (const auto& fact : Read(population_->ResultFacts(row, from))) listing.Add(fact);
      }
    }
    for (int i = 0; i < 8; ++i) {
      const auto found = Read(population_->FindMeasurement(
          {absl::StrCat("architecture-", i), "ancestor", {}}));
      if (found.has_value()) listing.Add(*found);
    }
    return listing.text();
  }

  const std::string folder_ = TemporaryFolder();
  const RandomStream random_;
  uint64_t place_ = 0;
  std::unique_ptr<Population> population_;
  Model model_;
  int next_attempt_ = 1000;  // As many digits to the end: texts are in the numbers' order.
  int committed_ = 0, refused_ = 0;
};

TEST_P(PopulationModelTest, AgreesAfterEveryTransactionAndReopening) {
  for (int i = 0; i < kTransactions; ++i) {
    ASSERT_NO_FATAL_FAILURE(Transaction()) << "transaction " << i;
    if (Draw(10) == 0) {
      ASSERT_NO_FATAL_FAILURE(Reopen());
    }
    ASSERT_EQ(Stored(), Expected()) << "transaction " << i;
  }
  EXPECT_TRUE(Read(population_->FindDamage()).empty());
  EXPECT_GT(committed_, kTransactions / 4) << "or most that is tried is not legal";
  EXPECT_GT(refused_, kTransactions / 20);
}

INSTANTIATE_TEST_SUITE_P(Seeds, PopulationModelTest, testing::Range(1, 5));

}  // namespace
}  // namespace squish
