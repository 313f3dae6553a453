// The cluster with shell scripts in the place of the programs.
#include "ctl/local_cluster.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/base/await.h"
#include "common/base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_folder.h"

namespace squish {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;

constexpr absl::Duration kLong = absl::Seconds(30);
constexpr char kListens[] = "echo \"listening on 127.0.0.1:7001 metrics 127.0.0.1:7002\"\n";
constexpr char kSleeps[] = "exec sleep 1000\n";
// A runner with a child in a group of its own that ends with its stdin, as trainers do,
// while the runner itself would rather not end.
constexpr char kHasChild[] =
    "trap '' TERM\n"
    "sleep 1000 | setsid cat >/dev/null &\n"
    "while true; do sleep 1000; done\n";
// One whose child does not notice anything.
constexpr char kLeavesChild[] =
    "setsid sh -c 'trap \"\" TERM HUP; while true; do sleep 1000; done' <&- &\n"
    "while true; do sleep 1000; done\n";

class LocalClusterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(MakeFolder(JoinPath(root_, "bin")).ok());
    Write("coordinator", absl::StrCat(kListens, kSleeps));
    Write("worker", kSleeps);
    Write("jetson-agent", kSleeps);
    options_.programs = JoinPath(root_, "bin");
    options_.folder = JoinPath(root_, "out");
    options_.population = JoinPath(root_, "out/population.db");
    options_.stop_limit = absl::Seconds(2);
  }

  void Write(const std::string& program, const std::string& script) {
    const std::string path = JoinPath(root_, absl::StrCat("bin/", program));
    ASSERT_TRUE(WriteFileDurably(path, absl::StrCat("#!/bin/sh\n", script)).ok());
    ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
  }
  // The descendants of `role` once there are `least` and one of that name is among them.
  std::vector<ProcessInfo> AwaitChild(LocalCluster& cluster, const std::string& role,
                                      const std::string& name, size_t least = 1) {
    std::vector<ProcessInfo> children;
    EXPECT_TRUE(AwaitCondition(kLong, [&] {
      children = cluster.ChildrenOf(role);
      return children.size() >= least &&
             std::any_of(children.begin(), children.end(),
                         [&](const ProcessInfo& child) { return child.name == name; });
    })) << role << " never had " << least << " descendants with a " << name << " among them";
    return children;
  }

  // Whether `text` comes into the log of `role`.
  bool AwaitLog(LocalCluster& cluster, const std::string& role, const std::string& text) {
    return AwaitCondition(
        kLong, [&] { return cluster.LogTail(role).find(text) != std::string::npos; });
  }

  const std::string root_ = TemporaryFolder();
  LocalClusterOptions options_;
};

TEST_F(LocalClusterTest, StartsEveryRoleAndLeavesNothingBehind) {
  std::vector<pid_t> pids;
  {
    LocalCluster cluster(options_);
    ASSERT_TRUE(cluster.StartAll().ok());
    EXPECT_THAT(cluster.roles(), ElementsAre("coordinator", "worker-1", "worker-2", "agent"));
    EXPECT_EQ(cluster.address(), "127.0.0.1:7001");
    EXPECT_EQ(cluster.metrics_address(), "127.0.0.1:7002");
    for (const std::string& role : cluster.roles()) {
      EXPECT_TRUE(cluster.Running(role)) << role;
      EXPECT_TRUE(std::filesystem::exists(cluster.LogPath(role))) << role;
      pids.push_back(cluster.Pid(role));
    }
    EXPECT_FALSE(cluster.FirstEnded().has_value());
  }
  for (const pid_t pid : pids) EXPECT_NE(::kill(pid, 0), 0);
}

