// What a worker makes for engines beside a network.
#include "common/export/probe.h"
#include "tests/unit/worker/worker_fixture.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kOtherBatch = 100;  // A batch that no fake takes for a behaviour.

class EngineFilesTest : public WorkerFixture {
 protected:
  std::string Artifact(const std::string& digest) const {
    return ReadFile(JoinPath(Path("artifacts"), digest)).value_or("");
  }
};

TEST_F(EngineFilesTest, AreStoredAsOrderedBesideTheNetwork) {
  const auto executor = MakeExecutor(Options());
  const v1::AttemptResult result = Run(*executor, OrderingJob(kTrain, kOtherBatch));
  ASSERT_TRUE(result.has_synthesize()) << result.DebugString();
  const v1::EngineFiles& files = result.synthesize().engine_files();
  ASSERT_EQ(files.onnx_size(), 2);
  EXPECT_EQ(files.onnx(0).batch(), static_cast<int>(kTrain));
  EXPECT_EQ(Artifact(files.onnx(0).artifact()), "onnx 1");
  EXPECT_EQ(files.onnx(1).batch(), static_cast<int>(kOtherBatch));
  EXPECT_EQ(Artifact(files.onnx(1).artifact()), "onnx 100");
  const auto network = Network::FromSafetensors(Artifact(result.synthesize().artifact()));
  ASSERT_TRUE(network.ok()) << network.status();
  const auto probe =
      ProbeFromSafetensors(Artifact(files.probe_pictures()), Artifact(files.probe_outputs()),
                           /*size=*/24, network->genome);
  EXPECT_TRUE(probe.ok()) << probe.status();
  EXPECT_FALSE(result.synthesize().has_ancestor_files());
  EXPECT_EQ(FilesAtWork(), 0);
}

TEST_F(EngineFilesTest, LeaveTheNetworkAsItIs) {
  const auto executor = MakeExecutor(Options());
  v1::AttemptResult with = Run(*executor, OrderingJob(kTrain, kOtherBatch));
  const v1::AttemptResult without = Run(*executor, AncestorJob());
  ASSERT_TRUE(with.has_synthesize()) << with.DebugString();
  EXPECT_FALSE(without.synthesize().has_engine_files());
  with.mutable_synthesize()->clear_engine_files();
  EXPECT_EQ(with.SerializeAsString(), without.SerializeAsString());
}

TEST_F(EngineFilesTest, AreMadeOfAnAncestorThatNobodyMakesToo) {
  const auto executor = MakeExecutor(Options());
  v1::Job job = OrderingJob(kTrain, kOtherBatch);
  Network other = TwoClasses();
  job.mutable_synthesize()->mutable_engine_files()->set_ancestor(
      PutArtifact(other.ToSafetensors()));
  const v1::AttemptResult result = Run(*executor, job);
  ASSERT_TRUE(result.has_synthesize()) << result.DebugString();
  EXPECT_EQ(result.synthesize().ancestor_files().onnx_size(), 2);
  EXPECT_EQ(result.synthesize().ancestor_files().probe_pictures(),
            result.synthesize().engine_files().probe_pictures());
  EXPECT_EQ(FilesAtWork(), 0);

  job.mutable_synthesize()->mutable_engine_files()->set_ancestor(Sha256Hex("nothing"));
  const v1::AttemptResult failed = Run(*executor, job);
  EXPECT_EQ(failed.failure().code(), v1::Failure::BAD_ARTIFACT);
  EXPECT_THAT(failed.failure().message(), HasSubstr("the ancestor that is measured against"));
}

TEST_F(EngineFilesTest, StartNoTrainerOfAnotherNumberOfThreads) {
  const auto executor = MakeExecutor(Options());
  v1::Job train = TrainJob(kTrain);
  train.mutable_train()->set_threads(2);
  const auto trainer_of = [&](const v1::Job& job) {
    FakeAttempt attempt(Path("artifacts"), job);
    const v1::AttemptResult result = executor->Execute(attempt);
    EXPECT_FALSE(result.has_failure()) << result.failure().message();
    return attempt.notes.empty() ? "" : attempt.notes[0];
  };
  const std::string before = trainer_of(train);
  EXPECT_EQ(trainer_of(OrderingJob(kTrain, kOtherBatch)), before);
  EXPECT_EQ(trainer_of(train), before);
}

