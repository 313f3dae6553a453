// The real program, spoken to as a worker daemon does.
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/child/child.h"
#include "common/dataset/prepare.h"
#include "common/genome/ancestors.h"
#include "common/weights/checkpoint.h"
#include "common/weights/network.h"
#include "common/weights/strengths.h"
#include "tests/support/checkout.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/trainer/memory_cache.h"

namespace squish {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr int kSide = 32;

std::unique_ptr<Child> StartTrainer() {
  ChildOptions options;
  options.command = {ProgramPath("squish-trainer")};
  options.environment = InheritedEnvironment();
  auto child = Child::Spawn(options);
  EXPECT_TRUE(child.ok()) << child.status();
  return child.ok() ? *std::move(child) : nullptr;
}

v1::TrainerEvent Next(Child& child) {
  v1::TrainerEvent event;
  const auto line = child.ReadLine(kPatience);
  EXPECT_TRUE(line.ok()) << line.status();
  if (!line.ok()) return event;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(*line, &event).ok()) << *line;
  return event;
}

// Sends a line and reads on to `done` or `failed`; counts the progress in between.
v1::TrainerEvent Ask(Child& child, const std::string& line, int* progress_lines = nullptr) {
  EXPECT_TRUE(child.WriteLine(line).ok());
  v1::TrainerEvent event = Next(child);
  double fraction = 0;
  for (int lines = 0; event.has_progress(); event = Next(child)) {
    EXPECT_GE(event.progress().fraction(), fraction);
    EXPECT_LE(event.progress().fraction(), 1.0);
    fraction = event.progress().fraction();
    if (progress_lines != nullptr) *progress_lines = ++lines;
  }
  return event;
}

std::string Json(const v1::TrainerRequest& request) {
  std::string line;
  EXPECT_TRUE(google::protobuf::util::MessageToJsonString(request, &line).ok());
  return line;
}

class TrainerProcessTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new std::string(TemporaryFolder());
    v1::DecoderRequest decode;
    decode.set_cache_dir(*folder_);
    decode.mutable_dataset()->set_name("shapes");
    decode.mutable_dataset()->set_input_size(kSide);
    decode.mutable_dataset()->set_resize(v1::SQUASH);
    decode.mutable_dataset()->mutable_built_in()->set_seed(1);
    decode.mutable_dataset()->mutable_built_in()->set_train_images(100);
    decode.mutable_dataset()->mutable_built_in()->set_val_images(100);
    const auto done = PrepareDataset(decode, [](double) {});
    ASSERT_TRUE(done.ok()) << done.status();
    data_ = new v1::DecoderEvent::Done(*done);
  }
  static void TearDownTestSuite() {
    delete folder_;
    delete data_;
  }

  v1::TrainerRequest Request(const std::string& output) const {
    const v1::DatasetSummary& summary = data_->summary();
    Genome genome = *SqueezeNetV11(10, 0.25);
    Network network{genome, FreshWeights(genome, 1, 0, 0),
                    {summary.class_names().begin(), summary.class_names().end()}, {}};
    network.preprocessing.set_input_size(kSide);
    *network.preprocessing.mutable_mean() = summary.mean();
    *network.preprocessing.mutable_std() = summary.std();
    v1::TrainerRequest request;
    request.set_network_path(JoinPath(*folder_, "network.safetensors"));
    EXPECT_TRUE(WriteFileDurably(request.network_path(), network.ToSafetensors()).ok());
    request.set_dataset_cache_path(data_->cache_path());
    request.set_output_path(JoinPath(*folder_, output));
    v1::TrainJob& job = *request.mutable_job();
    job.set_dataset_fingerprint(summary.fingerprint());
    *job.mutable_recipe() = StripesRecipe();
    job.set_seed(5);
    job.set_threads(1);
    job.set_device(v1::TrainingSpec::CPU);
    return request;
  }

  v1::TrainerRequest EvaluateRequest(v1::Split split, const std::string& output) const {
    v1::TrainerRequest request = Request(output);
    v1::EvaluateJob& job = *request.mutable_evaluate();
    job.set_dataset_fingerprint(data_->summary().fingerprint());
    job.set_split(split);
    job.set_threads(1);
    job.set_device(v1::TrainingSpec::CPU);
    return request;
  }

  v1::TrainerRequest ExportRequest(const std::string& output) const {
    v1::TrainerRequest request = Request(output);
    request.mutable_export_files()->set_dataset_fingerprint(data_->summary().fingerprint());
    request.set_reference_path(JoinPath(*folder_, output + ".reference"));
    return request;
  }

  static std::string* folder_;
  static v1::DecoderEvent::Done* data_;
};
std::string* TrainerProcessTest::folder_ = nullptr;
v1::DecoderEvent::Done* TrainerProcessTest::data_ = nullptr;

