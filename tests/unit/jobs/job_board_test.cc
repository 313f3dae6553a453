#include "coordinator/jobs/job_board.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace squish {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int64_t kExperiment = 7;
constexpr int64_t kJob = 70;
constexpr absl::Duration kLease = absl::Seconds(30);

v1::JobKey Key(v1::JobKey::Kind kind, int generation = 1, int index = 0, int rung = 0) {
  v1::JobKey key;
  key.set_generation(generation);
  key.set_index(index);
  key.set_kind(kind);
  key.set_rung(rung);
  return key;
}

v1::RetrySpec Retries(int lost, int failures, int invalid) {
  v1::RetrySpec retry;
  retry.set_lost_runners(lost);
  retry.set_failures(failures);
  retry.set_invalid_measurements(invalid);
  return retry;
}

bool Anything(const BoardJob&) { return true; }

Report Result(const std::string& digest) { return {Report::Kind::kResult, digest, ""}; }
Report Failure(const std::string& error = "broken") {
  return {Report::Kind::kFailure, "", error};
}
Report Invalid() { return {Report::Kind::kInvalidMeasurement, "", "the clock moved"}; }

class JobBoardTest : public testing::Test {
 protected:
  JobBoardTest() : board_(JobBoard::Options{kLease}) {
    board_.AddExperiment(kExperiment, Retries(3, 2, 2), /*paused=*/false);
    board_.Add(kJob, kExperiment, Key(v1::JobKey::TRAIN));
  }

  std::optional<BoardAttempt> Lease(const std::string& attempt, const std::string& runner = "w1",
                                    absl::Duration now = absl::ZeroDuration()) {
    return board_.Lease(runner, 1, attempt, now, Anything);
  }
  int64_t LeasedJob(const std::string& attempt) {
    const auto leased = Lease(attempt);
    return leased.has_value() ? leased->job : 0;
  }
  JobState StateOf(int64_t job = kJob) { return board_.FindJob(job)->state; }
  AttemptState AttemptStateOf(const std::string& id) { return board_.FindAttempt(id)->state; }

  // The job in each of its states; the attempt "first" is of runner w1 and, except for
  // QUEUED where it was lost, ended or runs as the state says.
  void BringTo(JobState state) {
    ASSERT_TRUE(Lease("first").has_value());
    switch (state) {
      case JobState::kQueued:
        ASSERT_EQ(board_.Expire(kLease).size(), 1u);
        break;
      case JobState::kLeased:
        break;
      case JobState::kDone:
        ASSERT_EQ(board_.Deliver("first", "w1", Result("a")), Verdict::kAccepted);
        break;
      case JobState::kExhausted:
        ASSERT_EQ(board_.Deliver("first", "w1", Failure()), Verdict::kRetry);
        ASSERT_TRUE(Lease("second").has_value());
        ASSERT_EQ(board_.Deliver("second", "w1", Failure()), Verdict::kExhausted);
        break;
      case JobState::kWithdrawn:
        board_.Withdraw(kJob);
        break;
    }
    ASSERT_EQ(StateOf(), state) << JobStateName(state);
  }

  JobBoard board_;
};

// --- Every state and every event --------------------------------------------------

struct Transition {
  JobState before;
  std::string event;
  JobState after;
  std::optional<Verdict> verdict;  // Of deliveries.
};

class JobBoardTransitionTest : public JobBoardTest,
                               public testing::WithParamInterface<Transition> {};

