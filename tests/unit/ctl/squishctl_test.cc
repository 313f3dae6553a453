// The program itself, against a fake coordinator in this process.
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/child/child.h"
#include "common/rpc/rpc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/checkout.h"
#include "tests/support/temporary_folder.h"
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
    auto server =
        StartServer("127.0.0.1:0", {static_cast<v1::ExperimentService::Service*>(&service_),
                                    static_cast<v1::ArtifactService::Service*>(&service_)});
    ASSERT_TRUE(server.ok());
    server_ = *std::move(server);
  }

  struct Outcome {
    std::string status, out, err;
  };
  Outcome RunAt(const std::string& address, std::vector<std::string> arguments) {
    ChildOptions options;
    options.command = {ProgramPath("squishctl"), "--coordinator", address};
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

  const std::string root_ = TemporaryFolder();
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
           {"list"}, {"status", "x"}, {"watch", "x"}, {"cancel", "x"}, {"runners"}}) {
    const Outcome outcome = RunAt("127.0.0.1:1", arguments);
    EXPECT_EQ(outcome.status, "exit status 3");
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
  for (const char* command :
       {"status", "watch", "individuals", "speeds", "pause", "champions", "continue",
        "generations"}) {
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

TEST_F(SquishctlTest, ShowsIndividualsChampionsAndRunners) {
  Submit(FakeExperiments::kSucceeds);
  EXPECT_THAT(Run({"show", "fake-1", "1:1"}).out, HasSubstr("680,000"));
  EXPECT_THAT(Run({"lineage", "fake-1", "1:0"}).out, HasSubstr("727,626"));
  EXPECT_THAT(Run({"champions", "fake-1"}).out, HasSubstr("smallest, fastest, knee"));
  EXPECT_THAT(Run({"status", "fake-1"}).out, HasSubstr("most-accurate"));
  EXPECT_THAT(Run({"runners"}).out, HasSubstr("worker-1"));
  EXPECT_THAT(Run({"show", "fake-1", "9:9"}).err, HasSubstr("has no individual 9:9"));
  EXPECT_THAT(Run({"show", "fake-1", "nine"}).err, HasSubstr("generation:index"));
}

TEST_F(SquishctlTest, GenerationsAreComparedByTheGenomesOfTheirNetworks) {
  Submit(FakeExperiments::kSucceeds);
  const auto similarity = [this](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"generations", "fake-1", "--format", "json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.status, "exit status 0") << outcome.err;
    const auto json = nlohmann::json::parse(outcome.out);
    EXPECT_TRUE(json["generations"][0]["mean_similarity"].is_null()) << "the ancestor is alone";
    EXPECT_EQ(json["generations"][1]["individuals"], 2);
    EXPECT_GT(json["generations"][1]["hypervolume"], 0);
    return json["generations"][1]["mean_similarity"];
  };
  EXPECT_EQ(similarity({}), 1.0) << "both were born with the same network";
  EXPECT_TRUE(similarity({"--no-similarity"}).is_null());
  EXPECT_THAT(Run({"generations", "fake-1"}).out, HasSubstr("Speeds were measured on: "));
  EXPECT_THAT(Run({"generations", "--help"}).out, HasSubstr("below (1, 1, 1)"));
}

TEST_F(SquishctlTest, EveryLookComesAsJsonAndCsv) {
  Submit(FakeExperiments::kSucceeds);
  const std::vector<std::vector<std::string>> looks = {
      {"list"},           {"status", "fake-1"},        {"individuals", "fake-1"},
      {"runners"},        {"show", "fake-1", "1:0"},   {"lineage", "fake-1", "1:0"},
      {"champions", "fake-1"}, {"generations", "fake-1"},  {"plan", WriteSpec(kSpec)}};
  for (std::vector<std::string> look : looks) {
    look.push_back("--format");
    look.push_back("json");
    const Outcome json = Run(look);
    EXPECT_EQ(json.status, "exit status 0") << look[0] << json.err;
    EXPECT_FALSE(nlohmann::json::parse(json.out, nullptr, false).is_discarded())
        << look[0] << ": " << json.out;
    look.back() = "csv";
    const Outcome csv = Run(look);
    EXPECT_EQ(csv.status, "exit status 0") << look[0] << csv.err;
    EXPECT_THAT(csv.out, HasSubstr(",")) << look[0];
  }
}

TEST_F(SquishctlTest, PlanStartsNothing) {
  for (const char* file : {"train/cat/1", "train/cat/2", "train/cat/3", "train/dog/1"}) {
    const std::string path = File(absl::StrCat("pets/", file));
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    ASSERT_TRUE(WriteFileDurably(path, "").ok());
  }
  ASSERT_TRUE(MakeFolder(File("pets/val")).ok());
  const std::string spec = WriteSpec(absl::StrReplaceAll(
      kSpec, {{"built_in { seed: 1 train_images: 1000 val_images: 100 }", "image_folder {}"}}));
  const Outcome outcome = Run({"plan", spec, "--data", File("pets")});
  EXPECT_EQ(outcome.status, "exit status 0") << outcome.err;
  EXPECT_THAT(outcome.out, ::testing::ContainsRegex("trained with +4  images"))
      << "two epochs of two cats; of each class one is held out";
  EXPECT_THAT(outcome.out, HasSubstr("- a note"));
  EXPECT_EQ(service_.submitted().generations(), 0);
}

TEST_F(SquishctlTest, ImportedWeightsAreUploadedFromBesideTheSpec) {
  ASSERT_TRUE(WriteFileDurably(File("weights.safetensors"), "weights").ok());
  std::string spec = kSpec;
  spec = absl::StrReplaceAll(
      spec, {{"squeezenet_v1_1 {}", "imported { file: 'weights.safetensors' note: 'n' }"}});
  EXPECT_EQ(Run({"submit", WriteSpec(spec)}).out, "fake-1\n");
  EXPECT_EQ(service_.submitted().ancestor().imported().digest(), Sha256Hex("weights"));
  EXPECT_EQ(service_.uploaded(Sha256Hex("weights")), "weights");
  std::filesystem::remove(File("weights.safetensors"));
  const Outcome missing = Run({"submit", File("spec.txtpb")});
  EXPECT_EQ(missing.status, "exit status 1");
  EXPECT_THAT(missing.err, HasSubstr("ancestor.imported.file"));
  EXPECT_THAT(missing.err, HasSubstr("weights.safetensors"));
}

TEST_F(SquishctlTest, BranchesFromAnyIndividualAndContinuesFromTheBest) {
  Submit(FakeExperiments::kSucceeds);
  EXPECT_EQ(Run({"branch", "fake-1", "1:1", "--generations", "7", "--max-megabytes", "0.5"}).out,
            "fake-1\n");
  EXPECT_EQ(service_.submitted().ancestor().branch().individual().index(), 1);
  EXPECT_EQ(service_.submitted().generations(), 7);
  EXPECT_EQ(Run({"continue", "fake-1", "--resource-factor", "0.8"}).out, "fake-1\n");
  EXPECT_FALSE(service_.submitted().ancestor().branch().has_individual()) << "the coordinator's";
  EXPECT_EQ(service_.submitted().environment().resource_factor(), 0.8);
}

TEST_F(SquishctlTest, ExportMakesAFolderThatExplainsItself) {
  Submit(FakeExperiments::kSucceeds);
  const Outcome outcome = Run({"export", "fake-1", "smallest", "--output", File("model/")});
  EXPECT_EQ(outcome.status, "exit status 0") << outcome.err;
  EXPECT_EQ(ReadFile(File("model/model.onnx")).value(), "an ONNX model");
  EXPECT_EQ(ReadFile(File("model/labels.txt")).value(), "cat\ndog\n");
  EXPECT_THAT(ReadFile(File("model/preprocessing.json")).value(), HasSubstr("64"));
  EXPECT_THAT(ReadFile(File("model/predictions.csv")).value(), StartsWith("picture,"));
  EXPECT_THAT(ReadFile(File("model/README.md")).value(),
              HasSubstr("**has seen the val pictures**"));
  EXPECT_EQ(ReadFile(File("model/classify.cc")).value(),
            ReadFile(SourcePath("examples/classify/classify.cc")).value());
  int files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(File("model"))) {
    ++files;
  }
  EXPECT_EQ(files, 6) << "nothing else is left in the folder";
}

TEST_F(SquishctlTest, ExportIntoWhatExistsOrOfWhatIsNotReadyLeavesNothing) {
  Submit(FakeExperiments::kSucceeds);
  ASSERT_TRUE(MakeFolder(File("model")).ok());
  Outcome outcome = Run({"export", "fake-1", "--output", File("model")});
  EXPECT_EQ(outcome.status, "exit status 1");
  EXPECT_THAT(outcome.err, HasSubstr("is there already; name another folder"));
  outcome = Run({"export", "fake-1", "2.5", "--output", File("other")});
  EXPECT_THAT(outcome.err, HasSubstr("there is no champion '2.5'"));
  // Its network is no network: the folder must not appear.
  outcome = Run({"export", "fake-1", "most-accurate", "--output", File("other")});
  EXPECT_EQ(outcome.status, "exit status 1");
  Submit(FakeExperiments::kUnready);
  outcome = Run({"export", "fake-1", "--output", File("other")});
  EXPECT_THAT(outcome.err, HasSubstr("is not ready yet"));
  for (const auto& entry : std::filesystem::directory_iterator(root_)) {
    EXPECT_THAT(entry.path().filename().string(), Not(StartsWith("other")));
  }
}

TEST_F(SquishctlTest, SteersExperiments) {
  Submit(FakeExperiments::kSucceeds);
  EXPECT_THAT(Run({"pause", "fake-1"}).out, StartsWith("PAUSED"));
  EXPECT_THAT(Run({"resume", "fake-1"}).out, StartsWith("RUNNING"));
  EXPECT_THAT(Run({"retry", "fake-1"}).out, StartsWith("RUNNING"));
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