TEST_F(TrainerProcessTest, TwoProcessesTrainToTheSameBytes) {
  std::vector<std::string> artifacts;
  for (const char* output : {"first.safetensors", "second.safetensors"}) {
    const auto child = StartTrainer();
    const v1::TrainerEvent ready = Next(*child);
    ASSERT_TRUE(ready.has_ready());
    EXPECT_FALSE(ready.ready().numerics_class().empty());
    int progress_lines = 0;
    const v1::TrainerEvent event = Ask(*child, Json(Request(output)), &progress_lines);
    ASSERT_TRUE(event.has_done()) << event.DebugString();
    EXPECT_GE(progress_lines, 1);
    const v1::TrainResult& result = event.done();
    EXPECT_EQ(result.outcome(), v1::TrainResult::TRAINED);
    EXPECT_EQ(result.numerics_class(), ready.ready().numerics_class());
    EXPECT_EQ(result.images_seen(), 80);
    EXPECT_GT(result.step_seconds(), 0);
    EXPECT_GE(result.wall_seconds(), result.step_seconds());
    const auto file = ReadFile(JoinPath(*folder_, output));
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(result.artifact(), Sha256Hex(*file));
    const auto network = Network::FromSafetensors(*file);
    ASSERT_TRUE(network.ok()) << network.status();
    EXPECT_EQ(result.weights_digest(), WeightsDigest(network->weights));
    artifacts.push_back(result.artifact());
    EXPECT_EQ(child->CloseAndWait(kPatience), "exit status 0");
  }
  EXPECT_EQ(artifacts[0], artifacts[1]);
}

TEST_F(TrainerProcessTest, TwoProcessesFindTheSameStrengths) {
  std::vector<std::string> files;
  for (const char* output : {"first.strengths", "second.strengths"}) {
    const auto child = StartTrainer();
    ASSERT_TRUE(Next(*child).has_ready());
    v1::TrainerRequest request = Request("strong.safetensors");
    request.mutable_job()->set_strength_images(24);
    request.set_strengths_path(JoinPath(*folder_, output));
    const v1::TrainerEvent event = Ask(*child, Json(request));
    ASSERT_TRUE(event.has_done()) << event.DebugString();
    const auto file = ReadFile(request.strengths_path());
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(event.done().strengths(), Sha256Hex(*file));
    const auto network = Network::FromSafetensors(*ReadFile(request.output_path()));
    ASSERT_TRUE(network.ok()) << network.status();
    const auto strengths = ReadStrengths(*file, network->genome);
    EXPECT_TRUE(strengths.ok()) << strengths.status();
    files.push_back(*file);
  }
  EXPECT_EQ(files[0], files[1]);
}

TEST_F(TrainerProcessTest, StrengthsThatNobodyWantsAreNotWritten) {
  const auto child = StartTrainer();
  ASSERT_TRUE(Next(*child).has_ready());
  v1::TrainerRequest request = Request("weak.safetensors");
  request.set_strengths_path(JoinPath(*folder_, "unwanted.strengths"));
  const v1::TrainerEvent event = Ask(*child, Json(request));
  ASSERT_TRUE(event.has_done()) << event.DebugString();
  EXPECT_EQ(event.done().strengths(), "");
  EXPECT_FALSE(std::filesystem::exists(request.strengths_path()));
}

TEST_F(TrainerProcessTest, AWarmChildRepeatsItself) {
  const auto child = StartTrainer();
  ASSERT_TRUE(Next(*child).has_ready());
  const v1::TrainerEvent first = Ask(*child, Json(Request("a.safetensors")));
  const v1::TrainerEvent second = Ask(*child, Json(Request("b.safetensors")));
  ASSERT_TRUE(first.has_done()) << first.DebugString();
  ASSERT_TRUE(second.has_done()) << second.DebugString();
  EXPECT_EQ(first.done().artifact(), second.done().artifact());
}

TEST_F(TrainerProcessTest, TwoProcessesEvaluateToTheSameBytes) {
  for (const v1::Split split : {v1::SELECTION, v1::VAL}) {
    std::vector<std::string> predictions;
    for (const char* output : {"first.csv", "second.csv"}) {
      const auto child = StartTrainer();
      ASSERT_TRUE(Next(*child).has_ready());
      int progress_lines = 0;
      const v1::TrainerEvent event =
          Ask(*child, Json(EvaluateRequest(split, output)), &progress_lines);
      ASSERT_TRUE(event.has_evaluated()) << event.DebugString();
      EXPECT_GE(progress_lines, 2);
      const v1::EvaluateResult& result = event.evaluated();
      EXPECT_EQ(result.evaluation().images(), split == v1::VAL
                                                  ? data_->summary().val_images()
                                                  : data_->summary().selection_images());
      EXPECT_GT(result.wall_seconds(), 0);
      const auto file = ReadFile(JoinPath(*folder_, output));
      ASSERT_TRUE(file.ok()) << file.status();
      EXPECT_EQ(result.predictions(), Sha256Hex(*file));
      predictions.push_back(*file);
    }
    EXPECT_EQ(predictions[0], predictions[1]);
  }
}