TEST_F(LocalClusterTest, ProgramsGetTheirFlags) {
  const std::string print = "echo \"flags: $*\"\n";
  Write("coordinator", absl::StrCat(print, kListens, kSleeps));
  Write("worker", absl::StrCat(print, kSleeps));
  Write("jetson-agent", absl::StrCat(print, kSleeps));
  options_.workers = 1;
  options_.engine = "replay:/x.csv";
  options_.data = {{"cifar10", "/data"}};
  options_.coordinator_flags = {"--lease", "3"};
  options_.worker_flags = {"--a"};
  options_.agent_flags = {"--b"};
  LocalCluster cluster(options_);
  ASSERT_TRUE(cluster.StartAll().ok());
  const auto await = [&](const std::string& role, const std::string& flags) {
    ASSERT_TRUE(AwaitLog(cluster, role, "flags: ")) << role;
    EXPECT_THAT(cluster.LogTail(role), HasSubstr(absl::StrCat("flags: ", flags, "\n")));
  };
  await("coordinator", absl::StrCat("--population ", options_.population,
                                    " --listen 127.0.0.1:0 --metrics 127.0.0.1:0 --lease 3"));
  await("worker-1", absl::StrCat("--slots 1 --cache ", options_.folder,
                                 "/state/datasets --coordinator 127.0.0.1:7001 --state ",
                                 options_.folder, "/state/worker-1 --data cifar10=/data --a"));
  await("agent", absl::StrCat("--engine replay:/x.csv --coordinator 127.0.0.1:7001 --state ",
                              options_.folder, "/state/agent --b"));
}

TEST_F(LocalClusterTest, CoordinatorListensAgainWhereItDid) {
  Write("coordinator", "echo \"asked for $4\"\n" + absl::StrCat(kListens, kSleeps));
  LocalCluster cluster(options_);
  ASSERT_TRUE(cluster.Start("coordinator").ok());
  cluster.Kill("coordinator");
  EXPECT_FALSE(cluster.Running("coordinator"));
  ASSERT_TRUE(cluster.Start("coordinator").ok());
  EXPECT_THAT(cluster.LogTail("coordinator"), HasSubstr("asked for 127.0.0.1:7001"));
}

TEST_F(LocalClusterTest, CoordinatorThatEndsAtOnceIsSaidWithItsLastWords) {
  Write("coordinator", "echo 'population.db is no population database' >&2\nexit 1\n");
  LocalCluster cluster(options_);
  const absl::Status status = cluster.StartAll();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is no population database"));
  EXPECT_FALSE(cluster.Running("worker-1"));
}

TEST_F(LocalClusterTest, CoordinatorThatNeverListensIsSaidInTime) {
  Write("coordinator", kSleeps);
  options_.start_limit = absl::Milliseconds(50);
  LocalCluster cluster(options_);
  EXPECT_EQ(cluster.StartAll().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(cluster.Running("coordinator"));
}

TEST_F(LocalClusterTest, MissingProgramsAndRolesAreNotFound) {
  std::filesystem::remove(JoinPath(root_, "bin/worker"));
  LocalCluster cluster(options_);
  const absl::Status status = cluster.StartAll();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("bin/worker"));
  EXPECT_FALSE(cluster.Running("coordinator")) << "what was started is stopped";
  EXPECT_EQ(cluster.Start("worker-3").code(), absl::StatusCode::kNotFound);
}

