#include "jetson-agent/engine/contract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace squish {
namespace {

using ::testing::HasSubstr;

template <typename T>
T Parsed(absl::StatusOr<EngineReply> reply) {
  EXPECT_TRUE(reply.ok()) << reply.status();
  return std::get<T>(*reply);
}

TEST(ContractTest, RequestsSurviveTheWire) {
  const LoadRequest load{.id = "candidate",
                         .path = "/tmp/a \"b\" ü.safetensors",
                         .batch = 4,
                         .input_size = 64,
                         .threads = 2};
  const auto loaded = std::get<LoadRequest>(ParseRequest(ToLine(load)).value());
  EXPECT_EQ(loaded.id, load.id);
  EXPECT_EQ(loaded.path, load.path);
  EXPECT_EQ(loaded.batch, 4);
  EXPECT_EQ(loaded.input_size, 64);
  EXPECT_EQ(loaded.threads, 2);
  const auto run = std::get<RunRequest>(ParseRequest(ToLine(RunRequest{"a", 123})).value());
  EXPECT_EQ(run.id, "a");
  EXPECT_EQ(run.calls, 123);
  const auto profile =
      std::get<ProfileRequest>(ParseRequest(ToLine(ProfileRequest{"a", 20})).value());
  EXPECT_EQ(profile.id, "a");
  EXPECT_EQ(profile.calls, 20);
  EXPECT_EQ(std::get<UnloadRequest>(ParseRequest(ToLine(UnloadRequest{"b"})).value()).id, "b");
}

TEST(ContractTest, OptionalFieldsOfLoadSurviveTheWire) {
  const LoadRequest load{.id = "a",
                         .path = "/x",
                         .batch = 1,
                         .input_size = 64,
                         .threads = 1,
                         .onnx = "/x.onnx",
                         .probe = "/probe",
                         .build = 2};
  const auto read = std::get<LoadRequest>(ParseRequest(ToLine(load)).value());
  EXPECT_EQ(read.onnx, "/x.onnx");
  EXPECT_EQ(read.probe, "/probe");
  EXPECT_EQ(read.build, 2);
  const auto plain = std::get<LoadRequest>(
      ParseRequest(R"({"load":{"id":"a","path":"x","batch":1,"input_size":64,"threads":1}})")
          .value());
  EXPECT_TRUE(plain.onnx.empty() && plain.probe.empty());
  EXPECT_EQ(plain.build, 1);
  EXPECT_EQ(std::get<OutputsRequest>(ParseRequest(ToLine(OutputsRequest{"a"})).value()).id, "a");
}

TEST(ContractTest, WhatAnEngineCanSurvivesTheWire) {
  EngineReady ready;
  ready.engine = "trtexec";
  ready.precision = "fp16";
  ready.version = "8201";
  const auto plain = Parsed<EngineReady>(ParseReply(ToLine(ready)));
  EXPECT_EQ(plain.format, NetworkFormat::kSafetensors);
  EXPECT_FALSE(plain.outputs || plain.restarts_per_block || plain.builds);
  EXPECT_EQ(plain.load_seconds, 0);
  ready.format = NetworkFormat::kOnnx;
  ready.outputs = ready.restarts_per_block = ready.builds = true;
  ready.load_seconds = 1800;
  const auto read = Parsed<EngineReady>(ParseReply(ToLine(ready)));
  EXPECT_EQ(read.format, NetworkFormat::kOnnx);
  EXPECT_TRUE(read.outputs && read.restarts_per_block && read.builds);
  EXPECT_EQ(read.load_seconds, 1800);
}

TEST(ContractTest, FirstFormatThatIsKnownCounts) {
  const auto format_of = [](const std::string& formats) {
    return Parsed<EngineReady>(
               ParseReply(R"({"ready":{"contract":1,"engine":"t","precision":"fp32","version":"1",)"
                          R"("synthetic":false,"formats":)" + formats + "}}"))
        .format;
  };
  EXPECT_EQ(format_of(R"(["plan","onnx","safetensors"])"), NetworkFormat::kOnnx);
  EXPECT_EQ(format_of(R"(["safetensors","onnx"])"), NetworkFormat::kSafetensors);
}

TEST(ContractTest, OutputsAndLatenciesSurviveTheWire) {
  const auto outputs = Parsed<OutputsReply>(
      ParseReply(ToLine(OutputsReply{"a", {{1, 0.1 / 3}, {std::nan(""), -2}}})));
  ASSERT_EQ(outputs.values.size(), 2u);
  EXPECT_EQ(outputs.values[0], (std::vector<double>{1, 0.1 / 3}));
  EXPECT_TRUE(std::isnan(outputs.values[1][0])) << "null on the wire";
  EXPECT_EQ(outputs.values[1][1], -2);
  const auto block = Parsed<BlockReply>(ParseReply(ToLine(BlockReply{"a", 2, 0.5, {0.1, 0.4}})));
  EXPECT_EQ(block.latencies, (std::vector<double>{0.1, 0.4}));
  const std::string sha(64, 'a');
  EXPECT_EQ(Parsed<Loaded>(ParseReply(ToLine(Loaded{"a", sha}))).engine_sha256, sha);
  BlockReply many{"a", 2000, 0.5, std::vector<double>(1001, 1e-4)};
  EXPECT_FALSE(ParseReply(ToLine(many)).ok()) << "at most 1,000";
}

TEST(ContractTest, AnswersSurviveTheWire) {
  const EngineReady ready{.engine = "torch",
                          .precision = "fp32",
                          .version = "LibTorch 1.13.1",
                          .device_class = "jetson-tx1/l4t-32.7",
                          .synthetic = true};
  const auto read = Parsed<EngineReady>(ParseReply(ToLine(ready)));
  EXPECT_EQ(read.engine, "torch");
  EXPECT_EQ(read.precision, "fp32");
  EXPECT_EQ(read.version, "LibTorch 1.13.1");
  EXPECT_EQ(read.device_class, "jetson-tx1/l4t-32.7");
  EXPECT_TRUE(read.synthetic);
  const auto block = Parsed<BlockReply>(ParseReply(ToLine(BlockReply{"a", 64, 0.1 / 3})));
  EXPECT_EQ(block.images, 64);
  EXPECT_EQ(block.seconds, 0.1 / 3) << "every bit of the time arrives";
  const auto profiled =
      Parsed<Profiled>(ParseReply(ToLine(Profiled{"a", {{"features.0", 0.1 / 3}, {"b", 0}}})));
  EXPECT_EQ(profiled.id, "a");
  ASSERT_EQ(profiled.layers.size(), 2u);
  EXPECT_EQ(profiled.layers[0].layer, "features.0");
  EXPECT_EQ(profiled.layers[0].milliseconds, 0.1 / 3);
  EXPECT_EQ(Parsed<Loaded>(ParseReply(ToLine(Loaded{"a"}))).id, "a");
  EXPECT_EQ(Parsed<Unloaded>(ParseReply(ToLine(Unloaded{"a"}))).id, "a");
  EXPECT_EQ(Parsed<Unsupported>(ParseReply(ToLine(Unsupported{"no"}))).message, "no");
  EXPECT_EQ(Parsed<EngineError>(ParseReply(ToLine(EngineError{"oh"}))).message, "oh");
}

TEST(ContractTest, FieldsThatAreNotKnownAreIgnored) {
  EXPECT_TRUE(ParseReply(R"({"loaded":{"id":"a","plan_seconds":3.5,"more":{"x":[1]}}})").ok());
  EXPECT_TRUE(ParseRequest(R"({"run":{"id":"a","calls":1,"probe":"x"}})").ok());
}

TEST(ContractTest, NonsenseIsRefused) {
  for (const char* line :
       {"", "null", "3", "[]", "{}", "nonsense", "{\"loaded\":3}", "{\"loaded\":{}}",
        R"({"loaded":{"id":3}})", R"({"loaded":{"id":""}})", R"({"finished":{"id":"a"}})",
        R"({"loaded":{"id":"a"},"block":{"id":"a"}})", R"({"loaded":{"id":"a"}}})",
        R"({"loaded":{"id":"a","id":"b"}})", "{\"loaded\":{\"id\":\"\xff\"}}",
        R"({"block":{"id":"a","images":1,"seconds":0}})",
        R"({"block":{"id":"a","images":1,"seconds":-1}})",
        R"({"block":{"id":"a","images":1,"seconds":null}})",
        R"({"block":{"id":"a","images":1,"seconds":NaN}})",
        R"({"block":{"id":"a","images":1,"seconds":1e999}})",
        R"({"block":{"id":"a","images":0,"seconds":1}})",
        R"({"block":{"id":"a","images":1.5,"seconds":1}})",
        R"({"block":{"id":"a","images":-1,"seconds":1}})",
        R"({"block":{"id":"a","images":18446744073709551615,"seconds":1}})",
        R"({"block":{"id":"a","images":1,"seconds":1,"latencies":0.1}})",
        R"({"block":{"id":"a","images":1,"seconds":1,"latencies":[0]}})",
        R"({"block":{"id":"a","images":1,"seconds":1,"latencies":["1"]}})",
        R"({"loaded":{"id":"a","engine_sha256":"abc"}})",
        R"({"outputs":{"id":"a"}})", R"({"outputs":{"values":[]}})",
        R"({"outputs":{"id":"a","values":[1]}})", R"({"outputs":{"id":"a","values":[["1"]]}})",
        R"({"ready":{"contract":1,"engine":"t","precision":"fp32","version":"1","synthetic":false,"formats":"onnx"}})",
        R"({"ready":{"contract":1,"engine":"t","precision":"fp32","version":"1","synthetic":false,"formats":["plan"]}})",
        R"({"ready":{"contract":1,"engine":"t","precision":"fp32","version":"1","synthetic":false,"builds":1}})",
        R"({"ready":{"contract":1,"engine":"t","precision":"fp32","version":"1","synthetic":false,"load_seconds":7201}})",
        R"({"profiled":{"id":"a"}})", R"({"profiled":{"id":"a","layers":{}}})",
        R"({"profiled":{"id":"a","layers":[1]}})",
        R"({"profiled":{"id":"a","layers":[{"layer":"x"}]}})",
        R"({"profiled":{"id":"a","layers":[{"layer":"x","milliseconds":-1}]}})",
        R"({"profiled":{"id":"a","layers":[{"layer":"x","milliseconds":"1"}]}})",
        R"({"profiled":{"id":"a","layers":[{"layer":"x","milliseconds":1e999}]}})",
        R"({"profiled":{"id":"a","layers":[{"layer":"","milliseconds":1}]}})",
        R"({"block":{"id":"a","images":1}})", R"({"error":{}})", R"({"unsupported":{"message":1}})",
        R"({"ready":{"contract":1,"engine":"Torch!","precision":"fp32","version":"","synthetic":false}})",
        R"({"ready":{"contract":1,"engine":"t","precision":"fp32","version":"1","synthetic":"no"}})",
        R"({"ready":{"contract":2,"engine":"t","precision":"fp32","version":"1","synthetic":false}})"}) {
    EXPECT_FALSE(ParseReply(line).ok()) << line;
  }
  for (const char* line :
       {"", "{}", R"({"start":{"id":"a"}})", R"({"run":{"id":"a"}})",
        R"({"run":{"id":"a","calls":0}})", R"({"run":{"id":"a","calls":-1}})",
        R"({"run":{"id":"a","calls":1e3}})", R"({"profile":{"id":"a"}})",
        R"({"profile":{"id":"a","calls":0}})", R"({"unload":{}})", R"({"load":{"id":"a"}})",
        R"({"outputs":{}})",
        R"({"load":{"id":"a","path":"x","batch":1,"input_size":64,"threads":1,"onnx":3}})",
        R"({"load":{"id":"a","path":"x","batch":1,"input_size":64,"threads":1,"build":0}})",
        R"({"load":{"id":"a","path":"x","batch":1,"input_size":64,"threads":1,"build":17}})",
        R"({"load":{"id":"a","path":"x","batch":0,"input_size":64,"threads":1}})",
        R"({"load":{"id":"a","path":"x","batch":1,"input_size":0,"threads":1}})",
        R"({"load":{"id":"a","path":"x","batch":1,"input_size":64,"threads":0}})",
        R"({"load":{"id":"a","path":"x","batch":1,"input_size":9000,"threads":1}})"}) {
    EXPECT_FALSE(ParseRequest(line).ok()) << line;
  }
}

TEST(ContractTest, OtherVersionOfTheContractIsNamed) {
  EXPECT_THAT(
      ParseReply(
          R"({"ready":{"contract":2,"engine":"t","precision":"fp32","version":"1","synthetic":false}})")
          .status()
          .ToString(),
      HasSubstr("another version of the contract"));
}

TEST(ContractTest, LongMessagesAreCutBetweenCharacters) {
  std::string message = "x";
  for (int i = 0; i < 3000; ++i) message += "ü";
  const std::string cut = Parsed<EngineError>(ParseReply(ToLine(EngineError{message}))).message;
  EXPECT_EQ(cut.size(), 2047);
  EXPECT_EQ(message.substr(0, cut.size()), cut);
}

TEST(ContractTest, MessagesOfForeignBytesStillMakeALine) {
  EXPECT_TRUE(ParseReply(ToLine(EngineError{"\xff\xfe\n\x01"})).ok());
}

}  // namespace
}  // namespace squish