TEST_P(JobBoardTransitionTest, LeadsToTheStateOfTheDiagram) {
  const Transition& t = GetParam();
  BringTo(t.before);
  std::optional<Verdict> verdict;
  if (t.event == "lease") {
    EXPECT_EQ(Lease("other", "w2", kLease).has_value(), t.before == JobState::kQueued);
  } else if (t.event == "same result") {
    verdict = board_.Deliver("first", "w1", Result("a"));
  } else if (t.event == "other result") {
    verdict = board_.Deliver("first", "w1", Result("b"));
  } else if (t.event == "failure") {
    verdict = board_.Deliver("first", "w1", Failure());
  } else if (t.event == "invalid") {
    verdict = board_.Deliver("first", "w1", Invalid());
  } else if (t.event == "foreign") {
    verdict = board_.Deliver("first", "w2", Result("a"));
  } else if (t.event == "expiry") {
    const auto lost = board_.Expire(absl::Hours(1));
    EXPECT_EQ(lost.size(), t.before == JobState::kLeased ? 1u : 0u);
  } else if (t.event == "restart") {
    const auto lost = board_.Renew("w1", 2, absl::Seconds(1));
    EXPECT_EQ(lost.size(), t.before == JobState::kLeased ? 1u : 0u);
  } else if (t.event == "withdraw") {
    const auto stopped = board_.Withdraw(kJob);
    EXPECT_EQ(stopped.size(), t.before == JobState::kLeased ? 1u : 0u);
  } else if (t.event == "retry") {
    const auto retried = board_.RetryExhausted(kExperiment);
    EXPECT_EQ(retried.size(), t.before == JobState::kExhausted ? 1u : 0u);
  } else if (t.event == "add again") {
    board_.Add(kJob, kExperiment, Key(v1::JobKey::TRAIN));
  } else {
    FAIL() << "no such event: " << t.event;
  }
  EXPECT_EQ(verdict, t.verdict);
  EXPECT_EQ(JobStateName(StateOf()), JobStateName(t.after));
}