TEST_F(LocalClusterTest, RoleRunsOnce) {
  LocalCluster cluster(options_);
  ASSERT_TRUE(cluster.Start("coordinator").ok());
  EXPECT_EQ(cluster.Start("coordinator").code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(LocalClusterTest, ChildrenGoWithAKilledProcessByThemselves) {
  Write("worker", kHasChild);
  LocalCluster cluster(options_);
  ASSERT_TRUE(cluster.StartAll().ok());
  const std::vector<ProcessInfo> children = AwaitChild(cluster, "worker-1", "cat");
  int survivors = -1;
  cluster.Kill("worker-1", &survivors);
  for (const ProcessInfo& child : children) EXPECT_FALSE(IsAlive(child)) << child.name;
  EXPECT_EQ(survivors, 0);
  EXPECT_FALSE(cluster.FirstEnded().has_value()) << "it was told to";
  EXPECT_TRUE(cluster.Running("worker-2"));
}

TEST_F(LocalClusterTest, ChildrenThatDoNotNoticeAreKilledAndCounted) {
  Write("worker", kLeavesChild);
  options_.stop_limit = absl::Milliseconds(100);
  LocalCluster cluster(options_);
  ASSERT_TRUE(cluster.StartAll().ok());
  // The child's own sleep is below it once it is up.
  const std::vector<ProcessInfo> children = AwaitChild(cluster, "worker-1", "sleep", 3);
  int survivors = 0;
  cluster.Kill("worker-1", &survivors);
  EXPECT_GT(survivors, 0);
  for (const ProcessInfo& child : children) EXPECT_FALSE(IsAlive(child)) << child.name;
}

TEST_F(LocalClusterTest, ProcessThatEndsByItselfIsNamedAndItsChildrenGo) {
  Write("jetson-agent", kLeavesChild);
  LocalCluster cluster(options_);
  ASSERT_TRUE(cluster.StartAll().ok());
  const std::vector<ProcessInfo> children = AwaitChild(cluster, "agent", "sleep", 3);
  EXPECT_FALSE(cluster.FirstEnded().has_value());
  ASSERT_EQ(::kill(cluster.Pid("agent"), SIGKILL), 0);
  std::optional<LocalCluster::Ended> ended;
  ASSERT_TRUE(AwaitCondition(kLong, [&] { return (ended = cluster.FirstEnded()).has_value(); }));
  EXPECT_EQ(ended->role, "agent");
  EXPECT_EQ(ended->how, "signal 9 (Killed)");
  options_.stop_limit = absl::Milliseconds(100);
  cluster.StopAll();
  for (const ProcessInfo& child : children) EXPECT_FALSE(IsAlive(child)) << child.name;
}

TEST_F(LocalClusterTest, StopIsPoliteFirst) {
  Write("worker", "trap 'exit 5' TERM\necho ready\nwhile true; do sleep 0.01; done\n");
  LocalCluster cluster(options_);
  ASSERT_TRUE(cluster.StartAll().ok());
  ASSERT_TRUE(AwaitLog(cluster, "worker-1", "ready"));
  EXPECT_EQ(cluster.Stop("worker-1"), "exit status 5");
  EXPECT_EQ(cluster.Stop("worker-1"), "not running");
}

TEST_F(LocalClusterTest, ProcessesEndWithTheOneThatStartedThem) {
  ASSERT_EQ(::access("/usr/bin/setpriv", X_OK), 0) << "it is part of Debian's util-linux";
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  const pid_t starter = ::fork();
  if (starter == 0) {
    LocalCluster cluster(options_);
    const bool started = cluster.StartAll().ok();
    const pid_t pid = started ? cluster.Pid("worker-2") : -1;
    if (::write(pipe_ends[1], &pid, sizeof pid) != sizeof pid) ::_exit(1);
    while (true) ::pause();
  }
  pid_t worker = 0;
  ASSERT_EQ(::read(pipe_ends[0], &worker, sizeof worker), static_cast<ssize_t>(sizeof worker));
  ASSERT_GT(worker, 0);
  ASSERT_EQ(::kill(worker, 0), 0);
  ASSERT_EQ(::kill(starter, SIGKILL), 0);
  ::waitpid(starter, nullptr, 0);
  // A zombie that nobody waits for is gone, too.
  char link[8];
  EXPECT_TRUE(AwaitCondition(kLong, [&] {
    return ::readlink(absl::StrCat("/proc/", worker, "/exe").c_str(), link, sizeof link) < 0;
  })) << "the worker outlived the process that started it";
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
}

}  // namespace
}  // namespace squish