TEST_F(TrainerProcessTest, TwoProcessesExportTheSameBytes) {
  std::vector<std::string> files;
  for (const char* output : {"first.pt", "second.pt"}) {
    const auto child = StartTrainer();
    ASSERT_TRUE(Next(*child).has_ready());
    const v1::TrainerEvent event = Ask(*child, Json(ExportRequest(output)));
    ASSERT_TRUE(event.has_exported()) << event.DebugString();
    const auto file = ReadFile(JoinPath(*folder_, output));
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(event.exported().artifact(), Sha256Hex(*file));
    const auto reference = ReadFile(JoinPath(*folder_, std::string(output) + ".reference"));
    ASSERT_TRUE(reference.ok()) << reference.status();
    files.push_back(*file + *reference);
  }
  EXPECT_EQ(files[0], files[1]);
}

TEST_F(TrainerProcessTest, BadRequestsFailInOneSentenceAndTheChildLivesOn) {
  const auto child = StartTrainer();
  ASSERT_TRUE(Next(*child).has_ready());
  std::vector<std::string> lines = {"", "{", "[1]", R"({"nonsense": 1})", "{}", "\x01\xff"};
  v1::TrainerRequest request = Request("bad.safetensors");
  request.set_network_path("/nowhere/network.safetensors");
  lines.push_back(Json(request));
  request = Request("bad.safetensors");
  request.set_dataset_cache_path(request.network_path());
  lines.push_back(Json(request));
  request = Request("bad.safetensors");
  request.mutable_job()->set_dataset_fingerprint("another");
  lines.push_back(Json(request));
  request = Request("bad.safetensors");
  request.set_teacher_path(request.network_path());
  lines.push_back(Json(request));
  request = Request("bad.safetensors");
  request.mutable_job()->mutable_recipe()->clear_batch();
  lines.push_back(Json(request));
  request = Request("bad.safetensors");
  request.set_output_path("/nowhere/output.safetensors");
  lines.push_back(Json(request));
  request = Request("bad.safetensors");
  request.mutable_job()->set_strength_images(8);
  lines.push_back(Json(request));
  request.set_strengths_path("/nowhere/output.strengths");
  lines.push_back(Json(request));
  lines.push_back(Json(EvaluateRequest(v1::TRAIN, "bad.csv")));
  request = EvaluateRequest(v1::VAL, "bad.csv");
  request.set_output_path("/nowhere/predictions.csv");
  lines.push_back(Json(request));
  request = ExportRequest("bad.pt");
  request.clear_reference_path();
  lines.push_back(Json(request));
  request = ExportRequest("bad.pt");
  request.set_reference_path("/nowhere/reference.safetensors");
  lines.push_back(Json(request));
  request = ExportRequest("bad.pt");
  request.mutable_export_files()->set_dataset_fingerprint("another");
  lines.push_back(Json(request));
  for (const std::string& line : lines) {
    const v1::TrainerEvent event = Ask(*child, line);
    EXPECT_TRUE(event.has_failed()) << line << "\n" << event.DebugString();
    EXPECT_FALSE(event.failed().message().empty());
    EXPECT_EQ(event.failed().message().find('\n'), std::string::npos) << event.DebugString();
  }
  EXPECT_TRUE(Ask(*child, Json(Request("good.safetensors"))).has_done());
}

// Reads on to the end of a child that is asked to end: the last checkpoint that it speaks of.
v1::Checkpoint LastCheckpoint(Child& child) {
  v1::Checkpoint last;
  while (true) {
    const auto line = child.ReadLine(kPatience);
    if (!line.ok()) {
      EXPECT_EQ(line.status().code(), absl::StatusCode::kAborted);
      EXPECT_NE(line.status().message().find("exit status 143"), absl::string_view::npos)
          << line.status();
      return last;
    }
    v1::TrainerEvent event;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(*line, &event).ok()) << *line;
    EXPECT_FALSE(event.has_done()) << "it had been asked to end";
    if (event.has_checkpoint()) last = event.checkpoint();
  }
}

