// Backup of a coordinator at work, over gRPC, and a coordinator that starts from it.
#include "ctl/backup_command.h"

#include <filesystem>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/weights/checkpoint.h"
#include "coordinator/fsck/fsck.h"
#include "coordinator/population/named_artifacts.h"
#include "coordinator/population/sqlite.h"
#include "coordinator/service/server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/service/coordinator_fixture.h"

namespace squish {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A copy by small steps, with an experiment that goes on between them.
class CopyTest : public CoordinatorFixture {};

TEST_F(CopyTest, IsWholeAndSoundWhateverIsWrittenMeanwhile) {
  FakeRunner worker = FakeWorker("worker-1"), agent = FakeAgent("agent-1");
  const std::string id = Submit(SmallSpec())->id();
  for (int step = 0; step < 6; ++step) Step(step % 2 == 0 ? worker : agent);
  auto copy = population_->StartCopy();
  ASSERT_TRUE(copy.ok()) << copy.status();
  int steps = 0;
  for (bool whole = false; !whole; ++steps) {
    const absl::StatusOr<bool> stepped = (*copy)->Step(2);
    ASSERT_TRUE(stepped.ok()) << stepped.status();
    whole = *stepped;
    Step(steps % 2 == 0 ? worker : agent);
  }
  EXPECT_GT(steps, 5);
  const std::string restored = JoinPath(folder_, "restored.db");
  std::filesystem::copy((*copy)->path(), restored);
  std::filesystem::copy(JoinPath(folder_, "population.db.artifacts"), restored + ".artifacts",
                        std::filesystem::copy_options::recursive);
  const std::string path = (*copy)->path();
  copy->reset();
  EXPECT_FALSE(std::filesystem::exists(path)) << "it goes with its object";
  const auto population = Population::Open(restored);
  ASSERT_TRUE(population.ok()) << population.status();
  const auto report = CheckPopulation(**population);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(report->problems, IsEmpty());
  EXPECT_EQ(report->experiments, 1);
  EXPECT_GT(report->facts, 3);
}

TEST_F(CopyTest, ABackupNamesNoCheckpoints) {
  FakeRunner worker = FakeWorker("worker-1");
  const std::string id = Submit(SmallSpec())->id();
  while (worker.attempts.empty() || !worker.attempts.begin()->second.has_train()) Step(worker);
  v1::SynchronizeRequest request = worker.Request();
  v1::Checkpoint& checkpoint = *request.mutable_attempts(0)->mutable_checkpoint();
  checkpoint.set_artifact(
      artifacts().Put(SerializeCheckpoint({"task", "class", 4, {}, {}, {}})).value());
  checkpoint.set_step(4);
  checkpoint.set_numerics_class("class");
  Call(request);
  ASSERT_EQ(population_->Checkpoints(population_->FindExperiment(id)->row)->size(), 1u);
  auto copy = population_->StartCopy();
  ASSERT_TRUE(copy.ok()) << copy.status();
  for (bool whole = false; !whole;) whole = (*copy)->Step(100).value();
  EXPECT_EQ(NamedArtifacts((*copy)->path())->count(checkpoint.artifact()), 1u);
  ASSERT_TRUE(ForgetCheckpoints((*copy)->path()).ok());
  EXPECT_EQ(NamedArtifacts((*copy)->path())->count(checkpoint.artifact()), 0u);
}

TEST_F(CopyTest, WhatADeadProcessLeftIsRemoved) {
  const std::string left = JoinPath(folder_, "population.db.copy-0123");
  ASSERT_TRUE(WriteFileDurably(left, "half").ok());
  Restart();
  EXPECT_FALSE(std::filesystem::exists(left));
}

class BackupTest : public ::testing::Test {
 protected:
  std::unique_ptr<CoordinatorServer> Serve(const std::string& population) {
    CoordinatorServer::Options options;
    options.population = population;
    options.listen = "127.0.0.1:0";
    options.metrics = "";
    auto server = CoordinatorServer::Start(std::move(options));
    EXPECT_TRUE(server.ok()) << server.status();
    return server.ok() ? *std::move(server) : nullptr;
  }
  const std::string folder_ = TemporaryFolder();
};

TEST_F(BackupTest, IsAPopulationThatACoordinatorStartsFrom) {
  const std::string target = JoinPath(folder_, "backup");
  std::string ancestor;
  {
    const auto server = Serve(JoinPath(folder_, "population.db"));
    ASSERT_NE(server, nullptr);
    CoordinatorClient client(absl::StrCat("127.0.0.1:", server->port()));
    ASSERT_TRUE(client.Submit(SmallSpec()).ok());
    std::ostringstream first, second;
    const absl::Status done = BackupCommand(client, target, first);
    ASSERT_TRUE(done.ok()) << done;
    EXPECT_THAT(first.str(), HasSubstr("population.db: 0 artifacts"));
    // Again, into the same folder: what is there is replaced.
    ASSERT_TRUE(client.Submit(SmallSpec()).ok());
    ASSERT_TRUE(BackupCommand(client, target, second).ok());
    EXPECT_EQ((*BlobStore::Open(JoinPath(folder_, "population.db.artifacts")))->List()->size(), 2u)
        << "of two backups the last copy and manifest";
  }
  EXPECT_TRUE(
      (*BlobStore::Open(JoinPath(folder_, "population.db.artifacts")))->List()->empty());
  const auto restored = Serve(JoinPath(target, "population.db"));
  ASSERT_NE(restored, nullptr);
  CoordinatorClient client(absl::StrCat("127.0.0.1:", restored->port()));
  EXPECT_EQ(client.List()->experiments_size(), 2);
  std::ostringstream ignored;
  const absl::Status in_use = BackupCommand(client, target, ignored);
  EXPECT_EQ(in_use.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(in_use.message()), HasSubstr("name another folder"));
}

TEST_F(BackupTest, TheEmptyArtifactOfSomebodyElseStays) {
  {
    const auto server = Serve(JoinPath(folder_, "population.db"));
    ASSERT_NE(server, nullptr);
    CoordinatorClient client(absl::StrCat("127.0.0.1:", server->port()));
    const std::string file = JoinPath(folder_, "empty");
    ASSERT_TRUE(WriteFileDurably(file, "").ok());
    ASSERT_EQ(client.Upload(file).value(), Sha256Hex(""));
    std::ostringstream said;
    ASSERT_TRUE(BackupCommand(client, JoinPath(folder_, "backup"), said).ok());
    EXPECT_THAT(said.str(), HasSubstr("population.db: 0 artifacts"));
  }
  EXPECT_TRUE((*BlobStore::Open(JoinPath(folder_, "population.db.artifacts")))
                  ->Contains(Sha256Hex("")));
}

TEST_F(BackupTest, WithoutACoordinatorNothingIsTouched) {
  CoordinatorClient client("127.0.0.1:1");
  std::ostringstream out;
  const std::string target = JoinPath(folder_, "backup");
  EXPECT_TRUE(absl::IsUnavailable(BackupCommand(client, target, out)));
  EXPECT_FALSE(std::filesystem::exists(JoinPath(target, "population.db")));
}

}  // namespace
}  // namespace squish
