// The program itself, against a fake coordinator in this process.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/ids.h"
#include "common/base/sha256.h"
#include "common/child/child.h"
#include "common/rpc/rpc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/ctl/fake_experiments.h"

namespace squish {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kSpec[] =
    "name: 'x'\n"
    "dataset { name: 'shapes' input_size: 32 "
    "built_in { seed: 1 train_images: 1000 val_images: 100 } }\n"
    "ancestor { squeezenet_v1_1 {} }\n"
    "generations: 2\n";

class SquishctlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = JoinPath(::testing::TempDir(), absl::StrCat("squishctl-", RandomHex(8)));
    ASSERT_TRUE(MakeFolder(root_).ok());
    auto server =
        StartServer("127.0.0.1:0", {static_cast<v1::ExperimentService::Service*>(&service_),
                                    static_cast<v1::ArtifactService::Service*>(&service_)});
    ASSERT_TRUE(server.ok());
    server_ = *std::move(server);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  struct Outcome {
    std::string status, out, err;
  };
  Outcome RunAt(const std::string& address, std::vector<std::string> arguments) {
    ChildOptions options;
    options.command = {absl::StrCat(SQUISH_BIN_DIR, "/squishctl"), "--coordinator", address};
    options.command.insert(options.command.end(), arguments.begin(), arguments.end());
    options.environment = InheritedEnvironment();
    options.stdout_path = File(absl::StrCat("out-", ++runs_));
    options.stderr_path = File(absl::StrCat("err-", runs_));
    auto child = Child::Spawn(options);
    EXPECT_TRUE(child.ok()) << child.status();
    Outcome outcome;
    outcome.status = (*child)->CloseAndWait(absl::Seconds(60));
    outcome.out = ReadFile(options.stdout_path).value();
    outcome.err = ReadFile(options.stderr_path).value();
    return outcome;
  }
  Outcome Run(std::vector<std::string> arguments) {
    return RunAt(absl::StrCat("127.0.0.1:", server_.port), std::move(arguments));
  }
  std::string File(const std::string& name) const { return JoinPath(root_, name); }
  std::string WriteSpec(const std::string& text) {
    EXPECT_TRUE(WriteFileDurably(File("spec.txtpb"), text).ok());
    return File("spec.txtpb");
  }
  void Submit(uint64_t seed) {
    EXPECT_EQ(Run({"submit", WriteSpec(absl::StrCat(kSpec, "seed: ", seed))}).out, "fake-1\n");
  }

  std::string root_;
  FakeExperiments service_;
  RunningServer server_;
  int runs_ = 0;
};

TEST_F(SquishctlTest, SubmitPrintsTheIdAndSendsACompleteSpec) {
  const Outcome outcome = Run({"submit", WriteSpec(kSpec)});
  EXPECT_EQ(outcome.status, "exit status 0") << outcome.err;
  EXPECT_EQ(outcome.out, "fake-1\n");
  EXPECT_EQ(service_.submitted().generations(), 2);
  EXPECT_TRUE(service_.submitted().has_offspring()) << "defaults are filled in";
}

TEST_F(SquishctlTest, SpecWithATypoNamesLineAndColumn) {
  for (const char* command : {"submit", "validate"}) {
    const Outcome outcome = Run({command, WriteSpec(absl::StrCat(kSpec, "ofspring: 3\n"))});
    EXPECT_EQ(outcome.status, "exit status 1");
    EXPECT_THAT(outcome.err, HasSubstr("spec.txtpb:5:"));
    EXPECT_THAT(outcome.err, HasSubstr("ofspring"));
  }
}

TEST_F(SquishctlTest, ValidateNeedsNoCoordinator) {
  const Outcome outcome = RunAt("127.0.0.1:1", {"validate", WriteSpec(kSpec)});
  EXPECT_EQ(outcome.status, "exit status 0") << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("a valid experiment"));
}

TEST_F(SquishctlTest, MissingFileIsNamed) {
  const Outcome outcome = Run({"submit", "/no/such/file"});
  EXPECT_EQ(outcome.status, "exit status 1");
  EXPECT_THAT(outcome.err, HasSubstr("/no/such/file"));
}

TEST_F(SquishctlTest, AbsentCoordinatorIsSaidWithWhereAndWhatToDo) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"list"}, {"status", "x"}, {"watch", "x"}, {"cancel", "x"}}) {
    const Outcome outcome = RunAt("127.0.0.1:1", arguments);
    EXPECT_EQ(outcome.status, "exit status 1");
    EXPECT_THAT(outcome.err, HasSubstr("no coordinator answers at 127.0.0.1:1;"));
    EXPECT_THAT(outcome.err, HasSubstr("--coordinator HOST:PORT"));
  }
}

