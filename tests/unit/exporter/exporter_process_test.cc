// The real program, spoken to as a worker daemon does.
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/child/child.h"
#include "common/genome/ancestors.h"
#include "squish/v1/trainer.pb.h"
#include "tests/support/checkout.h"
#include "tests/support/random_genome.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/torch_reference.h"

namespace squish {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);

class ExporterProcessTest : public testing::Test {
 protected:
  static std::unique_ptr<Child> Start() {
    ChildOptions options;
    options.command = {ProgramPath("squish-exporter")};
    options.environment = InheritedEnvironment();
    auto child = Child::Spawn(options);
    EXPECT_TRUE(child.ok()) << child.status();
    return *std::move(child);
  }

  static v1::ExporterEvent Next(Child& child) {
    v1::ExporterEvent event;
    const auto line = child.ReadLine(kPatience);
    EXPECT_TRUE(line.ok()) << line.status();
    if (!line.ok()) return event;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(*line, &event).ok()) << *line;
    return event;
  }

  static v1::ExporterEvent Ask(Child& child, const std::string& line) {
    EXPECT_TRUE(child.WriteLine(line).ok());
    v1::ExporterEvent event = Next(child);
    while (event.has_progress()) event = Next(child);
    return event;
  }

  std::string Request() const {
    const Network network = RandomNetwork(*SqueezeNetV11(3, 0.2), 7);
    std::vector<ReferenceOutputs> reference;
    for (const int size : ReferenceSizes(network.preprocessing.input_size())) {
      reference.push_back(TorchReference(network, size, 4, size));
    }
    v1::ExporterRequest request;
    request.set_network_path(JoinPath(folder_, "network"));
    request.set_reference_path(JoinPath(folder_, "reference"));
    request.set_output_folder(folder_);
    request.add_batches(2);
    EXPECT_TRUE(WriteFileDurably(request.network_path(), network.ToSafetensors()).ok());
    EXPECT_TRUE(WriteFileDurably(request.reference_path(), ReferenceToSafetensors(reference)).ok());
    std::string line;
    EXPECT_TRUE(google::protobuf::util::MessageToJsonString(request, &line).ok());
    return line;
  }

  const std::string folder_ = TemporaryFolder();
};

TEST_F(ExporterProcessTest, TwoProcessesWriteTheSameBytes) {
  const std::string request = Request();
  std::vector<std::string> answers;
  for (int i = 0; i < 2; ++i) {
    const auto child = Start();
    ASSERT_TRUE(Next(*child).has_ready());
    const v1::ExporterEvent event = Ask(*child, request);
    ASSERT_TRUE(event.has_done()) << event.DebugString();
    ASSERT_EQ(event.done().files_size(), 2);
    for (const v1::ExportedFile& file : event.done().files()) {
      EXPECT_EQ(Sha256Hex(*ReadFile(JoinPath(folder_, file.name()))), file.artifact());
    }
    answers.push_back(event.done().SerializeAsString());
    EXPECT_EQ(child->CloseAndWait(kPatience), "exit status 0");
  }
  EXPECT_EQ(answers[0], answers[1]);
}

TEST_F(ExporterProcessTest, ABadRequestFailsAndTheNextIsDone) {
  const auto child = Start();
  ASSERT_TRUE(Next(*child).has_ready());
  EXPECT_TRUE(Ask(*child, "nonsense").has_failed());
  EXPECT_TRUE(Ask(*child, "{}").has_failed());
  EXPECT_TRUE(Ask(*child, Request()).has_done());
}

}  // namespace
}  // namespace squish
