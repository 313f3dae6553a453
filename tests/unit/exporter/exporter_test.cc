#include "worker/exporter/answer.h"

#include <google/protobuf/util/json_util.h>

#include <filesystem>
#include <utility>

#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/export/difference.h"
#include "common/genome/ancestors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/random_genome.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/torch_reference.h"
#include "worker/exporter/opencv_network.h"

namespace squish {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ExporterTest : public testing::Test {
 protected:
  ExporterTest() {
    PrepareOpenCvProcess();
    EXPECT_TRUE(MakeFolder(Path("out")).ok());
  }

  std::string Path(absl::string_view name) const { return JoinPath(folder_, name); }

  void Put(const Network& network, const std::vector<ReferenceOutputs>& reference) {
    EXPECT_TRUE(WriteFileDurably(Path("network"), network.ToSafetensors()).ok());
    EXPECT_TRUE(WriteFileDurably(Path("reference"), ReferenceToSafetensors(reference)).ok());
  }

  static Network Example(int input_size = 65) {
    Network network = RandomNetwork(*SqueezeNetV11(4, 0.2), 7);
    network.preprocessing.set_input_size(input_size);
    return network;
  }

  static std::vector<ReferenceOutputs> Reference(const Network& network) {
    std::vector<ReferenceOutputs> reference;
    for (const int size : ReferenceSizes(network.preprocessing.input_size())) {
      reference.push_back(TorchReference(network, size, 8, size));
    }
    return reference;
  }

  v1::ExporterRequest Request(std::vector<int> batches = {}) const {
    v1::ExporterRequest request;
    request.set_network_path(Path("network"));
    request.set_reference_path(Path("reference"));
    request.set_output_folder(Path("out"));
    for (const int batch : batches) request.add_batches(batch);
    return request;
  }

  static absl::StatusOr<v1::ExporterEvent::Done> Run(const v1::ExporterRequest& request) {
    return Export(request, [](double) {});
  }

  void ExpectRefused(const v1::ExporterRequest& request, absl::StatusCode code,
                     const char* message) {
    const auto done = Run(request);
    EXPECT_EQ(done.status().code(), code) << done.status();
    EXPECT_THAT(std::string(done.status().message()), HasSubstr(message));
    EXPECT_TRUE(std::filesystem::is_empty(Path("out"))) << "nothing is left that differs";
  }

  const std::string folder_ = TemporaryFolder();
};

TEST_F(ExporterTest, FilesForEnginesAreOfTheOrdersBatchesAndSizeAlone) {
  const Network network = Example();
  Put(network, {});
  v1::ExporterRequest request = Request({3});
  request.clear_reference_path();
  request.mutable_engine_files()->set_input_size(48);
  for (const int batch : {8, 2, 8}) request.mutable_engine_files()->add_batches(batch);
  const auto done = Run(request);
  ASSERT_TRUE(done.ok()) << done.status();
  ASSERT_EQ(done->files_size(), 2);
  const ReferenceOutputs expected = TorchReference(network, 48, 8, 1);
  for (const int place : {0, 1}) {
    const v1::ExportedFile& file = done->files(place);
    EXPECT_EQ(file.name(), place == 0 ? "model-batch-2.onnx" : "model-batch-8.onnx");
    const auto bytes = ReadFile(JoinPath(Path("out"), file.name()));
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    EXPECT_EQ(file.artifact(), Sha256Hex(*bytes));
    EXPECT_EQ(file.bytes(), static_cast<int64_t>(bytes->size()));
    EXPECT_EQ(file.checked_with(), "");
    auto opencv = OpenCvNetwork::FromOnnx(*bytes);
    ASSERT_TRUE(opencv.ok()) << opencv.status();
    const auto outputs = opencv->Run(expected.pictures, place == 0 ? 2 : 8);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    EXPECT_LE(LargestDifference(*outputs, expected.logits.values), kMaximumDifference);
  }
}

TEST_F(ExporterTest, AnOrderForEnginesThatCannotBeIsRefused) {
  Put(Example(), {});
  v1::ExporterRequest request = Request();
  request.mutable_engine_files()->set_input_size(48);
  request.mutable_engine_files()->add_batches(0);
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "a batch of 0");
  request.mutable_engine_files()->set_batches(0, 1);
  request.mutable_engine_files()->set_input_size(0);
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "");
}

