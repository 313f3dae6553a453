// What docs/engines.md asks of an engine, of every engine that comes with Squish and of the
// smallest one that stands there.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <ostream>
#include <set>
#include <string>
#include <thread>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/await.h"
#include "common/export/difference.h"
#include "common/export/onnx_model.h"
#include "jetson-agent/engine/client.h"
#include "tests/support/checkout.h"
#include "tests/support/random_genome.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/engine/stand_ins.h"
#include "tests/unit/engine/test_networks.h"

namespace squish {
namespace {

constexpr int kSide = 64;
constexpr int kClasses = 10;
constexpr absl::Duration kPatience = absl::Seconds(60);

// The program below the heading of docs/engines.md.
std::string WriteSmallestEngine(const std::string& folder) {
  const std::string page = ReadFile(SourcePath("docs/engines.md")).value();
  std::string program;
  for (absl::string_view line :
       absl::StrSplit(page.substr(page.find("## The smallest engine")), '\n')) {
    if (absl::ConsumePrefix(&line, "    ") || line.empty()) absl::StrAppend(&program, line, "\n");
  }
  program.erase(0, program.find("#!"));
  const std::string path = JoinPath(folder, "sleepy");
  EXPECT_TRUE(WriteFileDurably(path, program).ok());
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

// A network in every form in which an engine of ours wants it, and pictures for it.
struct Inputs {
  const std::string folder = TemporaryFolder();
  // Biases that are not 0, so that its outputs follow from the pictures.
  const Network network = RandomNetwork(*SqueezeNetV11(kClasses, 0.1), 7);
  const TestNetwork file = WriteNetwork(folder, network);
  const std::string probe = WriteProbe(folder, RandomPictures(8, 3, kSide));

  std::string Onnx(int batch) const {
    const std::string path = JoinPath(folder, absl::StrCat("batch", batch, ".onnx"));
    const auto model = ToOnnx(network, {.input_size = kSide, .batch = batch});
    EXPECT_TRUE(WriteFileDurably(path, model.value().SerializeAsString()).ok());
    return path;
  }

  LoadRequest Load(const std::string& id, int batch, const std::string& onnx) const {
    return {.id = id,
            .path = file.path,
            .batch = batch,
            .input_size = kSide,
            .threads = 1,
            .onnx = onnx,
            .probe = probe};
  }
};

struct Subject {
  const char* name;
  std::vector<std::string> (*command)(const Inputs&);
  bool reads_files = true;
};

std::vector<std::string> Replay(const Inputs& inputs) {
  const std::string csv = JoinPath(inputs.folder, "speeds.csv");
  EXPECT_TRUE(WriteFileDurably(csv, absl::StrCat("architecture_digest,images_per_second\n",
                                                 inputs.file.architecture, ",250\n"))
                  .ok());
  return {ProgramPath("jetson-agent"), "engine", "replay", csv};
}

std::vector<std::string> Trtexec(const Inputs& inputs) {
  return {ProgramPath("jetson-agent"),
          "engine",
          "trtexec",
          "--trtexec",
          WriteStandInTrtexec(inputs.folder, "8.2", "none"),
          "--cache",
          JoinPath(inputs.folder, "cache")};
}

std::vector<std::string> OpenCv(const Inputs&) { return {ProgramPath("squish-engine-opencv")}; }

#if SQUISH_WITH_TORCH
std::vector<std::string> Torch(const Inputs&) { return {ProgramPath("squish-engine-torch")}; }
#endif

const Subject kSubjects[] = {
    {"simulated",
     [](const Inputs&) -> std::vector<std::string> {
       return {ProgramPath("jetson-agent"), "engine", "simulated"};
     }},
    {"replay", &Replay},
    {"trtexec", &Trtexec},
    {"opencv", &OpenCv},
#if SQUISH_WITH_TORCH
    {"torch", &Torch},
#endif
    {"smallest",
     [](const Inputs& inputs) -> std::vector<std::string> {
       return {WriteSmallestEngine(inputs.folder)};
     },
     false},
};

EngineOptions OptionsOf(const Subject& subject, const Inputs& inputs) {
  EngineOptions options;
  options.child.command = subject.command(inputs);
  options.child.environment = InheritedEnvironment();
  options.silence_limit = kPatience;
  return options;
}

class EngineConformanceTest : public ::testing::TestWithParam<Subject> {
 protected:
  ~EngineConformanceTest() override { std::filesystem::remove_all(inputs_.folder); }

  std::unique_ptr<EngineClient> Start() const {
    auto engine = EngineClient::Spawn(OptionsOf(GetParam(), inputs_)).value();
    const absl::Status ready = engine->AwaitReady();
    EXPECT_TRUE(ready.ok()) << ready;
    return engine;
  }

  // Of the forms that a job would bring to this engine.
  LoadRequest Load(const EngineClient& engine, const std::string& id, int batch) const {
    if (engine.info().format == NetworkFormat::kSafetensors) return inputs_.Load(id, batch, "");
    if (engine.info().engine != "trtexec") return inputs_.Load(id, batch, inputs_.Onnx(batch));
    return inputs_.Load(
        id, batch,
        WriteStandInOnnx(inputs_.folder, absl::StrCat("batch=", batch, " side=", kSide,
                                                      " classes=", kClasses, " ms=0.1")));
  }

  const Inputs inputs_{};
};

TEST_P(EngineConformanceTest, SaysWhoItIs) {
  const auto engine = Start();
  EXPECT_FALSE(engine->info().engine.empty());
  EXPECT_FALSE(engine->info().precision.empty());
  EXPECT_FALSE(engine->info().version.empty());
}

TEST_P(EngineConformanceTest, RunsTwoNetworksAsOftenAsItIsAskedTo) {
  const auto engine = Start();
  ASSERT_TRUE(engine->Load(Load(*engine, "candidate", 2)).ok());
  ASSERT_TRUE(engine->Load(Load(*engine, "ancestor", 2)).ok());
  for (const char* id : {"ancestor", "candidate", "candidate", "ancestor"}) {
    const auto block = engine->Run(id, 5);
    ASSERT_TRUE(block.ok()) << block.status();
    EXPECT_EQ(block->images, 10);
    EXPECT_GT(block->seconds, 0);
  }
  EXPECT_TRUE(engine->Unload("ancestor").ok());
  EXPECT_TRUE(engine->Run("candidate", 1).ok()) << "each is on its own";
  EXPECT_TRUE(engine->Unload("candidate").ok());
  ASSERT_TRUE(engine->Load(Load(*engine, "candidate", 1)).ok()) << "the next measurement's";
  EXPECT_TRUE(engine->Run("candidate", 1).ok());
}

TEST_P(EngineConformanceTest, NetworkThatIsNotLoadedDoesNotRun) {
  const auto engine = Start();
  EXPECT_FALSE(engine->Run("nobody", 1).ok());
}

TEST_P(EngineConformanceTest, FileThatIsMissingIsAnErrorAndTheEngineGoesOn) {
  if (!GetParam().reads_files) return;
  const auto engine = Start();
  LoadRequest load = Load(*engine, "a", 1);
  (load.onnx.empty() ? load.path : load.onnx) = "/nonexistent/network";
  const absl::Status status = engine->Load(load);
  EXPECT_TRUE(absl::IsInternal(status)) << status;
  EXPECT_TRUE(engine->Load(Load(*engine, "a", 1)).ok());
  EXPECT_TRUE(engine->Run("a", 1).ok());
}

TEST_P(EngineConformanceTest, OutputsDoNotDependOnTheBatch) {
  const auto engine = Start();
  ASSERT_TRUE(engine->Load(Load(*engine, "one", 1)).ok());
  ASSERT_TRUE(engine->Load(Load(*engine, "three", 3)).ok());
  const auto one = engine->Outputs("one"), three = engine->Outputs("three");
  if (!engine->info().outputs) {
    EXPECT_TRUE(absl::IsUnimplemented(one.status())) << one.status();
    return;
  }
  ASSERT_TRUE(one.ok() && three.ok()) << one.status() << three.status();
  ASSERT_EQ(one->size(), 8u);
  ASSERT_EQ(three->size(), 8u);
  for (size_t i = 0; i < one->size(); ++i) {
    ASSERT_EQ((*one)[i].size(), static_cast<size_t>(kClasses));
    ASSERT_EQ((*three)[i].size(), static_cast<size_t>(kClasses));
    for (int c = 0; c < kClasses; ++c) {
      EXPECT_NEAR((*one)[i][c], (*three)[i][c], 1e-4 * std::max(1.0, std::abs((*one)[i][c])));
    }
  }
  EXPECT_NE((*one)[0], (*one)[1]) << "they are of the pictures";
}

TEST_P(EngineConformanceTest, ProfileIsOfEveryConvolutionOrRefused) {
  const auto engine = Start();
  ASSERT_TRUE(engine->Load(Load(*engine, "a", 1)).ok());
  const auto profile = engine->Profile("a", 3);
  if (absl::IsUnimplemented(profile.status())) return;
  ASSERT_TRUE(profile.ok()) << profile.status();
  std::set<std::string> timed, layers;
  for (const LayerMilliseconds& time : *profile) {
    EXPECT_TRUE(timed.insert(time.layer).second) << time.layer << " is there twice";
    EXPECT_GE(time.milliseconds, 0);
  }
  for (const Layer& layer : inputs_.network.genome.layers()) {
    layers.insert(layer.name);
    if (std::holds_alternative<Conv2d>(layer.operation)) {
      EXPECT_EQ(timed.count(layer.name), 1u) << layer.name << " is missing";
    }
  }
  for (const std::string& name : timed) EXPECT_EQ(layers.count(name), 1u) << name;
}

TEST_P(EngineConformanceTest, LatenciesAreOfTheBlock) {
  const auto engine = Start();
  ASSERT_TRUE(engine->Load(Load(*engine, "a", 1)).ok());
  const Block block = engine->Run("a", 4).value();
  double sum = 0;
  for (const double latency : block.latencies) sum += latency;
  EXPECT_LE(sum, block.seconds * 1.01);
}

TEST_P(EngineConformanceTest, EndsWithItsInput) {
  const auto child = Child::Spawn(OptionsOf(GetParam(), inputs_).child).value();
  ASSERT_TRUE(child->ReadLine(kPatience).ok());
  // Were it to stay, this would wait for ever. One with children ends its group, itself too.
  EXPECT_THAT(child->CloseAndWait(absl::InfiniteDuration()),
              ::testing::AnyOf("exit status 0", "signal 9 (Killed)"));
}

void PrintTo(const Subject& subject, std::ostream* os) { *os << subject.name; }

INSTANTIATE_TEST_SUITE_P(Engines, EngineConformanceTest, ::testing::ValuesIn(kSubjects),
                         [](const auto& info) { return std::string(info.param.name); });

// --- What only some of them do -----------------------------------------------------

#if SQUISH_WITH_TORCH
TEST(EnginesTest, TorchAndOpenCvGiveTheSameOutputs) {
  const Inputs inputs;
  std::vector<float> outputs[2];
  const Subject subjects[] = {{"torch", &Torch}, {"opencv", &OpenCv}};
  for (int i = 0; i < 2; ++i) {
    const auto engine = EngineClient::Spawn(OptionsOf(subjects[i], inputs)).value();
    ASSERT_TRUE(engine->AwaitReady().ok());
    ASSERT_TRUE(engine->Load(inputs.Load("a", 2, inputs.Onnx(2))).ok());
    const auto rows = engine->Outputs("a").value();
    for (const auto& row : rows) outputs[i].insert(outputs[i].end(), row.begin(), row.end());
  }
  EXPECT_EQ(outputs[0].size(), 80u);
  EXPECT_LT(LargestDifference(outputs[1], outputs[0]), 1e-4);
}
#endif

TEST(OpenCvEngineTest, SaysWhatIsWrong) {
  const Inputs inputs;
  const auto engine = EngineClient::Spawn(OptionsOf({"opencv", &OpenCv}, inputs)).value();
  ASSERT_TRUE(engine->AwaitReady().ok());
  EXPECT_TRUE(absl::IsInternal(engine->Load(inputs.Load("a", 1, ""))));
  const std::string bad = JoinPath(inputs.folder, "bad.onnx");
  ASSERT_TRUE(WriteFileDurably(bad, "not a model").ok());
  const absl::Status unread = engine->Load(inputs.Load("a", 1, bad));
  EXPECT_TRUE(absl::IsInternal(unread)) << "a broken file says nothing of the network: " << unread;
  LoadRequest no_probe = inputs.Load("a", 1, inputs.Onnx(1));
  no_probe.probe = bad;
  EXPECT_TRUE(absl::IsInternal(engine->Load(no_probe)));
  no_probe.probe = "";
  ASSERT_TRUE(engine->Load(no_probe).ok());
  EXPECT_TRUE(engine->Run("a", 1).ok()) << "on pictures of its own";
  EXPECT_TRUE(absl::IsUnimplemented(engine->Outputs("a").status()));
}

TEST(OpenCvEngineTest, OperationThatItDoesNotKnowIsRefused) {
  const Inputs inputs;
  auto model = ToOnnx(inputs.network, {.input_size = kSide, .batch = 1}).value();
  model.mutable_graph()->mutable_node(1)->set_op_type("Fancy");
  const std::string path = JoinPath(inputs.folder, "fancy.onnx");
  ASSERT_TRUE(WriteFileDurably(path, model.SerializeAsString()).ok());
  const auto engine = EngineClient::Spawn(OptionsOf({"opencv", &OpenCv}, inputs)).value();
  ASSERT_TRUE(engine->AwaitReady().ok());
  const absl::Status status = engine->Load(inputs.Load("a", 1, path));
  EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
  EXPECT_TRUE(engine->Load(inputs.Load("a", 1, inputs.Onnx(1))).ok()) << "and it goes on";
}

// An engine whose tool hangs in the first block.
class HangingTrtexecTest : public ::testing::Test {
 protected:
  HangingTrtexecTest() : options_(OptionsOf({"trtexec", &Trtexec}, inputs_)) {
    options_.child.command[4] = WriteStandInTrtexec(inputs_.folder, "8.2", "hang");
  }
  ~HangingTrtexecTest() override { std::filesystem::remove_all(inputs_.folder); }

  LoadRequest Load() const {
    return inputs_.Load(
        "a", 1, WriteStandInOnnx(inputs_.folder, "batch=1 side=64 classes=10 ms=1"));
  }

  // The tool holds a lock on this file once it hangs.
  void AwaitHang() const {
    EXPECT_TRUE(AwaitCondition(kPatience, [this] { return std::filesystem::exists(alive_); }));
  }

  // Would wait for ever, were the tool to stay.
  void AwaitEnd() const {
    const int file = ::open(alive_.c_str(), O_RDONLY);
    EXPECT_EQ(::flock(file, LOCK_EX), 0);
    ::close(file);
  }

  const Inputs inputs_;
  const std::string alive_ = JoinPath(inputs_.folder, "alive");
  EngineOptions options_;
};

TEST_F(HangingTrtexecTest, ToolEndsWithItsEngine) {
  const auto engine = EngineClient::Spawn(options_).value();
  ASSERT_TRUE(engine->AwaitReady().ok());
  ASSERT_TRUE(engine->Load(Load()).ok());
  std::thread running([&] { EXPECT_TRUE(absl::IsAborted(engine->Run("a", 1).status())); });
  AwaitHang();
  engine->Kill();
  running.join();
  AwaitEnd();
}

TEST_F(HangingTrtexecTest, ToolEndsWithItsAgent) {
  const auto engine = Child::Spawn(options_.child).value();
  ASSERT_TRUE(engine->ReadLine(kPatience).ok());
  ASSERT_TRUE(engine->WriteLine(ToLine(Load())).ok());
  ASSERT_TRUE(engine->WriteLine(ToLine(RunRequest{"a", 1})).ok());
  AwaitHang();
  // As the kernel does for an agent that is killed: the engine's input is closed.
  EXPECT_EQ(engine->CloseAndWait(absl::InfiniteDuration()), "signal 9 (Killed)");
  AwaitEnd();
}

}  // namespace
}  // namespace squish