TEST_F(SquishctlTest, WrongUsageIsTwo) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {},
           {"evolve"},
           {"submit"},
           {"status"},
           {"artifact", "x"},
           {"individuals", "x", "--format", "xml"},
           {"demo", "--engine", "tensorrt"},
           {"demo", "--engine", "replay:/no/such/file"},
           {"demo", "--data", "/no/such/folder"},
           {"demo", "--workers", "0"},
           {"demo", "--generations", "many"}}) {
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.status, "exit status 2") << ::testing::PrintToString(arguments);
    EXPECT_THAT(outcome.err, Not(HasSubstr("terminate")));
  }
}

TEST_F(SquishctlTest, HelpIsNoError) {
  EXPECT_EQ(Run({"--help"}).status, "exit status 0");
  const Outcome outcome = Run({"demo", "--help"});
  EXPECT_EQ(outcome.status, "exit status 0");
  EXPECT_THAT(outcome.out, HasSubstr("--ancestor-weights"));
}

TEST_F(SquishctlTest, UnknownExperimentIsTheCoordinatorsAnswer) {
  Submit(FakeExperiments::kSucceeds);
  for (const char* command : {"status", "watch", "individuals", "speeds", "pause"}) {
    const Outcome outcome = Run({command, "nothing"});
    EXPECT_EQ(outcome.status, "exit status 1") << command;
    EXPECT_THAT(outcome.err, HasSubstr("there is no experiment nothing")) << command;
  }
}

TEST_F(SquishctlTest, ShowsExperiments) {
  Submit(FakeExperiments::kSucceeds);
  EXPECT_THAT(Run({"list"}).out, HasSubstr("fake-1"));
  EXPECT_THAT(Run({"status", "fake-1"}).out, HasSubstr("RUNNING, generation 0 of 2"));
  EXPECT_THAT(Run({"individuals", "fake-1"}).out, HasSubstr("727,626"));
  EXPECT_THAT(Run({"individuals", "fake-1", "--format", "csv"}).out,
              StartsWith("experiment,strategy,seed,"));
  EXPECT_THAT(Run({"speeds", "fake-1"}).out, StartsWith("architecture_digest,images_per_second\n"));
}

TEST_F(SquishctlTest, SteersExperiments) {
  Submit(FakeExperiments::kSucceeds);
  EXPECT_THAT(Run({"pause", "fake-1"}).out, StartsWith("PAUSED"));
  EXPECT_THAT(Run({"resume", "fake-1"}).out, StartsWith("RUNNING"));
  EXPECT_THAT(Run({"cancel", "fake-1"}).out, StartsWith("CANCELLED"));
}

int Count(const std::string& text, const std::string& part) {
  int count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST_F(SquishctlTest, WatchPrintsEachIndividualOnceWhenItIsComplete) {
  Submit(FakeExperiments::kSucceeds);
  const Outcome outcome = Run({"watch", "fake-1"});
  EXPECT_EQ(outcome.status, "exit status 0") << outcome.err;
  EXPECT_EQ(Count(outcome.out, "727,626"), 1);
  EXPECT_EQ(Count(outcome.out, "700,000"), 1);
  EXPECT_THAT(outcome.out, HasSubstr("-- SUCCEEDED"));
}

TEST_F(SquishctlTest, WatchGoesOnAfterTheStreamBroke) {
  Submit(FakeExperiments::kBreaks);
  const Outcome outcome = Run({"watch", "fake-1"});
  EXPECT_EQ(outcome.status, "exit status 0") << outcome.err;
  EXPECT_EQ(Count(outcome.out, "727,626"), 1);
  EXPECT_EQ(Count(outcome.out, "680,000"), 1);
}

TEST_F(SquishctlTest, WatchOfAFailureFails) {
  Submit(FakeExperiments::kFails);
  const Outcome outcome = Run({"watch", "fake-1"});
  EXPECT_EQ(outcome.status, "exit status 1");
  EXPECT_THAT(outcome.err, HasSubstr("the ancestor diverged"));
}

TEST_F(SquishctlTest, ArtifactsGoUpAndComeBack) {
  ASSERT_TRUE(WriteFileDurably(File("blob"), std::string(3 << 20, 'b')).ok());
  const std::string digest = Sha256Hex(std::string(3 << 20, 'b'));
  EXPECT_EQ(Run({"upload", File("blob")}).out, digest + "\n");
  EXPECT_EQ(Run({"artifact", digest, "--output", File("back")}).status, "exit status 0");
  EXPECT_EQ(ReadFile(File("back")).value(), std::string(3 << 20, 'b'));
  EXPECT_EQ(Run({"artifact", "abc", "--output", File("no")}).status, "exit status 1");
  EXPECT_EQ(Run({"artifact", Sha256Hex("no"), "--output", File("no")}).status, "exit status 1");
  EXPECT_FALSE(std::filesystem::exists(File("no")));
}

}  // namespace
}  // namespace squish