std::vector<Transition> AllTransitions() {
  constexpr auto kQ = JobState::kQueued, kL = JobState::kLeased, kD = JobState::kDone,
                 kE = JobState::kExhausted, kW = JobState::kWithdrawn;
  constexpr auto kNone = std::nullopt;
  std::vector<Transition> all = {
      {kQ, "lease", kL, kNone},
      {kL, "lease", kL, kNone},
      {kD, "lease", kD, kNone},
      {kE, "lease", kE, kNone},
      {kW, "lease", kW, kNone},
      {kQ, "same result", kD, Verdict::kAccepted},  // Late, but the job is open.
      {kL, "same result", kD, Verdict::kAccepted},
      {kD, "same result", kD, Verdict::kDuplicate},
      {kE, "same result", kD, Verdict::kAccepted},
      {kW, "same result", kW, Verdict::kRefused},
      {kQ, "other result", kD, Verdict::kAccepted},
      {kL, "other result", kD, Verdict::kAccepted},
      {kD, "other result", kD, Verdict::kNondeterministic},
      {kE, "other result", kD, Verdict::kAccepted},
      {kW, "other result", kW, Verdict::kRefused},
      {kQ, "expiry", kQ, kNone},
      {kL, "expiry", kQ, kNone},
      {kD, "expiry", kD, kNone},
      {kE, "expiry", kE, kNone},
      {kW, "expiry", kW, kNone},
      {kQ, "restart", kQ, kNone},
      {kL, "restart", kQ, kNone},
      {kD, "restart", kD, kNone},
      {kE, "restart", kE, kNone},
      {kW, "restart", kW, kNone},
      {kQ, "withdraw", kW, kNone},
      {kL, "withdraw", kW, kNone},
      {kD, "withdraw", kD, kNone},
      {kE, "withdraw", kW, kNone},
      {kW, "withdraw", kW, kNone},
      {kQ, "retry", kQ, kNone},
      {kL, "retry", kL, kNone},
      {kD, "retry", kD, kNone},
      {kE, "retry", kQ, kNone},
      {kW, "retry", kW, kNone},
  };
  for (const std::string event : {"failure", "invalid"}) {
    all.push_back({kQ, event, kQ, Verdict::kDuplicate});  // That attempt was lost already.
    all.push_back({kL, event, kQ, Verdict::kRetry});
    all.push_back({kD, event, kD, Verdict::kDuplicate});
    all.push_back({kE, event, kE, Verdict::kDuplicate});
    all.push_back({kW, event, kW, Verdict::kRefused});
  }
  for (const JobState state : {kQ, kL, kD, kE, kW}) {
    all.push_back({state, "foreign", state, Verdict::kRefused});
    all.push_back({state, "add again", state, kNone});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(
    Every, JobBoardTransitionTest, testing::ValuesIn(AllTransitions()), [](const auto& info) {
      std::string event = info.param.event;
      for (char& c : event) c = c == ' ' ? '_' : c;
      return absl::StrCat(std::string(JobStateName(info.param.before)), "_", event);
    });

// --- Deliveries -------------------------------------------------------------------

TEST_F(JobBoardTest, ResultForWithdrawnJobIsRefused) {
  ASSERT_TRUE(Lease("a").has_value());
  EXPECT_THAT(board_.Withdraw(kJob), ElementsAre("a"));
  EXPECT_FALSE(board_.WouldAccept("a", "w1"));
  EXPECT_EQ(board_.Deliver("a", "w1", Result("x")), Verdict::kRefused);
  EXPECT_EQ(AttemptStateOf("a"), AttemptState::kStopped);
}

TEST_F(JobBoardTest, UnknownAttemptIsRefused) {
  EXPECT_EQ(board_.Deliver("never", "w1", Result("x")), Verdict::kRefused);
  EXPECT_FALSE(board_.WouldAccept("never", "w1"));
}

TEST_F(JobBoardTest, LateResultWinsAndStopsTheSecondAttempt) {
  ASSERT_TRUE(Lease("late", "w1").has_value());
  ASSERT_EQ(board_.Expire(kLease).size(), 1u);
  ASSERT_TRUE(Lease("second", "w2", kLease).has_value());

  EXPECT_TRUE(board_.WouldAccept("late", "w1"));
  EXPECT_EQ(board_.Deliver("late", "w1", Result("x")), Verdict::kAccepted);

  EXPECT_EQ(AttemptStateOf("late"), AttemptState::kDelivered);
  EXPECT_EQ(AttemptStateOf("second"), AttemptState::kStopped);
  EXPECT_THAT(board_.Running("w2"), IsEmpty());
  EXPECT_EQ(board_.NextExpiry(), absl::InfiniteDuration());
  EXPECT_EQ(board_.Deliver("second", "w2", Result("x")), Verdict::kDuplicate);
  EXPECT_EQ(board_.Deliver("second", "w2", Result("y")), Verdict::kNondeterministic);
}

TEST_F(JobBoardTest, LateFailureDoesNotDisturbTheSecondAttempt) {
  ASSERT_TRUE(Lease("late", "w1").has_value());
  board_.Expire(kLease);
  ASSERT_TRUE(Lease("second", "w2", kLease).has_value());
  EXPECT_EQ(board_.Deliver("late", "w1", Failure()), Verdict::kDuplicate);
  EXPECT_EQ(StateOf(), JobState::kLeased);
  EXPECT_EQ(board_.FindJob(kJob)->failed, 0);
}

TEST_F(JobBoardTest, SecondCopyIsForAnotherRunnerOnly) {
  EXPECT_FALSE(board_.LeaseAgain(kJob, "w2", 1, "b", absl::ZeroDuration())) << "it is QUEUED";
  ASSERT_TRUE(Lease("a", "w1"));
  EXPECT_FALSE(board_.LeaseAgain(kJob, "w1", 1, "b", absl::ZeroDuration()));
  EXPECT_FALSE(board_.LeaseAgain(kJob, "w2", 1, "a", absl::ZeroDuration())) << "a used id";
  ASSERT_TRUE(board_.LeaseAgain(kJob, "w2", 1, "b", absl::ZeroDuration()));
  EXPECT_FALSE(board_.LeaseAgain(kJob, "w3", 1, "c", absl::ZeroDuration())) << "two are enough";
  EXPECT_FALSE(board_.LeaseAgain(99, "w3", 1, "c", absl::ZeroDuration()));
}

TEST_F(JobBoardTest, FirstResultOfTwoCopiesStopsTheOther) {
  ASSERT_TRUE(Lease("a", "w1"));
  ASSERT_TRUE(board_.LeaseAgain(kJob, "w2", 1, "b", absl::ZeroDuration()));
  EXPECT_EQ(board_.Deliver("b", "w2", Result("x")), Verdict::kAccepted);
  EXPECT_EQ(StateOf(), JobState::kDone);
  EXPECT_EQ(AttemptStateOf("a"), AttemptState::kStopped);
  EXPECT_EQ(board_.Deliver("a", "w1", Result("x")), Verdict::kDuplicate);
}

TEST_F(JobBoardTest, JobOfTwoCopiesIsQueuedWhenBothHaveEnded) {
  ASSERT_TRUE(Lease("a", "w1"));
  ASSERT_TRUE(board_.LeaseAgain(kJob, "w2", 1, "b", absl::ZeroDuration()));
  EXPECT_EQ(board_.Deliver("a", "w1", Failure()), Verdict::kRetry);
  EXPECT_EQ(StateOf(), JobState::kLeased);
  EXPECT_EQ(AttemptStateOf("b"), AttemptState::kRunning);
  // Two failures are allowed: this is the second.
  EXPECT_EQ(board_.Deliver("b", "w2", Failure()), Verdict::kExhausted);
  EXPECT_EQ(StateOf(), JobState::kExhausted);
}

TEST_F(JobBoardTest, RepeatedFailureCountsOnce) {
  ASSERT_TRUE(Lease("a").has_value());
  EXPECT_EQ(board_.Deliver("a", "w1", Failure("no disk")), Verdict::kRetry);
  EXPECT_EQ(board_.Deliver("a", "w1", Failure("no disk")), Verdict::kDuplicate);
  EXPECT_EQ(board_.FindJob(kJob)->failed, 1);
  EXPECT_EQ(board_.FindJob(kJob)->last_error, "no disk");
}

TEST_F(JobBoardTest, ResultsWithoutDigestAreNeverCompared) {
  ASSERT_TRUE(Lease("a").has_value());
  ASSERT_EQ(board_.Deliver("a", "w1", Result("")), Verdict::kAccepted);
  EXPECT_EQ(board_.Deliver("a", "w1", Result("b")), Verdict::kDuplicate);
}

// --- Retries ----------------------------------------------------------------------

TEST_F(JobBoardTest, EachKindOfRetryHasItsOwnCap) {
  // Caps: 3 lost, 2 failures, 2 invalid. One below each cap does not exhaust.
  absl::Duration now;
  for (const std::string id : {"l1", "l2"}) {
    ASSERT_TRUE(Lease(id, "w1", now).has_value());
    now += kLease;
    EXPECT_EQ(board_.Expire(now).at(0).verdict, Verdict::kRetry);
  }
  ASSERT_TRUE(Lease("f1", "w1", now).has_value());
  EXPECT_EQ(board_.Deliver("f1", "w1", Failure()), Verdict::kRetry);
  ASSERT_TRUE(Lease("i1", "w1", now).has_value());
  EXPECT_EQ(board_.Deliver("i1", "w1", Invalid()), Verdict::kRetry);
  ASSERT_TRUE(Lease("l3", "w1", now).has_value());
  EXPECT_EQ(board_.Expire(now + kLease).at(0).verdict, Verdict::kExhausted);
  EXPECT_EQ(StateOf(), JobState::kExhausted);
  EXPECT_THAT(board_.Exhausted(kExperiment), ElementsAre(board_.FindJob(kJob)));

  EXPECT_THAT(board_.RetryExhausted(kExperiment), ElementsAre(kJob));
  EXPECT_EQ(board_.FindJob(kJob)->lost, 0);
  EXPECT_EQ(board_.FindJob(kJob)->failed, 0);
  EXPECT_EQ(board_.FindJob(kJob)->invalid, 0);
  EXPECT_EQ(LeasedJob("again"), kJob);
}

TEST_F(JobBoardTest, InvalidMeasurementsExhaust) {
  ASSERT_TRUE(Lease("1").has_value());
  EXPECT_EQ(board_.Deliver("1", "w1", Invalid()), Verdict::kRetry);
  ASSERT_TRUE(Lease("2").has_value());
  EXPECT_EQ(board_.Deliver("2", "w1", Invalid()), Verdict::kExhausted);
  EXPECT_EQ(board_.FindJob(kJob)->last_error, "the clock moved");
}

// --- Leases -----------------------------------------------------------------------

TEST_F(JobBoardTest, LeaseEndsAtItsTermUnlessRenewed) {
  ASSERT_TRUE(Lease("a").has_value());
  EXPECT_EQ(board_.NextExpiry(), kLease);
  EXPECT_THAT(board_.Expire(kLease - absl::Nanoseconds(1)), IsEmpty());
  EXPECT_THAT(board_.Renew("w1", 1, absl::Seconds(20)), IsEmpty());
  EXPECT_EQ(board_.NextExpiry(), absl::Seconds(50));
  EXPECT_THAT(board_.Expire(absl::Seconds(49)), IsEmpty());
  const auto lost = board_.Expire(absl::Seconds(50));
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].attempt.id, "a");
  EXPECT_EQ(lost[0].attempt.state, AttemptState::kLost);
  EXPECT_EQ(board_.FindJob(kJob)->lost, 1);
  EXPECT_EQ(board_.NextExpiry(), absl::InfiniteDuration());
}

