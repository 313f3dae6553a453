// The board against a model that is too simple to be wrong: plain lists, searched
// from end to end. Thousands of random events; after each one both must agree on
// everything that can be seen.
#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "common/base/random.h"
#include "coordinator/jobs/job_board.h"
#include "gtest/gtest.h"

namespace squish {
namespace {

constexpr absl::Duration kLease = absl::Seconds(10);
constexpr int kExperiments = 3, kRunners = 4;

struct ModelAttempt {
  BoardAttempt attempt;
  absl::Duration deadline;
};

struct Model {
  struct Experiment {
    int64_t id;
    v1::RetrySpec retry;
    bool paused;
  };
  std::vector<Experiment> experiments;
  std::vector<BoardJob> jobs;
  std::vector<ModelAttempt> attempts;

  BoardJob& Job(int64_t id) {
    return *std::find_if(jobs.begin(), jobs.end(), [id](const auto& job) { return job.id == id; });
  }
  const Experiment& ExperimentOf(const BoardJob& job) const {
    return *std::find_if(experiments.begin(), experiments.end(),
                         [&job](const auto& e) { return e.id == job.experiment; });
  }
  int Leased(int64_t experiment) const {
    return static_cast<int>(std::count_if(jobs.begin(), jobs.end(), [=](const BoardJob& job) {
      return job.experiment == experiment && job.state == JobState::kLeased;
    }));
  }
  ModelAttempt* Attempt(const std::string& id) {
    for (ModelAttempt& a : attempts) {
      if (a.attempt.id == id) return &a;
    }
    return nullptr;
  }
  void Stop(int64_t job) {
    for (ModelAttempt& a : attempts) {
      if (a.attempt.job == job && a.attempt.state == AttemptState::kRunning) {
        a.attempt.state = AttemptState::kStopped;
      }
    }
  }

  static auto Place(const BoardJob& job) {
    return std::make_tuple(job.key.generation(), job.key.index(), static_cast<int>(job.key.kind()),
                           job.key.rung(), job.id);
  }

  BoardJob* Next(v1::JobKey::Kind kind) {
    BoardJob* best = nullptr;
    const auto rank = [this](const BoardJob& job) {
      return std::make_tuple(Leased(job.experiment), job.experiment, Place(job));
    };
    for (BoardJob& job : jobs) {
      if (job.state != JobState::kQueued || job.key.kind() != kind) continue;
      if (ExperimentOf(job).paused) continue;
      if (best == nullptr || rank(job) < rank(*best)) best = &job;
    }
    return best;
  }

  int RunningOf(int64_t job) const {
    return static_cast<int>(
        std::count_if(attempts.begin(), attempts.end(), [job](const ModelAttempt& a) {
          return a.attempt.job == job && a.attempt.state == AttemptState::kRunning;
        }));
  }

  Verdict Again(BoardJob& job, int tries, int limit) {
    if (RunningOf(job.id) > 0) return Verdict::kRetry;
    job.state = tries >= limit ? JobState::kExhausted : JobState::kQueued;
    return tries >= limit ? Verdict::kExhausted : Verdict::kRetry;
  }

  Verdict Lose(ModelAttempt& a) {
    a.attempt.state = AttemptState::kLost;
    BoardJob& job = Job(a.attempt.job);
    ++job.lost;
    return Again(job, job.lost, ExperimentOf(job).retry.lost_runners());
  }

  Verdict Deliver(const std::string& id, const std::string& runner, const Report& report) {
    ModelAttempt* a = Attempt(id);
    if (a == nullptr || a->attempt.runner != runner) return Verdict::kRefused;
    BoardJob& job = Job(a->attempt.job);
    if (job.state == JobState::kWithdrawn) return Verdict::kRefused;
    const bool result = report.kind == Report::Kind::kResult;
    if (job.state == JobState::kDone) {
      return result && report.digest != job.result_digest ? Verdict::kNondeterministic
                                                          : Verdict::kDuplicate;
    }
    if (result) {
      a->attempt.state = AttemptState::kDelivered;
      Stop(job.id);
      job.state = JobState::kDone;
      job.result_digest = report.digest;
      return Verdict::kAccepted;
    }
    if (a->attempt.state != AttemptState::kRunning) return Verdict::kDuplicate;
    a->attempt.state = AttemptState::kFailed;
    const v1::RetrySpec& retry = ExperimentOf(job).retry;
    if (report.kind == Report::Kind::kFailure) return Again(job, ++job.failed, retry.failures());
    return Again(job, ++job.invalid, retry.invalid_measurements());
  }
};

class JobBoardModelTest : public testing::TestWithParam<int> {
 protected:
  JobBoardModelTest()
      : random_(RandomDomain::kShuffle, {static_cast<uint64_t>(GetParam())}),
        board_(std::make_unique<JobBoard>(JobBoard::Options{kLease})) {
    for (int e = 0; e < kExperiments; ++e) AddExperiment();
  }

