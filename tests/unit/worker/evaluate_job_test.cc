#include "tests/unit/worker/worker_fixture.h"

namespace squish {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class EvaluateJobTest : public WorkerFixture {};

TEST_F(EvaluateJobTest, AnEvaluationIsPassedOnAndItsPredictionsStored) {
  const auto executor = MakeExecutor(Options());
  for (const v1::Split split : {v1::VAL, v1::SELECTION}) {
    FakeAttempt attempt(Path("artifacts"), EvaluateJob(kTrain, split));
    const v1::AttemptResult result = executor->Execute(attempt);
    ASSERT_TRUE(result.has_evaluate()) << result.DebugString();
    const v1::Evaluation& evaluation = result.evaluate().evaluation();
    EXPECT_EQ(evaluation.images(), split == v1::VAL ? kFakeValImages : kFakeSelectionImages);
    EXPECT_EQ(evaluation.confusion_size(), 4);
    EXPECT_EQ(result.evaluate().numerics_class(), "fake");
    EXPECT_EQ(ReadFile(JoinPath(Path("artifacts"), result.evaluate().predictions())).value(),
              "a,b\n");
    EXPECT_THAT(attempt.fractions, ElementsAre(0.5));
  }
  EXPECT_EQ(FilesAtWork(), 0);
}

class MisbehavingEvaluationTest : public WorkerFixture,
                                  public testing::WithParamInterface<Misbehaviour> {};

TEST_P(MisbehavingEvaluationTest, CostsOneAttemptAndTheTrainerIsReplaced) {
  WorkerOptions options = Options();
  if (GetParam().behaviour == kHang) options.trainer.silence_limit = absl::Seconds(2);
  const auto executor = MakeExecutor(options);
  const v1::AttemptResult result = Run(*executor, EvaluateJob(GetParam().behaviour));
  ExpectFailure(result, GetParam());
  v1::RunnerMetrics metrics;
  executor->FillMetrics(metrics);
  EXPECT_EQ(metrics.child_restarts(), 1);
  EXPECT_EQ(FilesAtWork(), 0);
  EXPECT_TRUE(Run(*executor, EvaluateJob(kTrain)).has_evaluate()) << "the next job is done";
}

INSTANTIATE_TEST_SUITE_P(
    All, MisbehavingEvaluationTest,
    testing::Values(
        Misbehaviour{"Dies", kAbort, v1::Failure::CHILD_CRASHED, "signal 6"},
        Misbehaviour{"Hangs", kHang, v1::Failure::CHILD_HUNG, "said nothing for 2s"},
        Misbehaviour{"AnswersATraining", kAnswerAnother, kBabbled, "neither"},
        Misbehaviour{"CountsMoreImages", kLieImages, kBabbled, "the split has 6"},
        Misbehaviour{"CountsDoNotAddUp", kLieCounts, kBabbled, "counted 11"},
        Misbehaviour{"CountsBelowZero", kLieNegativeCount, kBabbled, "negative count"},
        Misbehaviour{"HasOtherClasses", kLieConfusion, kBabbled,
                     "a confusion of 5 counts for 2 classes"},
        Misbehaviour{"LiesAboutTheAccuracy", kLieAccuracy, kBabbled, "an accuracy of 1,"},
        Misbehaviour{"LiesAboutTheBalancedAccuracy", kLieBalanced, kBabbled,
                     "a balanced accuracy of 1,"},
        Misbehaviour{"LiesAboutTheLoss", kLieLoss, kBabbled, "log-loss of nan"},
        Misbehaviour{"HasNoNumericsClass", kLieNumerics, kBabbled, "numerics class"},
        Misbehaviour{"TookNoTime", kLieSeconds, kBabbled, "-1 seconds"},
        Misbehaviour{"LiesAboutThePredictions", kLieArtifact, kBabbled, "digest"},
        Misbehaviour{"WritesNothing", kLieNoFile, kBabbled, "there are no predictions"}),
    NameOfMisbehaviour);

TEST_F(EvaluateJobTest, ATrainerThatSaysWhyItFailedIsQuoted) {
  const auto executor = MakeExecutor(Options());
  const v1::AttemptResult result = Run(*executor, EvaluateJob(kFailAtOnce));
  EXPECT_EQ(result.failure().code(), v1::Failure::INTERNAL);
  EXPECT_THAT(result.failure().message(), HasSubstr("the fake has had enough"));
}

TEST_F(EvaluateJobTest, ACancelledEvaluationEndsAtOnce) {
  const auto executor = MakeExecutor(Options());
  FakeAttempt attempt(Path("artifacts"), EvaluateJob(kHang));
  attempt.on_progress = [&] { attempt.Cancel(); };
  EXPECT_TRUE(executor->Execute(attempt).has_failure());
  EXPECT_TRUE(Run(*executor, EvaluateJob(kTrain)).has_evaluate());
}

TEST_F(EvaluateJobTest, WhatIsMissingIsNamed) {
  const auto executor = MakeExecutor(Options());
  v1::Job job = EvaluateJob(kTrain);
  job.mutable_evaluate()->set_dataset_fingerprint(Sha256Hex("other pictures"));
  v1::AttemptResult result = Run(*executor, job);
  EXPECT_EQ(result.failure().code(), v1::Failure::MISSING_DATASET);
  EXPECT_THAT(result.failure().message(), HasSubstr(Sha256Hex("other pictures")));
  job = EvaluateJob(kTrain);
  job.mutable_evaluate()->set_network(Sha256Hex("nothing"));
  result = Run(*executor, job);
  EXPECT_EQ(result.failure().code(), v1::Failure::BAD_ARTIFACT);
  EXPECT_THAT(result.failure().message(), HasSubstr("the network to evaluate"));
}

TEST_F(EvaluateJobTest, AnAbsurdNumberOfThreadsOrAnotherSplitIsRefused) {
  const auto executor = MakeExecutor(Options());
  v1::Job job = EvaluateJob(kTrain);
  for (const int threads : {0, -1, 257}) {
    job.mutable_evaluate()->set_threads(threads);
    EXPECT_EQ(Run(*executor, job).failure().code(), v1::Failure::INTERNAL) << threads;
  }
  for (const v1::Split split : {v1::SPLIT_UNSPECIFIED, v1::TRAIN}) {
    EXPECT_EQ(Run(*executor, EvaluateJob(kTrain, split)).failure().code(), v1::Failure::INTERNAL);
  }
}

TEST_F(EvaluateJobTest, AFullDiskIsNotTheTrainersFault) {
  const auto executor = MakeExecutor(Options());
  FakeAttempt attempt(Path("artifacts"), EvaluateJob(kTrain));
  attempt.store_error = absl::ResourceExhaustedError("disk full");
  EXPECT_EQ(executor->Execute(attempt).failure().code(), v1::Failure::LOCAL_RESOURCES);
  EXPECT_EQ(FilesAtWork(), 0);
}

}  // namespace
}  // namespace squish
