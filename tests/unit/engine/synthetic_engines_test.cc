// The engines `replay` and `simulated`, and the loop that speaks for them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/genome/ancestors.h"
#include "jetson-agent/engine/replay_engine.h"
#include "jetson-agent/engine/server.h"
#include "jetson-agent/engine/simulated_engine.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/engine/test_networks.h"

namespace squish {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kHeader = "architecture_digest,images_per_second\n";
const std::string kDigestA(64, 'a');
const std::string kDigestB(64, 'b');

std::vector<EngineReply> Converse(Engine& engine, const std::vector<EngineRequest>& requests) {
  std::stringstream in, out;
  for (const EngineRequest& request : requests) in << ToLine(request) << "\n";
  Serve(engine, in, out);
  std::vector<EngineReply> replies;
  for (const auto line : absl::StrSplit(out.str(), '\n', absl::SkipEmpty())) {
    replies.push_back(ParseReply(line).value());
  }
  return replies;
}

LoadRequest LoadOf(const TestNetwork& network, int batch = 1, int input_size = 64) {
  return {.id = "a", .path = network.path, .batch = batch, .input_size = input_size, .threads = 1};
}

TEST(ServeTest, RequestsOutOfPlaceAreAnsweredAndDoNoHarm) {
  SimulatedEngine engine;
  std::stringstream in, out;
  in << "nonsense\n{\"run\":{\"id\":\"a\",\"calls\":1}}\n{\"unload\":{\"id\":\"a\"}}\n\n";
  Serve(engine, in, out);
  const std::vector<std::string> lines = absl::StrSplit(out.str(), '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_TRUE(std::holds_alternative<EngineReady>(ParseReply(lines[0]).value()));
  for (int i = 1; i < 5; ++i) {
    EXPECT_TRUE(std::holds_alternative<EngineError>(ParseReply(lines[i]).value())) << lines[i];
  }
  EXPECT_THAT(lines[2], HasSubstr("no network is loaded"));
}

TEST(ServeTest, UnloadedNetworkDoesNotRun) {
  const TestNetwork network = WriteNetwork(TemporaryFolder(), 0.1);
  SimulatedEngine engine;
  const auto replies = Converse(
      engine, {LoadOf(network), RunRequest{"a", 1}, UnloadRequest{"a"}, RunRequest{"a", 1}});
  ASSERT_EQ(replies.size(), 5u);
  EXPECT_TRUE(std::holds_alternative<BlockReply>(replies[2]));
  EXPECT_TRUE(std::holds_alternative<Unloaded>(replies[3]));
  EXPECT_TRUE(std::holds_alternative<EngineError>(replies[4]));
}

// What a network larger than memory does to an engine that allocates.
class EngineWithoutMemory : public SimulatedEngine {
 public:
  absl::StatusOr<std::unique_ptr<LoadedNetwork>> Load(const LoadRequest&) override {
    throw std::bad_alloc();
  }
};

TEST(ServeTest, NetworkLargerThanMemoryIsAnErrorAndTheEngineGoesOn) {
  const TestNetwork network = WriteNetwork(TemporaryFolder(), 0.1);
  EngineWithoutMemory engine;
  const auto replies = Converse(engine, {LoadOf(network), UnloadRequest{"a"}});
  ASSERT_EQ(replies.size(), 3u);
  ASSERT_TRUE(std::holds_alternative<EngineError>(replies[1])) << "it is not UNSUPPORTED";
  EXPECT_THAT(std::get<EngineError>(replies[1]).message, HasSubstr("not enough memory"));
  EXPECT_TRUE(std::holds_alternative<EngineError>(replies[2])) << "nothing was loaded";
}

TEST(ServeTest, SyntheticEnginesGiveNoOutputs) {
  const TestNetwork network = WriteNetwork(TemporaryFolder(), 0.1);
  SimulatedEngine engine;
  const auto replies =
      Converse(engine, {LoadOf(network), OutputsRequest{"a"}, OutputsRequest{"b"}});
  ASSERT_EQ(replies.size(), 4u);
  EXPECT_TRUE(std::holds_alternative<Unsupported>(replies[2]));
  EXPECT_TRUE(std::holds_alternative<EngineError>(replies[3]));
}

TEST(ReplayTest, RecordIsRead) {
  const auto record = ParseRecord(
      absl::StrCat(kHeader, kDigestA, ",123.5\r\n\n", kDigestB, ",7\n", kDigestA, ",9\n"));
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->size(), 2u);
  EXPECT_EQ(record->at(kDigestA), 123.5) << "the first line of a digest counts";
  EXPECT_EQ(record->at(kDigestB), 7);
}

TEST(ReplayTest, BadRecordsNameTheLine) {
  for (const std::string& bad :
       {std::string("abc,1"), absl::StrCat(kDigestA, ",0"), absl::StrCat(kDigestA, ",-1"),
        absl::StrCat(kDigestA, ",nan"), absl::StrCat(kDigestA, ",inf"), absl::StrCat(kDigestA, ","),
        kDigestA, absl::StrCat(kDigestA, ",1,2"), absl::StrCat(std::string(64, 'A'), ",1"),
        absl::StrCat(kDigestA, ",1e999")}) {
    const auto record = ParseRecord(absl::StrCat(kHeader, kDigestB, ",1\n", bad, "\n"));
    EXPECT_EQ(record.status().code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(record.status().ToString(), HasSubstr("line 3")) << bad;
  }
  for (const std::string& bad : {std::string(), std::string("digest,speed\n"), kDigestA + ",1\n"}) {
    EXPECT_THAT(ParseRecord(bad).status().ToString(), HasSubstr("line 1"));
  }
}

TEST(ReplayTest, MissingFileIsNamed) {
  EXPECT_THAT(ReplayEngine::Open("/nonexistent/speeds.csv").status().ToString(),
              HasSubstr("/nonexistent/speeds.csv"));
}

class ReplayEngineTest : public ::testing::Test {
 protected:
  ReplayEngineTest() : folder_(TemporaryFolder()), network_(WriteNetwork(folder_, 0.1)) {}

  std::unique_ptr<ReplayEngine> EngineWith(const std::string& lines) {
    path_ = JoinPath(folder_, "speeds.csv");
    EXPECT_TRUE(WriteFileDurably(path_, kHeader + lines).ok());
    return ReplayEngine::Open(path_).value();
  }

  const std::string folder_;
  const TestNetwork network_;
  std::string path_;
};

TEST_F(ReplayEngineTest, AnswersWithTheRecordedSpeed) {
  const auto engine = EngineWith(network_.architecture + ",312.5\n");
  const auto replies = Converse(*engine, {LoadOf(network_, 4), RunRequest{"a", 1000}});
  ASSERT_EQ(replies.size(), 3u);
  const auto ready = std::get<EngineReady>(replies[0]);
  EXPECT_EQ(ready.engine, "replay");
  EXPECT_TRUE(ready.synthetic);
  const auto block = std::get<BlockReply>(replies[2]);
  EXPECT_EQ(block.images, 4000);
  EXPECT_NEAR(block.images / block.seconds, 312.5, 1e-9);
}

TEST_F(ReplayEngineTest, UnknownArchitectureIsAnErrorThatNamesDigestAndFile) {
  const auto engine = EngineWith(kDigestA + ",1\n");
  const auto replies = Converse(*engine, {LoadOf(network_)});
  ASSERT_TRUE(std::holds_alternative<EngineError>(replies[1])) << "it is not UNSUPPORTED";
  EXPECT_THAT(std::get<EngineError>(replies[1]).message,
              AllOf(HasSubstr(network_.architecture), HasSubstr(path_)));
}

TEST_F(ReplayEngineTest, FileThatIsNoNetworkIsAnError) {
  const auto engine = EngineWith("");
  const TestNetwork not_a_network{.path = path_, .artifact = "", .architecture = ""};
  const auto replies = Converse(*engine, {LoadOf(not_a_network)});
  ASSERT_TRUE(std::holds_alternative<EngineError>(replies[1]));
  EXPECT_THAT(std::get<EngineError>(replies[1]).message, HasSubstr(path_));
}

TEST(SimulatedTest, OneConvolutionCostsWhatTheFormulaSays) {
  std::vector<Layer> layers;
  layers.push_back({"data", {}, Input{3}});
  layers.push_back({"conv", {0}, Conv2d{3, 1, 1, {0, 1, 2, 3, 4, 5, 6, 7}}});
  layers.push_back({"relu", {1}, Relu{}});
  layers.push_back({"pool", {2}, GlobalAveragePool{}});
  const Genome genome = Genome::Create(layers).value();
  SimulatedDevice device;
  device.peak_flops = 1e9;
  device.efficiency = 0.25;
  device.bandwidth = 1e18;  // Compute-bound.
  device.copy_bandwidth = 1e6;
  device.launch_seconds = 1e-3;
  const double conv = 2.0 * 3 * 9 * 8 * 100 * 2 / (1e9 * 0.25) + 1e-3;
  const double pool = 8.0 * 100 * 2 / (1e9 * 0.25) + 1e-3;
  const double copies = 4.0 * 2 * (3 * 100 + 8) / 1e6;
  EXPECT_NEAR(SimulateCall(device, genome, 10, 2)->seconds, conv + pool + copies, 1e-12);

  device.peak_flops = 1e18;
  device.bandwidth = 1e6;  // Bound by memory.
  const double conv_bytes = 4.0 * (2 * (300 + 800) + 8 * (27 + 1));
  const double pool_bytes = 4.0 * 2 * (800 + 8);
  EXPECT_NEAR(SimulateCall(device, genome, 10, 2)->seconds,
              (conv_bytes + pool_bytes) / 1e6 + 2e-3 + copies, 1e-12);
}

// Measured by others on a TX1 (JetPack 2.3, GPU at 998 MHz), unmodified v1.1, images/s at
// batches of 2, 4, 8, 16.
struct Published {
  absl::string_view stack;
  double at_2, at_4, at_8, at_16;
};
constexpr Published kPublished[] = {
    {"tensorrt-fp32", 243, 261, 273, 278},
    {"tensorrt-fp16", 370, 444, 504, 530},
    {"caffe-fp32", 78.8, 104, 123, 130},
};

TEST(SimulatedTest, FittedToBatches2And16ItPredicts4And8) {
  const Genome genome = SqueezeNetV11(1000, 1).value();
  ASSERT_EQ(std::size(kPublished), std::size(kSimulatedStacks));
  for (size_t i = 0; i < std::size(kPublished); ++i) {
    const Published& published = kPublished[i];
    SCOPED_TRACE(std::string(published.stack));
    ASSERT_EQ(kSimulatedStacks[i].name, published.stack);
    const SimulatedDevice device = FitDevice(kSimulatedStacks[i]);
    EXPECT_GT(device.efficiency, 0.1);
    EXPECT_LT(device.efficiency, 0.6);
    EXPECT_GT(device.launch_seconds, 10e-6);
    EXPECT_LT(device.launch_seconds, 1e-3);
    const auto ratio = [&](int batch, double images_per_second) {
      return batch / SimulateCall(device, genome, 224, batch)->seconds / images_per_second;
    };
    EXPECT_NEAR(ratio(2, published.at_2), 1, 1e-6);
    EXPECT_NEAR(ratio(16, published.at_16), 1, 1e-6);
    EXPECT_NEAR(ratio(4, published.at_4), 1, 0.04);
    EXPECT_NEAR(ratio(8, published.at_8), 1, 0.04);
  }
}

TEST(SimulatedTest, NarrowerNetworksAndLargerBatchesAreFaster) {
  const SimulatedDevice device = FitDevice(kSimulatedStacks[0]);
  double last = 0;
  for (const double width : {1.0, 0.7, 0.5, 0.3, 0.1}) {
    const double speed = 1 / SimulateCall(device, SqueezeNetV11(10, width).value(), 224, 1)->seconds;
    EXPECT_GT(speed, last) << "width " << width;
    last = speed;
  }
  last = 0;
  const Genome genome = SqueezeNetV11(1000, 1).value();
  for (const int batch : {1, 2, 4, 8, 16}) {
    const double speed = batch / SimulateCall(device, genome, 224, batch)->seconds;
    EXPECT_GT(speed, last) << "batch " << batch;
    last = speed;
  }
}

TEST(SimulatedTest, EngineIsDeterministicLabelledAndRefusesWhatCannotRun) {
  const TestNetwork network = WriteNetwork(TemporaryFolder(), 0.1);
  SimulatedEngine engine;
  const std::vector<EngineRequest> requests = {LoadOf(network), RunRequest{"a", 7},
                                               LoadOf(network, 1, 2)};
  const auto first = Converse(engine, requests);
  const auto second = Converse(engine, requests);
  EXPECT_TRUE(std::get<EngineReady>(first[0]).synthetic);
  EXPECT_EQ(std::get<EngineReady>(first[0]).device_class, "simulated-tx1");
  EXPECT_EQ(std::get<EngineReady>(first[0]).precision, "fp32");
  SimulatedEngine half(kSimulatedStacks[1]);
  EXPECT_EQ(half.Describe().precision, "fp16");
  EXPECT_THAT(half.Describe().version, HasSubstr("tensorrt-fp16"));
  EXPECT_EQ(std::get<BlockReply>(first[2]).seconds, std::get<BlockReply>(second[2]).seconds);
  EXPECT_EQ(std::get<BlockReply>(first[2]).images, 7);
  EXPECT_TRUE(std::holds_alternative<Unsupported>(first[3])) << "two pixels are too few";
}

}  // namespace
}  // namespace squish