  int Draw(int below) { return static_cast<int>(random_.Below(place_++, below)); }
  std::string DrawRunner() { return absl::StrCat("r", Draw(kRunners)); }
  int64_t DrawExperiment() { return model_.experiments[Draw(kExperiments)].id; }

  void AddExperiment() {
    Model::Experiment added{next_experiment_++, {}, Draw(4) == 0};
    added.retry.set_lost_runners(1 + Draw(4));
    added.retry.set_failures(1 + Draw(3));
    added.retry.set_invalid_measurements(1 + Draw(3));
    board_->AddExperiment(added.id, added.retry, added.paused);
    model_.experiments.push_back(added);
  }

  void Add() {
    BoardJob job;
    job.id = next_job_++;
    job.experiment = DrawExperiment();
    job.key.set_generation(Draw(3));
    job.key.set_index(Draw(4));
    job.key.set_kind(static_cast<v1::JobKey::Kind>(1 + Draw(3)));
    board_->Add(job.id, job.experiment, job.key);
    model_.jobs.push_back(job);
  }

  void Lease() {
    const std::string runner = DrawRunner(), id = absl::StrCat("a", next_attempt_++);
    const auto kind = static_cast<v1::JobKey::Kind>(1 + Draw(3));
    const auto leased =
        board_->Lease(runner, incarnations_[runner], id, now_,
                     [kind](const BoardJob& job) { return job.key.kind() == kind; });
    BoardJob* expected = model_.Next(kind);
    ASSERT_EQ(leased.has_value(), expected != nullptr);
    if (expected == nullptr) return;
    ASSERT_EQ(leased->job, expected->id);
    expected->state = JobState::kLeased;
    model_.attempts.push_back({*leased, now_ + kLease});
  }

  void LeaseAgain() {
    if (model_.jobs.empty()) return;
    const BoardJob& job = model_.jobs[Draw(static_cast<int>(model_.jobs.size()))];
    const std::string runner = DrawRunner(), id = absl::StrCat("a", next_attempt_++);
    const bool others = std::none_of(
        model_.attempts.begin(), model_.attempts.end(), [&](const ModelAttempt& a) {
          return a.attempt.job == job.id && a.attempt.state == AttemptState::kRunning &&
                 a.attempt.runner == runner;
        });
    const bool expected = job.state == JobState::kLeased && model_.RunningOf(job.id) == 1 &&
                          others && !model_.ExperimentOf(job).paused;
    const auto leased = board_->LeaseAgain(job.id, runner, incarnations_[runner], id, now_);
    ASSERT_EQ(leased.has_value(), expected);
    if (expected) model_.attempts.push_back({*leased, now_ + kLease});
  }

  void Deliver() {
    if (model_.attempts.empty()) return;
    const ModelAttempt& a = model_.attempts[Draw(static_cast<int>(model_.attempts.size()))];
    const std::string id = a.attempt.id;
    const std::string runner = Draw(10) == 0 ? "someone else" : a.attempt.runner;
    Report report;
    report.kind = static_cast<Report::Kind>(Draw(3));
    report.digest = absl::StrCat("digest", Draw(2));
    const bool would = board_->WouldAccept(id, runner);
    const Verdict verdict = board_->Deliver(id, runner, report);
    ASSERT_EQ(verdict, model_.Deliver(id, runner, report));
    if (report.kind == Report::Kind::kResult) {
      ASSERT_EQ(would, verdict == Verdict::kAccepted);
    }
  }