class MisbehavingProbeTest : public EngineFilesTest,
                             public testing::WithParamInterface<Misbehaviour> {};

TEST_P(MisbehavingProbeTest, CostsOneAttempt) {
  const auto executor = MakeExecutor(Options());
  const v1::AttemptResult result =
      Run(*executor, OrderingJob(GetParam().behaviour, kOtherBatch));
  ExpectFailure(result, GetParam());
  EXPECT_EQ(FilesAtWork(), 0);
  EXPECT_TRUE(Run(*executor, OrderingJob(kTrain, kOtherBatch)).has_synthesize());
}

INSTANTIATE_TEST_SUITE_P(
    All, MisbehavingProbeTest,
    testing::Values(Misbehaviour{"Exits", kExit, v1::Failure::CHILD_CRASHED, "exit status 3"},
                    Misbehaviour{"SaysWhyItFailed", kFailAtOnce, v1::Failure::INTERNAL,
                                 "had enough"},
                    Misbehaviour{"AnswersATraining", kAnswerAnother, kBabbled, "neither"},
                    Misbehaviour{"LiesAboutTheDigest", kLieArtifact, kBabbled, "another digest"},
                    Misbehaviour{"WritesNothing", kLieNoFile, kBabbled, "there is no probe"},
                    Misbehaviour{"WritesOtherPictures", kLieGarbageFile, kBabbled,
                                 "'pictures' is 8×3×25×25, not 8×3×24×24"}),
    NameOfMisbehaviour);

class MisbehavingEngineExporterTest : public EngineFilesTest,
                                      public testing::WithParamInterface<Misbehaviour> {};

TEST_P(MisbehavingEngineExporterTest, CostsOneAttemptAndNoTrainer) {
  const auto executor = MakeExecutor(Options());
  const v1::AttemptResult result = Run(*executor, OrderingJob(kTrain, GetParam().behaviour));
  ExpectFailure(result, GetParam());
  v1::RunnerMetrics metrics;
  executor->FillMetrics(metrics);
  EXPECT_EQ(metrics.child_restarts(), 0);
  EXPECT_EQ(FilesAtWork(), 0);
}

INSTANTIATE_TEST_SUITE_P(
    All, MisbehavingEngineExporterTest,
    testing::Values(Misbehaviour{"Aborts", kAbort, v1::Failure::CHILD_CRASHED, "signal 6"},
                    Misbehaviour{"SaysWhyItFailed", kFailAtOnce, v1::Failure::INTERNAL,
                                 "the exporter failed: the fake has had enough"},
                    Misbehaviour{"NamesAnotherFile", kLieName, kBabbled, "nobody asked for"},
                    Misbehaviour{"LeavesAFileOut", kLieMissingFile, kBabbled,
                                 "it made no model-batch-1.onnx"},
                    Misbehaviour{"LiesAboutTheDigest", kLieArtifact, kBabbled, "digest"},
                    Misbehaviour{"WritesNothing", kLieNoFile, kBabbled, "there is no model"}),
    NameOfMisbehaviour);

TEST_F(EngineFilesTest, WithoutThePicturesThereAreNone) {
  const auto executor = MakeExecutor(Options());
  v1::Job job = OrderingJob(kTrain, kOtherBatch);
  job.mutable_synthesize()->mutable_engine_files()->set_dataset_fingerprint(
      Sha256Hex("other pictures"));
  const v1::AttemptResult result = Run(*executor, job);
  EXPECT_EQ(result.failure().code(), v1::Failure::MISSING_DATASET);
  EXPECT_THAT(result.failure().message(), HasSubstr(Sha256Hex("other pictures")));
  EXPECT_EQ(FilesAtWork(), 0);
}

}  // namespace
}  // namespace squish
