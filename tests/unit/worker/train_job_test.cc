#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/weights/strengths.h"
#include "tests/support/checkout.h"
#include "tests/unit/worker/worker_fixture.h"

namespace squish {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TrainJobTest : public WorkerFixture {
 protected:
  // The note that a training left: "pid N" says which trainer it was.
  std::string NoteOf(JobExecutor& executor, uint64_t behaviour, int threads = 1) {
    v1::Job job = TrainJob(behaviour);
    job.mutable_train()->set_threads(threads);
    FakeAttempt attempt(Path("artifacts"), job);
    const v1::AttemptResult result = executor.Execute(attempt);
    EXPECT_TRUE(result.has_train()) << result.DebugString();
    return attempt.notes.empty() ? "" : attempt.notes.front();
  }

  static v1::RunnerMetrics MetricsOf(JobExecutor& executor) {
    v1::RunnerMetrics metrics;
    executor.FillMetrics(metrics);
    return metrics;
  }
};

TEST_F(TrainJobTest, ATrainedNetworkIsStoredAndItsResultPassedOn) {
  const auto executor = MakeExecutor(Options());
  EXPECT_TRUE(executor->cuda());
  FakeAttempt attempt(Path("artifacts"), TrainJob(kTrain));
  const v1::AttemptResult result = executor->Execute(attempt);
  ASSERT_TRUE(result.has_train()) << result.DebugString();
  EXPECT_EQ(result.train().outcome(), v1::TrainResult::TRAINED);
  EXPECT_EQ(result.train().selection_accuracy(), 0.75);
  EXPECT_EQ(result.train().numerics_class(), "fake");
  const auto stored = ReadFile(JoinPath(Path("artifacts"), result.train().artifact()));
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(WeightsDigest(Network::FromSafetensors(*stored)->weights),
            result.train().weights_digest());
  EXPECT_THAT(attempt.fractions, ElementsAre(0.5));
  EXPECT_EQ(FilesAtWork(), 0);
}

TEST_F(TrainJobTest, StrengthsAreStoredBesideTheNetwork) {
  const auto executor = MakeExecutor(Options());
  const v1::AttemptResult result = Run(*executor, TrainJob(kTrain));
  ASSERT_TRUE(result.has_train()) << result.DebugString();
  const auto stored = ReadFile(JoinPath(Path("artifacts"), result.train().strengths()));
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(Sha256Hex(*stored), result.train().strengths());
  const auto strengths = ReadStrengths(*stored, TwoClasses().genome);
  EXPECT_TRUE(strengths.ok()) << strengths.status();
}

TEST_F(TrainJobTest, StrengthsThatNobodyWantsAreNotBelieved) {
  const auto executor = MakeExecutor(Options());
  v1::Job job = TrainJob(kTrain);
  job.mutable_train()->set_strength_images(0);
  const v1::AttemptResult result = Run(*executor, job);
  ASSERT_TRUE(result.has_train()) << result.DebugString();
  EXPECT_EQ(result.train().strengths(), "");
  EXPECT_EQ(FilesAtWork(), 0);
}

TEST_F(TrainJobTest, TheTrainerStaysBetweenJobs) {
  const auto executor = MakeExecutor(Options());
  const std::string first = NoteOf(*executor, kTrain);
  EXPECT_THAT(first, HasSubstr("pid "));
  EXPECT_EQ(NoteOf(*executor, kTrain), first);
  EXPECT_EQ(MetricsOf(*executor).child_restarts(), 0);
}

TEST_F(TrainJobTest, StepSecondsOfAllJobsAreCounted) {
  const auto executor = MakeExecutor(Options());
  NoteOf(*executor, kTrain);
  NoteOf(*executor, kTrain);
  Run(*executor, TrainJob(kExit));  // Had said 2 before it died.
  EXPECT_DOUBLE_EQ(MetricsOf(*executor).step_seconds(), 3.0 + 3.0 + 2.0);
}

TEST_F(TrainJobTest, DivergedIsAResultWithoutANetwork) {
  const auto executor = MakeExecutor(Options());
  const v1::AttemptResult result = Run(*executor, TrainJob(kDiverge));
  ASSERT_TRUE(result.has_train()) << result.DebugString();
  EXPECT_EQ(result.train().outcome(), v1::TrainResult::DIVERGED);
  EXPECT_EQ(result.train().artifact(), "");
  EXPECT_EQ(result.train().strengths(), "");
}

TEST_F(TrainJobTest, ATrainerThatSaysWhyItFailedStays) {
  const auto executor = MakeExecutor(Options());
  const std::string first = NoteOf(*executor, kTrain);
  const v1::AttemptResult result = Run(*executor, TrainJob(kFailAtOnce));
  EXPECT_EQ(result.failure().code(), v1::Failure::INTERNAL);
  EXPECT_THAT(result.failure().message(), HasSubstr("the fake has had enough"));
  EXPECT_EQ(NoteOf(*executor, kTrain), first);
}

class MisbehavingTrainerTest : public TrainJobTest,
                               public testing::WithParamInterface<Misbehaviour> {};

TEST_P(MisbehavingTrainerTest, CostsOneAttemptAndIsReplaced) {
  WorkerOptions options = Options();
  if (GetParam().behaviour == kHang || GetParam().behaviour == kStandStill) {
    options.trainer.silence_limit = absl::Seconds(2);
  }
  const auto executor = MakeExecutor(options);
  const v1::AttemptResult result = Run(*executor, TrainJob(GetParam().behaviour));
  ExpectFailure(result, GetParam());
  EXPECT_EQ(MetricsOf(*executor).child_restarts(), 1);
  EXPECT_EQ(FilesAtWork(), 0);
  EXPECT_THAT(NoteOf(*executor, kTrain), HasSubstr("pid ")) << "the next job is done";
  EXPECT_EQ(MetricsOf(*executor).child_restarts(), 1);
}

INSTANTIATE_TEST_SUITE_P(
    All, MisbehavingTrainerTest,
    testing::Values(Misbehaviour{"Exits", kExit, v1::Failure::CHILD_CRASHED, "exit status 3"},
                    Misbehaviour{"Aborts", kAbort, v1::Failure::CHILD_CRASHED, "signal 6"},
                    Misbehaviour{"Hangs", kHang, v1::Failure::CHILD_HUNG, "said nothing for 2s"},
                    Misbehaviour{"StandsStill", kStandStill, v1::Failure::CHILD_HUNG,
                                 "did not advance for 2s"},
                    Misbehaviour{"SpeaksText", kSpeakText, kBabbled, "epoch 1: \\x01 loss 0.5"},
                    Misbehaviour{"SpeaksWithoutEnd", kSpeakLongLine, kBabbled,
                                 "a line of more than"},
                    Misbehaviour{"SaysReadyAgain", kSayReadyAgain, kBabbled, "neither"},
                    Misbehaviour{"LiesAboutTheArtifact", kLieArtifact, kBabbled, "digest"},
                    Misbehaviour{"LiesAboutTheWeights", kLieWeightsDigest, kBabbled, "weights"},
                    Misbehaviour{"LiesAboutTheAccuracy", kLieAccuracy, kBabbled, "accuracy of 1.5"},
                    Misbehaviour{"LiesAboutTheLoss", kLieLoss, kBabbled, "log-loss of nan"},
                    Misbehaviour{"LiesAboutTheOutcome", kLieOutcome, kBabbled, "outcome"},
                    Misbehaviour{"WritesNothing", kLieNoFile, kBabbled, "there is no network"},
                    Misbehaviour{"WritesGarbage", kLieGarbageFile, kBabbled, "its network is none"},
                    Misbehaviour{"TrainsAnother", kLieOtherGenome, kBabbled, "not the one"},
                    Misbehaviour{"LiesAboutTheStrengths", kLieStrengths, kBabbled,
                                 "its strengths have another digest"},
                    Misbehaviour{"WritesNoStrengths", kLieNoStrengths, kBabbled,
                                 "there are no strengths"},
                    Misbehaviour{"WritesStrengthsThatAreNone", kLieGarbageStrengths, kBabbled,
                                 "its strengths are none"}),
    NameOfMisbehaviour);

TEST_F(TrainJobTest, ATrainerThatDiedOrTalkedWhileItWaitedCostsNoAttempt) {
  for (const uint64_t behaviour : {kDieAfterwards, kTalkAfterwards}) {
    const auto executor = MakeExecutor(Options());
    const std::string first = NoteOf(*executor, behaviour);
    if (behaviour == kDieAfterwards) {  // Wait for that, and leave it to be reaped.
      siginfo_t info;
      const pid_t pid = std::atoi(first.c_str() + 4);
      ASSERT_EQ(::waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
    }
    EXPECT_NE(NoteOf(*executor, kTrain), first);
    EXPECT_EQ(MetricsOf(*executor).child_restarts(), 1);
  }
}

TEST_F(TrainJobTest, TheNextTrainerIsStartedWhenOneIsLostNotWhenItIsNeeded) {
  ASSERT_EQ(::mkfifo(Path("starts").c_str(), 0600), 0);
  const int starts = ::open(Path("starts").c_str(), O_RDWR | O_CLOEXEC);
  WorkerOptions options = Options();
  options.trainer.command = {TestProgramPath("fake_trainer"), Path("starts")};
  const auto executor = MakeExecutor(options);
  char buffer[64];
  ASSERT_GT(::read(starts, buffer, sizeof buffer), 0);
  Run(*executor, TrainJob(kExit));
  EXPECT_GT(::read(starts, buffer, sizeof buffer), 0) << "blocks until a trainer has started";
  ::close(starts);
}

TEST_F(TrainJobTest, ACancelledTrainingEndsAtOnceAndTheNextGoesOn) {
  const auto executor = MakeExecutor(Options());
  FakeAttempt attempt(Path("artifacts"), TrainJob(kHang));
  attempt.on_progress = [&] { attempt.Cancel(); };
  EXPECT_TRUE(executor->Execute(attempt).has_failure());
  EXPECT_EQ(MetricsOf(*executor).child_restarts(), 0) << "the trainer did no wrong";
  EXPECT_THAT(NoteOf(*executor, kTrain), HasSubstr("pid "));
}

TEST_F(TrainJobTest, CheckpointsAreTakenAsTheyCome) {
  const auto executor = MakeExecutor(Options());
  FakeAttempt attempt(Path("artifacts"), TrainJob(kMakeCheckpoints));
  EXPECT_TRUE(executor->Execute(attempt).has_train());
  ASSERT_EQ(attempt.checkpoints.size(), 2u);
  EXPECT_EQ(attempt.checkpoints[0].second.step(), 1);
  const auto& [file, what] = attempt.checkpoints[1];
  EXPECT_EQ(file, "checkpoint 2");
  EXPECT_EQ(what.step(), 2);
  EXPECT_EQ(what.fraction(), 0.2);
  EXPECT_EQ(what.numerics_class(), "fake");
  EXPECT_EQ(MetricsOf(*executor).checkpoints(), 2);
  EXPECT_EQ(MetricsOf(*executor).resumed(), 0);
  EXPECT_EQ(FilesAtWork(), 0);
}

TEST_F(TrainJobTest, ATrainerIsGivenTheCheckpointOfTheJob) {
  const auto executor = MakeExecutor(Options());
  v1::Job job = TrainJob(kTellResumption);
  job.mutable_train()->mutable_checkpoint()->set_artifact(PutArtifact("half done"));
  FakeAttempt attempt(Path("artifacts"), job);
  EXPECT_TRUE(executor->Execute(attempt).has_train());
  EXPECT_EQ(attempt.notes.back(), "half done");
  EXPECT_THAT(attempt.resumed_at, ElementsAre(0.5));
  EXPECT_EQ(MetricsOf(*executor).resumed(), 1);
}

TEST_F(TrainJobTest, ACheckpointThatCannotBeHadIsBegunWithout) {
  const auto executor = MakeExecutor(Options());
  v1::Job job = TrainJob(kTellResumption);
  job.mutable_train()->mutable_checkpoint()->set_artifact(Sha256Hex("gone"));
  FakeAttempt attempt(Path("artifacts"), job);
  EXPECT_TRUE(executor->Execute(attempt).has_train());
  EXPECT_EQ(attempt.notes.back(), "nothing");
  EXPECT_THAT(attempt.resumed_at, ElementsAre());
}

TEST_F(TrainJobTest, GivenUpItSendsALastCheckpointAndTheNextGoesOn) {
  const auto executor = MakeExecutor(Options());
  FakeAttempt attempt(Path("artifacts"), TrainJob(kAwaitStop));
  attempt.on_progress = [&] { attempt.Stop(); };
  EXPECT_TRUE(executor->Execute(attempt).has_failure());
  ASSERT_EQ(attempt.checkpoints.size(), 1u);
  EXPECT_EQ(attempt.checkpoints[0].first, "the last");
  EXPECT_EQ(attempt.checkpoints[0].second.step(), 9);
  EXPECT_EQ(MetricsOf(*executor).child_restarts(), 0) << "the trainer did as it was told";
  EXPECT_THAT(NoteOf(*executor, kTrain), HasSubstr("pid "));
}

TEST_F(TrainJobTest, WithoutCheckpointsNoneIsAskedFor) {
  WorkerOptions options = Options();
  options.checkpoint_interval = absl::ZeroDuration();
  const auto executor = MakeExecutor(options);
  EXPECT_EQ(Run(*executor, TrainJob(kUnwantedCheckpoint)).failure().code(),
            v1::Failure::CHILD_BABBLED);
}

TEST_F(TrainJobTest, AnAttemptThatIsCancelledBeforeItBeginsIsNotDone) {
  const auto executor = MakeExecutor(Options());
  FakeAttempt attempt(Path("artifacts"), TrainJob(kTrain));
  attempt.Cancel();
  EXPECT_TRUE(executor->Execute(attempt).has_failure());
  EXPECT_THAT(NoteOf(*executor, kTrain), HasSubstr("pid "));
}

TEST_F(TrainJobTest, ThreadsNicenessAndEnvironmentAreSetByUs) {
  ::setenv("SQUISH_LEAK", "leaked", 1);
  ::setenv("OMP_NUM_THREADS", "17", 1);
  const int nice = ::nice(0);
  const auto executor = MakeExecutor(Options());
  EXPECT_EQ(NoteOf(*executor, kTellEnvironment, /*threads=*/3),
            absl::StrCat("3 3 3 ", std::min(19, nice + 10), " none"));
  EXPECT_EQ(NoteOf(*executor, kTellEnvironment, /*threads=*/1),
            absl::StrCat("1 1 1 ", std::min(19, nice + 10), " none"));
  EXPECT_EQ(MetricsOf(*executor).child_restarts(), 0);
  ::unsetenv("SQUISH_LEAK");
  ::unsetenv("OMP_NUM_THREADS");
}

TEST_F(TrainJobTest, AnotherFingerprintIsMissingAndBothAreNamed) {
  const auto executor = MakeExecutor(Options());
  v1::Job job = TrainJob(kTrain);
  job.mutable_train()->set_dataset_fingerprint(Sha256Hex("other pictures"));
  const v1::AttemptResult result = Run(*executor, job);
  EXPECT_EQ(result.failure().code(), v1::Failure::MISSING_DATASET);
  EXPECT_THAT(result.failure().message(), HasSubstr(Sha256Hex("other pictures")));
  EXPECT_THAT(result.failure().message(), HasSubstr(Fingerprint()));
}

TEST_F(TrainJobTest, WithoutTheDataTheFailureSaysWhatIsMissingAndWhy) {
  WorkerOptions options = Options();
  options.datasets.sources.clear();
  const auto executor = MakeExecutor(options);
  const v1::AttemptResult result = Run(*executor, TrainJob(kTrain));
  EXPECT_EQ(result.failure().code(), v1::Failure::MISSING_DATASET);
  EXPECT_THAT(result.failure().message(), HasSubstr(Fingerprint()));
  EXPECT_THAT(result.failure().message(), HasSubstr("no --data NAME=DIR was given for 'pictures'"));
}

TEST_F(TrainJobTest, ANetworkOrTeacherThatCannotBeFetchedIsABadArtifact) {
  const auto executor = MakeExecutor(Options());
  v1::Job job = TrainJob(kTrain);
  job.mutable_train()->set_teacher(Sha256Hex("nobody"));
  v1::AttemptResult result = Run(*executor, job);
  EXPECT_EQ(result.failure().code(), v1::Failure::BAD_ARTIFACT);
  EXPECT_THAT(result.failure().message(), HasSubstr("the teacher: no artifact"));
  job.mutable_train()->set_network(Sha256Hex("nothing"));
  result = Run(*executor, job);
  EXPECT_EQ(result.failure().code(), v1::Failure::BAD_ARTIFACT);
  EXPECT_THAT(result.failure().message(), HasSubstr("the network to train: no artifact"));
}

TEST_F(TrainJobTest, AFileThatIsDamagedWhileTheTrainerMayReadItMakesNoResult) {
  const auto executor = MakeExecutor(Options());
  Network other = TwoClasses();
  other.weights.begin()->second.values[0] += 1;
  const auto damage = [&](const std::string& digest) {
    ASSERT_TRUE(WriteFileDurably(JoinPath(Path("artifacts"), digest), other.ToSafetensors()).ok());
  };
  FakeAttempt attempt(Path("artifacts"), TrainJob(kTrain));
  attempt.on_progress = [&] { damage(attempt.job().train().network()); };
  v1::AttemptResult result = executor->Execute(attempt);
  EXPECT_EQ(result.failure().code(), v1::Failure::BAD_ARTIFACT) << result.DebugString();
  EXPECT_THAT(result.failure().message(), HasSubstr("the network to train was damaged"));

  v1::Job taught = TrainJob(kTrain);
  Network teacher = TwoClasses();
  teacher.weights.begin()->second.values[0] += 2;
  taught.mutable_train()->set_teacher(PutArtifact(teacher.ToSafetensors()));
  FakeAttempt with_teacher(Path("artifacts"), taught);
  with_teacher.on_progress = [&] { damage(with_teacher.job().train().teacher()); };
  result = executor->Execute(with_teacher);
  EXPECT_THAT(result.failure().message(), HasSubstr("the teacher was damaged"));
}

TEST_F(TrainJobTest, AnAbsurdNumberOfThreadsIsRefused) {
  const auto executor = MakeExecutor(Options());
  v1::Job job = TrainJob(kTrain);
  for (const int threads : {0, -1, 1'000'000}) {
    job.mutable_train()->set_threads(threads);
    EXPECT_EQ(Run(*executor, job).failure().code(), v1::Failure::INTERNAL) << threads;
  }
}

TEST_F(TrainJobTest, TwoSlotsTrainAtTheSameTime) {
  WorkerOptions options = Options();
  options.slots = 2;
  const auto executor = MakeExecutor(options);
  // The first hangs until the second has been done.
  FakeAttempt hanging(Path("artifacts"), TrainJob(kHang));
  absl::Mutex mutex;
  bool begun = false;
  hanging.on_progress = [&] {
    absl::MutexLock lock(&mutex);
    begun = true;
  };
  std::thread first([&] { executor->Execute(hanging); });
  {
    absl::MutexLock lock(&mutex);
    mutex.Await(absl::Condition(&begun));
  }
  EXPECT_THAT(NoteOf(*executor, kTrain), HasSubstr("pid "));
  hanging.Cancel();
  first.join();
}

TEST_F(TrainJobTest, LeftoversOfAnEarlierDaemonAreRemoved) {
  ASSERT_TRUE(MakeFolder(Path("state/work")).ok());
  ASSERT_TRUE(WriteFileDurably(Path("state/work/7.safetensors"), "half a network").ok());
  ASSERT_TRUE(WriteFileDurably(Path("state/work/7.strengths"), "half a number").ok());
  ASSERT_TRUE(WriteFileDurably(Path("state/work/8.csv"), "half a line").ok());
  ASSERT_TRUE(MakeFolder(Path("state/work/9.export")).ok());
  ASSERT_TRUE(WriteFileDurably(Path("state/work/9.export/model.pt"), "half a file").ok());
  ASSERT_TRUE(MakeFolder(Path("state/work/10.checkpoints")).ok());
  ASSERT_TRUE(WriteFileDurably(Path("state/work/10.checkpoints/latest"), "half a step").ok());
  EXPECT_EQ(FilesAtWork(), 5);
  const auto executor = MakeExecutor(Options());
  EXPECT_EQ(FilesAtWork(), 0);
}

// --- Starting.

absl::Status StartError(WorkerOptions options) {
  return WorkerExecutor::Create(std::move(options), Clock::System()).status();
}

class WorkerStartTest : public WorkerFixture {};

TEST_F(WorkerStartTest, AMissingTrainerIsNamed) {
  WorkerOptions options = Options();
  options.trainer.command = {"/nonexistent/squish-trainer"};
  const absl::Status status = StartError(options);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nonexistent/squish-trainer"));
}

TEST_F(WorkerStartTest, ATrainerThatDoesNotGetReadyIsAnErrorThatNamesTheLog) {
  const std::pair<const char*, absl::StatusCode> cases[] = {
      {"crash", absl::StatusCode::kAborted},
      {"hang", absl::StatusCode::kDeadlineExceeded},
      {"babble", absl::StatusCode::kInvalidArgument},
  };
  for (const auto& [start, code] : cases) {
    WorkerOptions options = Options();
    options.trainer.command = {TestProgramPath("fake_trainer"), "/dev/null", start};
    options.trainer.start_limit =
        start == std::string("hang") ? absl::Milliseconds(300) : absl::Minutes(1);
    const absl::Status status = StartError(options);
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(Path("state/log")));
  }
}

TEST_F(WorkerStartTest, ASecondWorkerOnTheSameFolderIsRefused) {
  const auto executor = MakeExecutor(Options());
  EXPECT_EQ(StartError(Options()).code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace squish