TEST_F(JobBoardTest, RenewingOneRunnerLeavesTheOthersAlone) {
  board_.Add(71, kExperiment, Key(v1::JobKey::TRAIN, 1, 1));
  ASSERT_TRUE(Lease("a", "w1").has_value());
  ASSERT_TRUE(Lease("b", "w2").has_value());
  board_.Renew("w2", 1, absl::Seconds(10));
  const auto lost = board_.Expire(kLease);
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].attempt.runner, "w1");
}

TEST_F(JobBoardTest, RenewAllGivesEveryLeaseAFullTerm) {
  board_.Add(71, kExperiment, Key(v1::JobKey::TRAIN, 1, 1));
  ASSERT_TRUE(Lease("a", "w1").has_value());
  ASSERT_TRUE(Lease("b", "w2", absl::Seconds(5)).has_value());
  board_.RenewAll(absl::Hours(5));
  EXPECT_EQ(board_.NextExpiry(), absl::Hours(5) + kLease);
  EXPECT_THAT(board_.Expire(absl::Hours(5)), IsEmpty());
}

TEST_F(JobBoardTest, NewIncarnationLosesTheAttemptsOfTheOld) {
  ASSERT_TRUE(Lease("a").has_value());
  const auto lost = board_.Renew("w1", 2, absl::Seconds(1));
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].attempt.id, "a");
  EXPECT_EQ(lost[0].verdict, Verdict::kRetry);
  // What the old incarnation had spooled still counts.
  EXPECT_EQ(board_.Deliver("a", "w1", Result("x")), Verdict::kAccepted);
}