  void ExpectLost(const std::vector<JobBoard::Lost>& lost, std::vector<ModelAttempt*> expected) {
    ASSERT_EQ(lost.size(), expected.size());
    for (size_t i = 0; i < lost.size(); ++i) {
      ASSERT_EQ(lost[i].attempt.id, expected[i]->attempt.id);
      ASSERT_EQ(lost[i].verdict, model_.Lose(*expected[i]));
    }
  }

  void Renew() {
    const std::string runner = DrawRunner();
    if (Draw(6) == 0) ++incarnations_[runner];
    std::vector<ModelAttempt*> expected;
    for (ModelAttempt& a : model_.attempts) {
      if (a.attempt.state != AttemptState::kRunning || a.attempt.runner != runner) continue;
      a.deadline = now_ + kLease;
      if (a.attempt.incarnation != incarnations_[runner]) expected.push_back(&a);
    }
    std::sort(expected.begin(), expected.end(),
              [](auto* a, auto* b) { return a->attempt.id < b->attempt.id; });
    ExpectLost(board_->Renew(runner, incarnations_[runner], now_), expected);
  }

  void Expire() {
    now_ += absl::Seconds(Draw(6));
    std::vector<ModelAttempt*> expected;
    for (ModelAttempt& a : model_.attempts) {
      if (a.attempt.state == AttemptState::kRunning && a.deadline <= now_) expected.push_back(&a);
    }
    std::sort(expected.begin(), expected.end(), [](auto* a, auto* b) {
      return std::tie(a->deadline, a->attempt.id) < std::tie(b->deadline, b->attempt.id);
    });
    ExpectLost(board_->Expire(now_), expected);
  }

  void Withdraw() {
    if (model_.jobs.empty()) return;
    BoardJob& job = model_.jobs[Draw(static_cast<int>(model_.jobs.size()))];
    const int running = model_.RunningOf(job.id);
    ASSERT_EQ(board_->Withdraw(job.id).size(), static_cast<size_t>(running));
    if (job.state == JobState::kDone) return;
    model_.Stop(job.id);
    job.state = JobState::kWithdrawn;
  }

  void Retry() {
    const int64_t experiment = DrawExperiment();
    size_t retried = 0;
    for (BoardJob& job : model_.jobs) {
      if (job.experiment != experiment || job.state != JobState::kExhausted) continue;
      job.state = JobState::kQueued;
      job.lost = job.failed = job.invalid = 0;
      ++retried;
    }
    ASSERT_EQ(board_->RetryExhausted(experiment).size(), retried);
  }

  void Pause() {
    Model::Experiment& experiment = model_.experiments[Draw(kExperiments)];
    experiment.paused = !experiment.paused;
    board_->SetPaused(experiment.id, experiment.paused);
  }

  void ReplaceExperiment() {
    const int position = Draw(kExperiments);
    const int64_t id = model_.experiments[position].id;
    board_->RemoveExperiment(id);
    std::erase_if(model_.attempts, [this, id](const ModelAttempt& a) {
      return model_.Job(a.attempt.job).experiment == id;
    });
    std::erase_if(model_.jobs, [id](const BoardJob& job) { return job.experiment == id; });
    model_.experiments.erase(model_.experiments.begin() + position);
    AddExperiment();
  }

  // A generation is closed: its jobs are over, and those of the ones before are forgotten.
  void Close() {
    const int64_t experiment = DrawExperiment();
    const int generation = Draw(3);
    const auto is_before = [=](const BoardJob& job) {
      return job.experiment == experiment && job.key.generation() < generation;
    };
    for (BoardJob& job : model_.jobs) {
      if (!is_before(job) || job.state == JobState::kDone) continue;
      board_->Withdraw(job.id);
      model_.Stop(job.id);
      job.state = JobState::kWithdrawn;
    }
    std::set<std::string> expected;
    for (const ModelAttempt& a : model_.attempts) {
      if (is_before(model_.Job(a.attempt.job))) expected.insert(a.attempt.id);
    }
    const std::vector<std::string> forgotten = board_->ForgetBefore(experiment, generation);
    ASSERT_EQ(std::set<std::string>(forgotten.begin(), forgotten.end()), expected);
    ASSERT_EQ(forgotten.size(), expected.size());
    for (const std::string& id : expected) ASSERT_EQ(board_->FindAttempt(id), nullptr);
    std::erase_if(model_.attempts, [&expected](const ModelAttempt& a) {
      return expected.contains(a.attempt.id);
    });
    std::erase_if(model_.jobs, is_before);
  }