// Long enough that a trainer that says a line for each step has to wait until it is read.
v1::TrainerRequest LongRequest(v1::TrainerRequest request) {
  request.mutable_job()->mutable_recipe()->set_batch(4);
  request.mutable_job()->mutable_recipe()->set_epochs(25);
  return request;
}

TEST_F(TrainerProcessTest, StoppedAndGoneOnWithElsewhereItEndsInTheSameBytes) {
  v1::TrainerRequest request = LongRequest(Request("stopped.safetensors"));
  request.set_checkpoint_path(JoinPath(*folder_, "checkpoint"));
  request.set_checkpoint_seconds(1e-6);
  int64_t step = 0;
  {
    const auto child = StartTrainer();
    ASSERT_TRUE(Next(*child).has_ready());
    ASSERT_TRUE(child->WriteLine(Json(request)).ok());
    v1::TrainerEvent event = Next(*child);
    for (; event.has_progress(); event = Next(*child)) {
    }
    ASSERT_TRUE(event.has_checkpoint()) << event.DebugString();
    child->Terminate();
    // None more when it is still behind the one that was seen.
    step = std::max(event.checkpoint().step(), LastCheckpoint(*child).step());
  }
  EXPECT_FALSE(std::filesystem::exists(request.output_path()));
  const auto state = ReadCheckpoint(*ReadFile(request.checkpoint_path()));
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->step, step);

  const auto child = StartTrainer();
  ASSERT_TRUE(Next(*child).has_ready());
  request.set_resume_path(JoinPath(*folder_, "taken over"));
  std::filesystem::copy(request.checkpoint_path(), request.resume_path());
  request.set_checkpoint_seconds(3600);
  const v1::TrainerEvent resumed = Ask(*child, Json(request));
  ASSERT_TRUE(resumed.has_done()) << resumed.DebugString();
  const v1::TrainerEvent whole = Ask(*child, Json(LongRequest(Request("whole.safetensors"))));
  ASSERT_TRUE(whole.has_done()) << whole.DebugString();
  EXPECT_EQ(resumed.done().artifact(), whole.done().artifact());
  EXPECT_EQ(resumed.done().final_training_loss(), whole.done().final_training_loss());
  EXPECT_EQ(resumed.done().images_seen(), whole.done().images_seen());
}

TEST_F(TrainerProcessTest, AskedToEndItMakesACheckpointThatWasNotDue) {
  v1::TrainerRequest request = LongRequest(Request("ended.safetensors"));
  request.set_checkpoint_path(JoinPath(*folder_, "last checkpoint"));
  request.set_checkpoint_seconds(3600);
  request.mutable_job()->mutable_recipe()->set_epochs(100'000);
  const auto child = StartTrainer();
  ASSERT_TRUE(Next(*child).has_ready());
  ASSERT_TRUE(child->WriteLine(Json(request)).ok());
  ASSERT_TRUE(Next(*child).has_progress());
  child->Terminate();
  EXPECT_GE(LastCheckpoint(*child).step(), 1);
  EXPECT_TRUE(ReadCheckpoint(*ReadFile(request.checkpoint_path())).ok());
}

TEST_F(TrainerProcessTest, WithNothingToSaveItEndsAtOnce) {
  v1::TrainerRequest request = LongRequest(Request("ended.safetensors"));
  request.mutable_job()->mutable_recipe()->set_epochs(100'000);
  for (const bool training : {false, true}) {
    const auto child = StartTrainer();
    ASSERT_TRUE(Next(*child).has_ready());
    if (training) {
      ASSERT_TRUE(child->WriteLine(Json(request)).ok());
      ASSERT_TRUE(Next(*child).has_progress());
    }
    child->Terminate();
    EXPECT_EQ(LastCheckpoint(*child).step(), 0);
  }
}

TEST_F(TrainerProcessTest, ACheckpointThatCannotBeReadOrWrittenEndsNoTraining) {
  const auto child = StartTrainer();
  ASSERT_TRUE(Next(*child).has_ready());
  const v1::TrainerEvent whole = Ask(*child, Json(Request("whole.safetensors")));
  v1::TrainerRequest request = Request("without.safetensors");
  request.set_checkpoint_path("/nowhere/checkpoint");
  request.set_checkpoint_seconds(1e-6);
  request.set_resume_path("/nowhere/earlier");
  const v1::TrainerEvent event = Ask(*child, Json(request));
  ASSERT_TRUE(event.has_done()) << event.DebugString();
  EXPECT_EQ(event.done().artifact(), whole.done().artifact());
}

TEST_F(TrainerProcessTest, EndsWithItsInput) {
  const auto child = StartTrainer();
  ASSERT_TRUE(Next(*child).has_ready());
  EXPECT_EQ(child->CloseAndWait(kPatience), "exit status 0");
}

}  // namespace
}  // namespace squish