TEST_F(JobBoardTest, UsedAttemptIdLeasesNothing) {
  board_.Add(71, kExperiment, Key(v1::JobKey::TRAIN, 1, 1));
  ASSERT_TRUE(Lease("a").has_value());
  EXPECT_FALSE(Lease("a").has_value());
}

// --- Order of leasing -------------------------------------------------------------

TEST_F(JobBoardTest, LeasesByGenerationIndexKindRung) {
  board_.Add(1, kExperiment, Key(v1::JobKey::TRAIN, 2, 0));
  board_.Add(2, kExperiment, Key(v1::JobKey::MEASURE, 1, 0));
  board_.Add(3, kExperiment, Key(v1::JobKey::SYNTHESIZE, 1, 1));
  board_.Add(4, kExperiment, Key(v1::JobKey::SYNTHESIZE, 1, 0));
  board_.Add(5, kExperiment, Key(v1::JobKey::TRAIN, 1, 0, 1));
  std::vector<int64_t> order;
  for (int i = 0; i < 6; ++i) order.push_back(LeasedJob(absl::StrCat(i)));
  EXPECT_THAT(order, ElementsAre(4, kJob, 5, 2, 3, 1));
  EXPECT_FALSE(Lease("none left").has_value());
}

TEST_F(JobBoardTest, ExperimentWithFewestLeasedJobsComesFirst) {
  board_.Add(71, kExperiment, Key(v1::JobKey::TRAIN, 1, 1));
  board_.AddExperiment(8, Retries(1, 1, 1), false);
  board_.Add(80, 8, Key(v1::JobKey::TRAIN, 5, 0));
  board_.Add(81, 8, Key(v1::JobKey::TRAIN, 5, 1));
  std::vector<int64_t> order;
  for (int i = 0; i < 4; ++i) order.push_back(LeasedJob(absl::StrCat(i)));
  EXPECT_THAT(order, ElementsAre(kJob, 80, 71, 81));
}

