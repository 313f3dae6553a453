#include <filesystem>

#include "common/runner/attempt.h"
#include "common/runner/spool.h"
#include "common/runner/state_folder.h"
#include "tests/unit/runner/runner_fixture.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

class RunnerStateTest : public RunnerFixture {
 protected:
  absl::Status CreateStatus(const RunnerOptions& options) {
    return Runner::Create(options, &executor_).status();
  }
};

TEST_F(RunnerStateTest, OneFolderIsForOneRunner) {
  StartRunner();
  const absl::Status status = CreateStatus(Options());
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr(root_));
  StopRunner();
  EXPECT_TRUE(CreateStatus(Options()).ok());
}

TEST_F(RunnerStateTest, BadIdsAndSlotsAreRefused) {
  for (const std::string& id :
       std::vector<std::string>{"Worker", "a b", "../x", std::string(65, 'a')}) {
    RunnerOptions options = Options();
    options.info.set_id(id);
    EXPECT_EQ(CreateStatus(options).code(), absl::StatusCode::kInvalidArgument) << id;
  }
  for (const int slots : {0, -1, 65}) {
    RunnerOptions options = Options();
    options.info.set_slots(slots);
    EXPECT_EQ(CreateStatus(options).code(), absl::StatusCode::kInvalidArgument) << slots;
  }
}

TEST_F(RunnerStateTest, FolderThatCannotBeMadeIsAnError) {
  ASSERT_TRUE(MakeFolder(root_).ok());
  ASSERT_TRUE(WriteFileDurably(JoinPath(root_, "file"), "x").ok());
  RunnerOptions options = Options();
  options.state_folder = JoinPath(root_, "file/state");
  EXPECT_THAT(std::string(CreateStatus(options).message()), HasSubstr("file/state"));
}

TEST_F(RunnerStateTest, IdIsDrawnOnceAndKept) {
  ASSERT_TRUE(MakeFolder(root_).ok());
  const std::string id = KeptRunnerId(root_, "My_Host").value();
  EXPECT_THAT(id, ::testing::MatchesRegex("my-host-[0-9a-f]+"));
  EXPECT_TRUE(IsRunnerId(id));
  EXPECT_EQ(KeptRunnerId(root_, "renamed").value(), id);
}

TEST_F(RunnerStateTest, DamagedIdIsNamed) {
  ASSERT_TRUE(MakeFolder(root_).ok());
  ASSERT_TRUE(WriteFileDurably(JoinPath(root_, "runner_id"), "no id!").ok());
  const absl::Status status = CreateStatus(Options());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("runner_id"));
}

class SpoolTest : public RunnerFixture {
 protected:
  std::unique_ptr<Spool> Open() { return Spool::Open(JoinPath(root_, "spool")).value(); }
  static v1::AttemptResult Result(const std::string& id) {
    v1::AttemptResult result = Trained(0.5);
    result.set_attempt_id(id);
    return result;
  }
};

TEST_F(SpoolTest, WhatWasAddedIsThereAfterARestartUntilRemoved) {
  ASSERT_TRUE(Open()->Add(Result("a1")).ok());
  ASSERT_TRUE(Open()->Add(Result("a2")).ok());
  const auto spool = Open();
  EXPECT_TRUE(spool->Contains("a1"));
  ASSERT_EQ(spool->Some(1 << 20).size(), 2u);
  EXPECT_EQ(spool->Some(1 << 20)[0].SerializeAsString(), Result("a1").SerializeAsString());
  spool->Remove("a1");
  spool->Remove("unknown");
  spool->Remove("../a2");
  EXPECT_EQ(Open()->Some(1 << 20).size(), 1u);
}

TEST_F(SpoolTest, AtLeastOneResultIsGivenHoweverLarge) {
  const auto spool = Open();
  EXPECT_TRUE(spool->Some(1).empty());
  ASSERT_TRUE(spool->Add(Result("a1")).ok());
  ASSERT_TRUE(spool->Add(Result("a2")).ok());
  EXPECT_EQ(spool->Some(1).size(), 1u);
}

TEST_F(SpoolTest, IdThatCannotNameAFileIsRefused) {
  for (const std::string& id :
       std::vector<std::string>{"", "..", "a/b", "a.b", std::string(65, 'a')}) {
    EXPECT_EQ(Open()->Add(Result(id)).code(), absl::StatusCode::kInvalidArgument) << id;
  }
}

TEST_F(SpoolTest, DamagedAndForeignFilesAreSetAside) {
  ASSERT_TRUE(Open()->Add(Result("a1")).ok());
  const std::string folder = JoinPath(root_, "spool");
  ASSERT_TRUE(WriteFileDurably(JoinPath(folder, "a2.pb"), "garbage\xff").ok());
  ASSERT_TRUE(
      WriteFileDurably(JoinPath(folder, "a3.pb"), Result("other").SerializeAsString()).ok());
  ASSERT_TRUE(WriteFileDurably(JoinPath(folder, "a4.pb.1234.tmp"), "half").ok());
  const auto spool = Open();
  EXPECT_EQ(spool->Some(1 << 20).size(), 1u);
  EXPECT_TRUE(std::filesystem::exists(JoinPath(folder, "a2.pb.damaged")));
  EXPECT_TRUE(std::filesystem::exists(JoinPath(folder, "a3.pb.damaged")));
  EXPECT_FALSE(std::filesystem::exists(JoinPath(folder, "a4.pb.1234.tmp")));
}

TEST(CleanTextTest, KeepsUtf8ReplacesTheRestAndCutsBetweenCharacters) {
  EXPECT_EQ(CleanText("plain", 100), "plain");
  EXPECT_EQ(CleanText("κ = ½ 😀", 100), "κ = ½ 😀");
  EXPECT_EQ(CleanText("a\xff\xc3", 100), "a??");
  EXPECT_EQ(CleanText("\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80", 100), "?????????");
  EXPECT_EQ(CleanText("κκ", 3), "κ");
  EXPECT_EQ(CleanText("", 3), "");
}

}  // namespace
}  // namespace squish
