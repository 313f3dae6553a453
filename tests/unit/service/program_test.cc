// The program: flags, exit statuses, what it prints, how it ends.
#include <sys/types.h>

#include <csignal>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/child/child.h"
#include "common/rpc/rpc.h"
#include "common/spec/experiment_spec.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "squish/v1/experiment_service.grpc.pb.h"
#include "tests/support/checkout.h"
#include "tests/support/temporary_folder.h"

namespace squish {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

constexpr absl::Duration kLimit = absl::Seconds(30);
constexpr char kSpec[] = R"(
name: "small"
dataset { name: "shapes" input_size: 32 built_in { train_images: 100 val_images: 100 } }
ancestor { squeezenet_v1_1 {} }
generations: 1
)";

class ProgramTest : public testing::Test {
 protected:
  std::string Path(const std::string& name) const { return JoinPath(folder_, name); }

  std::unique_ptr<Child> Start(std::vector<std::string> arguments) {
    ChildOptions options;
    options.command = {ProgramPath("coordinator")};
    for (std::string& argument : arguments) options.command.push_back(std::move(argument));
    options.environment = InheritedEnvironment();
    options.stderr_path = Path("stderr");
    auto child = Child::Spawn(options);
    EXPECT_TRUE(child.ok()) << child.status();
    return *std::move(child);
  }
  // With a population and free ports.
  std::unique_ptr<Child> StartServing(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"--population", Path("p.db"),  "--listen",
                                          "127.0.0.1:0",  "--metrics", "127.0.0.1:0"};
    for (std::string& argument : more) arguments.push_back(std::move(argument));
    return Start(std::move(arguments));
  }
  std::string Errors() {
    const auto text = ReadFile(Path("stderr"));
    return text.ok() ? *text : "";
  }

  const std::string folder_ = TemporaryFolder();
};

TEST_F(ProgramTest, SaysWhereItListensAndStopsCleanlyOnASignal) {
  for (const int round : {1, 2}) {
    auto coordinator = StartServing();
    const auto line = coordinator->ReadLine(kLimit);
    ASSERT_TRUE(line.ok()) << line.status() << Errors();
    EXPECT_THAT(*line, MatchesRegex("listening on 127.0.0.1:[0-9]+ metrics 127.0.0.1:[0-9]+"));
    EXPECT_FALSE(absl::StrContains(*line, ":0 "));
    coordinator->Terminate();
    EXPECT_EQ(coordinator->CloseAndWait(kLimit), "exit status 0") << "round " << round;
  }
}

TEST_F(ProgramTest, WrongUsageExitsWithTwo) {
  EXPECT_EQ(Start({})->CloseAndWait(kLimit), "exit status 2");
  EXPECT_THAT(Errors(), HasSubstr("--population"));
  EXPECT_EQ(StartServing({"--no-such-flag"})->CloseAndWait(kLimit), "exit status 2");
  EXPECT_EQ(StartServing({"--lease-seconds", "0"})->CloseAndWait(kLimit), "exit status 2");
  EXPECT_EQ(Start({"--population", Path("p.db"), "--listen", "nonsense"})->CloseAndWait(kLimit),
            "exit status 2");
  EXPECT_THAT(Errors(), HasSubstr("'nonsense' is no HOST:PORT"));
  EXPECT_EQ(Start({"--help"})->CloseAndWait(kLimit), "exit status 0");
}

TEST_F(ProgramTest, PortInUseIsOneSentenceAndStatusOne) {
  auto first = StartServing();
  const std::string line = *first->ReadLine(kLimit);
  const std::string address = line.substr(13, line.find(" metrics") - 13);
  auto second = Start({"--population", Path("other.db"), "--listen", address, "--metrics",
                       "127.0.0.1:0"});
  EXPECT_EQ(second->CloseAndWait(kLimit), "exit status 1");
  EXPECT_THAT(Errors(), HasSubstr(absl::StrCat("coordinator: cannot listen on ", address)));
}

TEST_F(ProgramTest, SecondCoordinatorOnTheFileIsToldWhoHasIt) {
  auto first = StartServing();
  ASSERT_TRUE(first->ReadLine(kLimit).ok());
  EXPECT_EQ(StartServing()->CloseAndWait(kLimit), "exit status 1");
  EXPECT_THAT(Errors(), HasSubstr(absl::StrCat("process ", first->pid())));
  first->Kill();
  first->CloseAndWait(kLimit);
  auto next = StartServing();
  EXPECT_TRUE(next->ReadLine(kLimit).ok()) << "a killed owner leaves no lock behind";
}

TEST_F(ProgramTest, FileThatIsNoPopulationIsRefused) {
  ASSERT_TRUE(WriteFileDurably(Path("p.db"), std::string(1000, 'x')).ok());
  EXPECT_EQ(StartServing()->CloseAndWait(kLimit), "exit status 1");
  EXPECT_THAT(Errors(), HasSubstr("is no population database"));
}

TEST_F(ProgramTest, SpecWithATypoNamesFileLineAndColumn) {
  const std::string spec = Path("spec.txtpb");
  ASSERT_TRUE(WriteFileDurably(spec, "name: \"x\"\noffsprings: 3\n").ok());
  EXPECT_EQ(StartServing({"--experiment", spec})->CloseAndWait(kLimit), "exit status 1");
  EXPECT_THAT(Errors(), HasSubstr(absl::StrCat(spec, ":2:")));
  EXPECT_EQ(StartServing({"--experiment", Path("none.txtpb")})->CloseAndWait(kLimit),
            "exit status 1");
  EXPECT_THAT(Errors(), HasSubstr("none.txtpb"));
}

TEST_F(ProgramTest, ExperimentOfAFileIsStartedOnce) {
  const std::string spec = Path("spec.txtpb");
  ASSERT_TRUE(WriteFileDurably(spec, kSpec).ok());
  for (int round = 0; round < 2; ++round) {
    auto coordinator = StartServing({"--experiment", spec});
    ASSERT_TRUE(coordinator->ReadLine(kLimit).ok()) << Errors();
    coordinator->Terminate();
    EXPECT_EQ(coordinator->CloseAndWait(kLimit), "exit status 0");
  }
  const std::string log = Errors();
  const size_t first = log.find(": submitted");
  EXPECT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find(": submitted", first + 1), std::string::npos) << log;
}

TEST_F(ProgramTest, ExitWhenDoneTellsOfAnExperimentThatDidNotSucceed) {
  auto coordinator = StartServing({"--exit-when-done"});
  const std::string line = *coordinator->ReadLine(kLimit);
  {
    const auto stub = v1::ExperimentService::NewStub(
        MakeChannel(line.substr(13, line.find(" metrics") - 13)));
    grpc::ClientContext submitting, cancelling;
    v1::SubmitRequest submit;
    *submit.mutable_spec() = *ParseExperimentSpec(kSpec, "spec");
    v1::Experiment experiment;
    ASSERT_TRUE(stub->Submit(&submitting, submit, &experiment).ok());
    v1::CancelRequest cancel;
    cancel.set_id(experiment.id());
    ASSERT_TRUE(stub->Cancel(&cancelling, cancel, &experiment).ok())
        << "the call is answered before the end";
  }
  EXPECT_EQ(coordinator->CloseAndWait(kLimit), "exit status 1");
}

}  // namespace
}  // namespace squish