TEST_F(JobBoardTest, RunnersAreSharedByWeight) {
  board_.AddExperiment(8, Retries(1, 1, 1), false, /*weight=*/3);
  for (int i = 0; i < 20; ++i) {
    board_.Add(100 + i, kExperiment, Key(v1::JobKey::TRAIN, 1, 10 + i));
    board_.Add(200 + i, 8, Key(v1::JobKey::TRAIN, 1, i));
  }
  int of_the_heavy = 0;
  for (int i = 0; i < 12; ++i) of_the_heavy += LeasedJob(absl::StrCat(i)) >= 200 ? 1 : 0;
  EXPECT_EQ(of_the_heavy, 9);
}

TEST_F(JobBoardTest, UnfitJobsAreSkipped) {
  board_.Add(71, kExperiment, Key(v1::JobKey::MEASURE, 1, 5));
  const auto leased = board_.Lease("agent", 1, "a", absl::ZeroDuration(), [](const BoardJob& job) {
    return job.key.kind() == v1::JobKey::MEASURE;
  });
  ASSERT_TRUE(leased.has_value());
  EXPECT_EQ(leased->job, 71);
  EXPECT_EQ(leased->runner, "agent");
}

TEST_F(JobBoardTest, FitIsAskedOncePerKindHoweverManyJobsThereAre) {
  for (int i = 0; i < 50; ++i) board_.Add(100 + i, kExperiment, Key(v1::JobKey::SYNTHESIZE, 1, i));
  int asked = 0;
  EXPECT_FALSE(board_.Lease("agent", 1, "a", absl::ZeroDuration(), [&asked](const BoardJob&) {
    ++asked;
    return false;
  }).has_value());
  EXPECT_EQ(asked, 2);
}

TEST_F(JobBoardTest, ThereIsSomethingToLeaseWhileAJobIsQueuedAndItsExperimentIsNotPaused) {
  EXPECT_TRUE(board_.HasLeasable());
  board_.SetPaused(kExperiment, true);
  EXPECT_FALSE(board_.HasLeasable());
  board_.SetPaused(kExperiment, false);
  ASSERT_TRUE(Lease("a").has_value());
  EXPECT_FALSE(board_.HasLeasable());
}

