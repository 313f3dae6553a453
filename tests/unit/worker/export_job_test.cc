#include <algorithm>

#include "tests/support/checkout.h"
#include "tests/unit/worker/worker_fixture.h"

namespace squish {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ExportJobTest : public WorkerFixture {};

TEST_F(ExportJobTest, EveryFileIsStoredAndDescribedByName) {
  const auto executor = MakeExecutor(Options());
  FakeAttempt attempt(Path("artifacts"), ExportJob(kTrain, /*exporter=*/kTrain));
  const v1::AttemptResult result = executor->Execute(attempt);
  ASSERT_TRUE(result.has_export_files()) << result.DebugString();
  std::vector<std::string> names;
  for (const v1::ExportedFile& file : result.export_files().files()) {
    names.push_back(file.name());
    const auto stored = ReadFile(JoinPath(Path("artifacts"), file.artifact()));
    ASSERT_TRUE(stored.ok()) << stored.status();
    EXPECT_EQ(file.bytes(), static_cast<int64_t>(stored->size())) << file.name();
  }
  EXPECT_THAT(names,
              ElementsAre("model-batch-1.onnx", "model.onnx", "model.pt", "network.safetensors"));
  const v1::ExportedFile& network = result.export_files().files(3);
  EXPECT_EQ(network.artifact(), Sha256Hex(TwoClasses().ToSafetensors()));
  EXPECT_EQ(network.difference(), 0);
  EXPECT_EQ(network.checked_with(), "the network itself");
  EXPECT_EQ(result.export_files().files(2).difference(), 1e-6);
  EXPECT_EQ(result.export_files().files(2).checked_with(), "a fake");
  EXPECT_GE(result.export_files().wall_seconds(), 0);
  EXPECT_TRUE(std::is_sorted(attempt.fractions.begin(), attempt.fractions.end()));
  EXPECT_EQ(attempt.fractions.size(), 2u) << "of the trainer and of the exporter";
  EXPECT_EQ(FilesAtWork(), 0);
}

// --- The trainer's part.

class MisbehavingExportTest : public WorkerFixture,
                              public testing::WithParamInterface<Misbehaviour> {};

TEST_P(MisbehavingExportTest, CostsOneAttemptAndTheTrainerIsReplaced) {
  const auto executor = MakeExecutor(Options());
  const v1::AttemptResult result = Run(*executor, ExportJob(GetParam().behaviour, kTrain));
  ExpectFailure(result, GetParam());
  v1::RunnerMetrics metrics;
  executor->FillMetrics(metrics);
  EXPECT_EQ(metrics.child_restarts(), 1);
  EXPECT_EQ(FilesAtWork(), 0);
  EXPECT_TRUE(Run(*executor, ExportJob(kTrain, kTrain)).has_export_files());
}

INSTANTIATE_TEST_SUITE_P(
    All, MisbehavingExportTest,
    testing::Values(Misbehaviour{"Exits", kExit, v1::Failure::CHILD_CRASHED, "exit status 3"},
                    Misbehaviour{"AnswersATraining", kAnswerAnother, kBabbled, "neither"},
                    Misbehaviour{"NamesAnotherFile", kLieName, kBabbled, "not model.pt"},
                    Misbehaviour{"LiesAboutTheDigest", kLieArtifact, kBabbled, "digest"},
                    Misbehaviour{"LiesAboutTheSize", kLieBytes, kBabbled, "11 bytes, not 12"},
                    Misbehaviour{"Differs", kLieDifference, kBabbled, "differs by 0.5"},
                    Misbehaviour{"DiffersAt100", kLieDifferenceAt100, kBabbled, "and -1"},
                    Misbehaviour{"CheckedWithNothing", kLieCheckedWith, kBabbled, "checked with"},
                    Misbehaviour{"WritesNothing", kLieNoFile, kBabbled, "there is no model.pt"},
                    Misbehaviour{"WritesNoReference", kLieNoReference, kBabbled,
                                 "there is no reference"}),
    NameOfMisbehaviour);

// --- The exporter's part.

class MisbehavingExporterTest : public WorkerFixture,
                                public testing::WithParamInterface<Misbehaviour> {};

TEST_P(MisbehavingExporterTest, CostsOneAttemptAndNoTrainer) {
  WorkerOptions options = Options();
  if (GetParam().behaviour == kHang || GetParam().behaviour == kStandStill) {
    options.exporter.silence_limit = absl::Seconds(2);
  }
  const auto executor = MakeExecutor(options);
  const v1::AttemptResult result = Run(*executor, ExportJob(kTrain, GetParam().behaviour));
  ExpectFailure(result, GetParam());
  v1::RunnerMetrics metrics;
  executor->FillMetrics(metrics);
  EXPECT_EQ(metrics.child_restarts(), 0);
  EXPECT_EQ(FilesAtWork(), 0);
  EXPECT_TRUE(Run(*executor, ExportJob(kTrain, kTrain)).has_export_files());
}

INSTANTIATE_TEST_SUITE_P(
    All, MisbehavingExporterTest,
    testing::Values(
        Misbehaviour{"SaysWhyItFailed", kFailAtOnce, v1::Failure::INTERNAL,
                     "the exporter failed: the fake has had enough"},
        Misbehaviour{"Exits", kExit, v1::Failure::CHILD_CRASHED, "the exporter: "},
        Misbehaviour{"Aborts", kAbort, v1::Failure::CHILD_CRASHED, "signal 6"},
        Misbehaviour{"Hangs", kHang, v1::Failure::CHILD_HUNG, "the exporter said nothing for 2s"},
        Misbehaviour{"StandsStill", kStandStill, v1::Failure::CHILD_HUNG, "did not advance for 2s"},
        Misbehaviour{"SpeaksText", kSpeakText, kBabbled, "exporting"},
        Misbehaviour{"SpeaksWithoutEnd", kSpeakLongLine, kBabbled, "a line of more than"},
        Misbehaviour{"SaysReadyAgain", kSayReadyAgain, kBabbled, "neither"},
        Misbehaviour{"NamesAnotherFile", kLieName, kBabbled, "nobody asked for"},
        Misbehaviour{"LeavesAFileOut", kLieMissingFile, kBabbled, "it made no model.onnx"},
        Misbehaviour{"LiesAboutTheDigest", kLieArtifact, kBabbled, "digest"},
        Misbehaviour{"LiesAboutTheSize", kLieBytes, kBabbled, "bytes, not"},
        Misbehaviour{"Differs", kLieDifference, kBabbled, "differs by 0.5"},
        Misbehaviour{"DiffersAt100", kLieDifferenceAt100, kBabbled, "and -1"},
        Misbehaviour{"CheckedWithNothing", kLieCheckedWith, kBabbled, "checked with"},
        Misbehaviour{"WritesNothing", kLieNoFile, kBabbled, "there is no model.onnx"}),
    NameOfMisbehaviour);

TEST_F(ExportJobTest, AnExporterThatDoesNotGetReadyIsAFailureOfItsKind) {
  const std::pair<const char*, v1::Failure::Code> cases[] = {
      {"crash", v1::Failure::CHILD_CRASHED},
      {"hang", v1::Failure::CHILD_HUNG},
      {"babble", v1::Failure::CHILD_BABBLED},
  };
  for (const auto& [start, code] : cases) {
    WorkerOptions options = Options();
    options.exporter.command = {TestProgramPath("fake_exporter"), start};
    if (start == std::string("hang")) options.exporter.silence_limit = absl::Milliseconds(300);
    const auto executor = MakeExecutor(options);
    EXPECT_EQ(Run(*executor, ExportJob(kTrain, kTrain)).failure().code(), code) << start;
  }
}

TEST_F(ExportJobTest, AMissingExporterIsNamed) {
  WorkerOptions options = Options();
  options.exporter.command = {"/nonexistent/squish-exporter"};
  const auto executor = MakeExecutor(options);
  const v1::AttemptResult result = Run(*executor, ExportJob(kTrain, kTrain));
  EXPECT_EQ(result.failure().code(), v1::Failure::LOCAL_RESOURCES);
  EXPECT_THAT(result.failure().message(), HasSubstr("/nonexistent/squish-exporter"));
}

TEST_F(ExportJobTest, ACancelledExportEndsAtOnceInEitherChild) {
  const auto executor = MakeExecutor(Options());
  FakeAttempt in_trainer(Path("artifacts"), ExportJob(kHang, kTrain));
  in_trainer.on_progress = [&] { in_trainer.Cancel(); };
  EXPECT_TRUE(executor->Execute(in_trainer).has_failure());

  FakeAttempt in_exporter(Path("artifacts"), ExportJob(kTrain, kHang));
  in_exporter.on_progress = [&] {
    if (in_exporter.fractions.size() == 2) in_exporter.Cancel();
  };
  EXPECT_TRUE(executor->Execute(in_exporter).has_failure());
  EXPECT_EQ(FilesAtWork(), 0);
  EXPECT_TRUE(Run(*executor, ExportJob(kTrain, kTrain)).has_export_files());
}

TEST_F(ExportJobTest, WhatIsMissingIsNamed) {
  const auto executor = MakeExecutor(Options());
  v1::Job job = ExportJob(kTrain, kTrain);
  job.mutable_export_files()->set_dataset_fingerprint(Sha256Hex("other pictures"));
  v1::AttemptResult result = Run(*executor, job);
  EXPECT_EQ(result.failure().code(), v1::Failure::MISSING_DATASET);
  EXPECT_THAT(result.failure().message(), HasSubstr(Sha256Hex("other pictures")));
  job = ExportJob(kTrain, kTrain);
  job.mutable_export_files()->set_network(Sha256Hex("nothing"));
  result = Run(*executor, job);
  EXPECT_EQ(result.failure().code(), v1::Failure::BAD_ARTIFACT);
  EXPECT_THAT(result.failure().message(), HasSubstr("the network to export"));
}

TEST_F(ExportJobTest, AFullDiskIsNotTheChildrensFault) {
  const auto executor = MakeExecutor(Options());
  FakeAttempt attempt(Path("artifacts"), ExportJob(kTrain, kTrain));
  attempt.store_error = absl::ResourceExhaustedError("disk full");
  EXPECT_EQ(executor->Execute(attempt).failure().code(), v1::Failure::LOCAL_RESOURCES);
  EXPECT_EQ(FilesAtWork(), 0);
}

}  // namespace
}  // namespace squish