  // The coordinator died: a new board from what was stored.
  void Restart() {
    now_ += absl::Seconds(100);
    board_ = std::make_unique<JobBoard>(JobBoard::Options{kLease});
    for (const auto& e : model_.experiments) board_->AddExperiment(e.id, e.retry, e.paused);
    for (const BoardJob& job : model_.jobs) board_->RestoreJob(job);
    for (ModelAttempt& a : model_.attempts) {
      board_->RestoreAttempt(a.attempt, now_);
      a.deadline = now_ + kLease;
    }
  }

  void Event() {
    const int event = Draw(100);
    if (event < 25) Add();
    else if (event < 50) Lease();
    else if (event < 55) LeaseAgain();
    else if (event < 75) Deliver();
    else if (event < 84) Renew();
    else if (event < 91) Expire();
    else if (event < 93) Withdraw();
    else if (event < 95) Retry();
    else if (event < 97) Pause();
    else if (event < 98) ReplaceExperiment();
    else if (event < 99) Close();
    else Restart();
  }

  void ExpectAgreement() {
    std::map<std::pair<v1::JobKey::Kind, JobState>, int64_t> counts = board_->Counts();
    for (const BoardJob& job : model_.jobs) {
      const BoardJob* seen = board_->FindJob(job.id);
      ASSERT_NE(seen, nullptr);
      ASSERT_EQ(JobStateName(seen->state), JobStateName(job.state));
      ASSERT_EQ(std::tie(seen->lost, seen->failed, seen->invalid, seen->result_digest),
                std::tie(job.lost, job.failed, job.invalid, job.result_digest));
      --counts[{job.key.kind(), job.state}];
    }
    for (const auto& [key, count] : counts) ASSERT_EQ(count, 0);
    absl::Duration expiry = absl::InfiniteDuration();
    std::map<std::string, size_t> running;
    for (const ModelAttempt& a : model_.attempts) {
      ASSERT_EQ(AttemptStateName(board_->FindAttempt(a.attempt.id)->state),
                AttemptStateName(a.attempt.state));
      if (a.attempt.state != AttemptState::kRunning) continue;
      expiry = std::min(expiry, a.deadline);
      ++running[a.attempt.runner];
    }
    ASSERT_EQ(board_->NextExpiry(), expiry);
    for (int r = 0; r < kRunners; ++r) {
      const std::string runner = absl::StrCat("r", r);
      ASSERT_EQ(board_->Running(runner).size(), running[runner]);
    }
    for (const auto& e : model_.experiments) {
      size_t queued = 0, exhausted = 0;
      std::map<v1::JobKey::Kind, std::map<int, int64_t>> by_rung;
      for (const BoardJob& job : model_.jobs) {
        if (job.experiment != e.id) continue;
        queued += job.state == JobState::kQueued;
        if (job.state == JobState::kQueued) ++by_rung[job.key.kind()][job.key.rung()];
        exhausted += job.state == JobState::kExhausted;
      }
      ASSERT_EQ(board_->Queued(e.id).size(), queued);
      ASSERT_EQ(board_->Exhausted(e.id).size(), exhausted);
      for (const v1::JobKey::Kind kind :
           {v1::JobKey::SYNTHESIZE, v1::JobKey::TRAIN, v1::JobKey::MEASURE}) {
        ASSERT_EQ(board_->QueuedByRung(e.id, kind), by_rung[kind]);
      }
    }
  }

  const RandomStream random_;
  uint64_t place_ = 0;
  std::unique_ptr<JobBoard> board_;
  Model model_;
  absl::Duration now_;
  int64_t next_experiment_ = 1, next_job_ = 1, next_attempt_ = 1;
  std::map<std::string, uint64_t> incarnations_;
};

TEST_P(JobBoardModelTest, AgreesAfterEveryEvent) {
  for (int step = 0; step < 3000; ++step) {
    ASSERT_NO_FATAL_FAILURE(Event()) << "step " << step;
    ASSERT_NO_FATAL_FAILURE(ExpectAgreement()) << "step " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, JobBoardModelTest, testing::Range(1, 9));

}  // namespace
}  // namespace squish