TEST_F(JobBoardTest, AttemptsThatAreLostOrStoppedAreTakenAndDeliveredOnesAreNot) {
  ASSERT_TRUE(Lease("a").has_value());
  board_.Expire(kLease);
  EXPECT_EQ(board_.taken_attempts(), 1);
  ASSERT_TRUE(Lease("b", "w2", kLease).has_value());
  EXPECT_EQ(board_.Deliver("b", "w2", Result("x")), Verdict::kAccepted);
  EXPECT_EQ(board_.taken_attempts(), 1);
}

TEST_F(JobBoardTest, PausedExperimentKeepsItsLeasesAndGetsNoNewOnes) {
  board_.Add(71, kExperiment, Key(v1::JobKey::TRAIN, 1, 1));
  ASSERT_TRUE(Lease("a").has_value());
  board_.SetPaused(kExperiment, true);
  EXPECT_FALSE(Lease("b").has_value());
  EXPECT_EQ(board_.Running("w1").size(), 1u);
  EXPECT_EQ(board_.Deliver("a", "w1", Result("x")), Verdict::kAccepted);
  board_.SetPaused(kExperiment, false);
  EXPECT_EQ(LeasedJob("b"), 71);
}

TEST_F(JobBoardTest, ExperimentMayBeAddedPaused) {
  board_.AddExperiment(8, Retries(1, 1, 1), true);
  board_.Add(80, 8, Key(v1::JobKey::TRAIN, 0, 0));
  EXPECT_EQ(LeasedJob("a"), kJob);
  EXPECT_FALSE(Lease("b").has_value());
}

// --- Forgetting and restoring -----------------------------------------------------

TEST_F(JobBoardTest, RemovedExperimentIsForgottenWithEverythingInIt) {
  ASSERT_TRUE(Lease("a").has_value());
  board_.RemoveExperiment(kExperiment);
  EXPECT_EQ(board_.FindJob(kJob), nullptr);
  EXPECT_EQ(board_.FindAttempt("a"), nullptr);
  EXPECT_THAT(board_.Running("w1"), IsEmpty());
  EXPECT_EQ(board_.NextExpiry(), absl::InfiniteDuration());
  EXPECT_EQ(board_.Deliver("a", "w1", Result("x")), Verdict::kRefused);
  for (const auto& [key, count] : board_.Counts()) EXPECT_EQ(count, 0);
}

TEST_F(JobBoardTest, UnknownIdsChangeNothing) {
  board_.RemoveExperiment(99);
  board_.SetPaused(99, true);
  board_.Add(990, 99, Key(v1::JobKey::TRAIN));
  board_.RestoreAttempt({"x", 990, "w1", 1, AttemptState::kRunning}, absl::ZeroDuration());
  EXPECT_EQ(board_.FindJob(990), nullptr);
  EXPECT_EQ(board_.FindAttempt("x"), nullptr);
  EXPECT_THAT(board_.Withdraw(990), IsEmpty());
  EXPECT_THAT(board_.RetryExhausted(99), IsEmpty());
  EXPECT_THAT(board_.Queued(99), IsEmpty());
  EXPECT_THAT(board_.QueuedByRung(99, v1::JobKey::MEASURE), IsEmpty());
  EXPECT_THAT(board_.Exhausted(99), IsEmpty());
  EXPECT_THAT(board_.Renew("nobody", 1, absl::ZeroDuration()), IsEmpty());
}

TEST_F(JobBoardTest, RestoredRunningAttemptHasAFullTermAndMayDeliver) {
  BoardJob job;
  job.id = 71;
  job.experiment = kExperiment;
  job.key = Key(v1::JobKey::TRAIN, 1, 1);
  job.state = JobState::kLeased;
  job.lost = 2;
  board_.RestoreJob(job);
  board_.RestoreAttempt({"lost", 71, "w1", 1, AttemptState::kLost}, absl::Seconds(100));
  board_.RestoreAttempt({"run", 71, "w1", 1, AttemptState::kRunning}, absl::Seconds(100));
  EXPECT_EQ(StateOf(71), JobState::kLeased);
  EXPECT_EQ(board_.NextExpiry(), absl::Seconds(100) + kLease);
  EXPECT_EQ(board_.Expire(absl::Seconds(130)).at(0).verdict, Verdict::kExhausted);
  EXPECT_EQ(board_.Deliver("lost", "w1", Result("x")), Verdict::kAccepted);
}