TEST_F(ExporterTest, EveryFileIsWrittenDescribedAndWithinTheBound) {
  const Network network = Example();
  Put(network, Reference(network));
  std::vector<double> fractions;
  const auto done =
      Export(Request({8, 1, 3, 8, 1024}), [&](double fraction) { fractions.push_back(fraction); });
  ASSERT_TRUE(done.ok()) << done.status();
  std::vector<std::string> names;
  for (const v1::ExportedFile& file : done->files()) {
    names.push_back(file.name());
    const auto bytes = ReadFile(JoinPath(Path("out"), file.name()));
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    EXPECT_EQ(file.artifact(), Sha256Hex(*bytes));
    EXPECT_EQ(file.bytes(), static_cast<int64_t>(bytes->size()));
    EXPECT_LE(file.difference(), kMaximumDifference);
    EXPECT_LE(file.difference_at_100(), kMaximumDifference);
    EXPECT_EQ(file.checked_with(), OpenCvName());
    EXPECT_TRUE(OpenCvNetwork::FromOnnx(*bytes).ok());
  }
  EXPECT_THAT(names, ElementsAre("model.onnx", "model-batch-1.onnx", "model-batch-3.onnx",
                                 "model-batch-8.onnx", "model-batch-1024.onnx"));
  EXPECT_THAT(fractions, ElementsAre(0, 0.2, 0.4, 0.6, 0.8, 1));
}

TEST_F(ExporterTest, AnyGenomeIsExported) {
  for (uint64_t seed = 100; seed < 120; ++seed) {
    SCOPED_TRACE(seed);
    const Network network = RandomNetwork(RandomGenome(seed), seed);
    Put(network, Reference(network));
    const auto done = Run(Request({1}));
    ASSERT_TRUE(done.ok()) << done.status();
    EXPECT_EQ(done->files_size(), 2);
  }
}

TEST_F(ExporterTest, TheModelIsForTheNetworksOwnSize) {
  const Network network = Example();
  std::vector<ReferenceOutputs> reference = Reference(network);
  Put(network, reference);
  ASSERT_TRUE(Run(Request()).ok());
  auto opencv = OpenCvNetwork::FromOnnx(*ReadFile(Path("out/model.onnx")));
  ASSERT_TRUE(opencv.ok()) << opencv.status();
  const auto outputs = opencv->Run(reference[0].pictures, 8);
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_LE(LargestDifference(*outputs, reference[0].logits.values), kMaximumDifference);
}

TEST_F(ExporterTest, ANetworkOfAHundredPixelsHasOneDifference) {
  const Network network = Example(100);
  Put(network, Reference(network));
  const auto done = Run(Request());
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->files(0).difference(), done->files(0).difference_at_100());
}

TEST_F(ExporterTest, OutputsThatDifferAtEitherSizeFailWithFileSizeAndDifference) {
  const Network network = Example();
  std::vector<ReferenceOutputs> reference = Reference(network);
  reference[1].logits.values[5] += 1.0f;
  Put(network, reference);
  ExpectRefused(Request({1}), absl::StatusCode::kFailedPrecondition, "model.onnx: its outputs for");
  ExpectRefused(Request({1}), absl::StatusCode::kFailedPrecondition, "pictures of 100×100");
  reference = Reference(network);
  reference[0].logits.values[5] += 1.0f;
  Put(network, reference);
  ExpectRefused(Request({1}), absl::StatusCode::kFailedPrecondition, "pictures of 65×65");
}

TEST_F(ExporterTest, BadRequestsAndFilesAreRefused) {
  const Network network = Example();
  Put(network, Reference(network));
  v1::ExporterRequest request = Request({1});
  request.clear_network_path();
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "no network_path");
  request = Request({1});
  request.clear_reference_path();
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "no reference_path");
  request = Request({1});
  request.clear_output_folder();
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "no output_folder");
  for (const int batch : {0, -1, 1025}) {
    ExpectRefused(Request({1, batch}), absl::StatusCode::kInvalidArgument, "is not 1 to 1024");
  }
  request = Request({1});
  request.set_network_path(Path("nothing"));
  ExpectRefused(request, absl::StatusCode::kNotFound, "nothing");
  request.set_network_path(Path("reference"));
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "not a network file");
  request = Request({1});
  request.set_reference_path(Path("network"));
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "the reference has no input.65");
  request = Request({1});
  request.set_output_folder(Path("nowhere"));
  ExpectRefused(request, absl::StatusCode::kNotFound, "nowhere");
}

TEST_F(ExporterTest, ALineThatIsNoRequestFailsInOneLine) {
  for (const char* line : {"", "{", "[1]", R"({"nonsense": 1})", "\x01\xff", "{}"}) {
    const v1::ExporterEvent event = AnswerLine(line, [](double) {});
    EXPECT_TRUE(event.has_failed()) << line;
    EXPECT_FALSE(event.failed().message().empty());
    EXPECT_EQ(event.failed().message().find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace squish