TEST_F(JobBoardTest, RestoredLeaseWithoutAttemptIsQueued) {
  BoardJob job;
  job.id = 71;
  job.experiment = kExperiment;
  job.key = Key(v1::JobKey::TRAIN, 0, 0);
  job.state = JobState::kLeased;
  board_.RestoreJob(job);
  EXPECT_EQ(LeasedJob("a"), 71);
}

TEST_F(JobBoardTest, RestoredDoneJobComparesRepeatedResults) {
  BoardJob job;
  job.id = 71;
  job.experiment = kExperiment;
  job.key = Key(v1::JobKey::TRAIN, 1, 1);
  job.state = JobState::kDone;
  job.result_digest = "x";
  board_.RestoreJob(job);
  board_.RestoreAttempt({"a", 71, "w1", 1, AttemptState::kRunning}, absl::ZeroDuration());
  EXPECT_EQ(AttemptStateOf("a"), AttemptState::kStopped);
  EXPECT_EQ(board_.Deliver("a", "w1", Result("x")), Verdict::kDuplicate);
  EXPECT_EQ(board_.Deliver("a", "w1", Result("y")), Verdict::kNondeterministic);
}

TEST_F(JobBoardTest, CountsEveryKindAndState) {
  board_.Add(71, kExperiment, Key(v1::JobKey::MEASURE, 1, 1));
  board_.Add(72, kExperiment, Key(v1::JobKey::MEASURE, 1, 2));
  board_.Withdraw(72);
  ASSERT_TRUE(Lease("a").has_value());
  auto counts = board_.Counts();
  EXPECT_EQ(counts.size(), 25u);
  EXPECT_EQ((counts[{v1::JobKey::TRAIN, JobState::kLeased}]), 1);
  EXPECT_EQ((counts[{v1::JobKey::TRAIN, JobState::kQueued}]), 0);
  EXPECT_EQ((counts[{v1::JobKey::MEASURE, JobState::kQueued}]), 1);
  EXPECT_EQ((counts[{v1::JobKey::MEASURE, JobState::kWithdrawn}]), 1);
}

// With anything linear in a call this takes minutes.
TEST(JobBoardScaleTest, HundredThousandOpenJobsAreLeasedAndDelivered) {
  constexpr int kJobs = 100'000;
  JobBoard board(JobBoard::Options{kLease});
  for (int e = 0; e < 10; ++e) board.AddExperiment(e, Retries(8, 3, 5), false);
  for (int i = 0; i < kJobs; ++i) board.Add(i, i % 10, Key(v1::JobKey::TRAIN, i / 1000, i));
  for (int i = 0; i < kJobs; ++i) {
    ASSERT_TRUE(board.Lease(absl::StrCat("w", i % 1000), 1, absl::StrCat(i), absl::Microseconds(i),
                            Anything));
  }
  EXPECT_EQ(board.Renew("w0", 1, absl::Seconds(1)).size(), 0u);
  EXPECT_EQ(board.Running("w0").size(), 100u);
  EXPECT_EQ(board.Expire(kLease + absl::Microseconds(kJobs / 2 - 1)).size(), kJobs / 2 - 50u);
  for (int i = 0; i < kJobs; ++i) {
    ASSERT_EQ(board.Deliver(absl::StrCat(i), absl::StrCat("w", i % 1000), Result("x")),
              Verdict::kAccepted);
  }
  EXPECT_EQ((board.Counts()[{v1::JobKey::TRAIN, JobState::kDone}]), kJobs);
}

}  // namespace
}  // namespace squish
