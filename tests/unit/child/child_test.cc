#include "common/child/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/await.h"
#include "common/base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/checkout.h"
#include "tests/support/temporary_folder.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kLong = absl::Seconds(30);

std::unique_ptr<Child> Start(std::vector<std::string> arguments, ChildOptions options = {}) {
  options.command = {TestProgramPath("test_child")};
  for (std::string& argument : arguments) options.command.push_back(std::move(argument));
  auto child = Child::Spawn(options);
  EXPECT_TRUE(child.ok()) << child.status();
  return child.ok() ? *std::move(child) : nullptr;
}

// Whether the process goes within `kLong`. A zombie that nobody waits for yet counts as
// gone.
bool Ends(pid_t pid) {
  return AwaitCondition(kLong, [&] {
    if (::kill(pid, 0) != 0 && errno == ESRCH) return true;
    char link[8];  // A zombie has no executable.
    return ::readlink(absl::StrCat("/proc/", pid, "/exe").c_str(), link, sizeof link) < 0;
  });
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(ChildTest, LinesGoInAndComeBack) {
  const auto child = Start({"echo"});
  for (const std::string& line :
       std::vector<std::string>{"{}", "", "{\"a\": [1, 2]}", std::string(50'000, 'y')}) {
    ASSERT_TRUE(child->WriteLine(line).ok());
    EXPECT_EQ(child->ReadLine(kLong).value(), line);
  }
  EXPECT_FALSE(child->Exited());
  EXPECT_EQ(child->CloseAndWait(kLong), "exit status 0");
  EXPECT_TRUE(child->Exited());
}

TEST(ChildTest, SeveralLinesAtOnceAreReadOneByOne) {
  const auto child = Start({"echo"});
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(child->WriteLine(absl::StrCat("line ", i)).ok());
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(child->ReadLine(kLong).value(), absl::StrCat("line ", i));
  }
}

TEST(ChildTest, MissingExecutableIsNotFoundAndNamed) {
  ChildOptions options;
  options.command = {"/no/such/program"};
  const auto child = Child::Spawn(options);
  EXPECT_EQ(child.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(child.status()), HasSubstr("/no/such/program"));
}

TEST(ChildTest, FileThatIsNoProgramIsPermissionDenied) {
  ChildOptions options;
  options.command = {"/etc/passwd"};
  EXPECT_EQ(Child::Spawn(options).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST(ChildTest, NoCommandIsInvalid) {
  EXPECT_EQ(Child::Spawn(ChildOptions()).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ChildTest, SilenceIsDeadlineExceededAndTheChildLives) {
  const auto child = Start({"echo"});
  const auto line = child->ReadLine(absl::Milliseconds(20));
  EXPECT_EQ(line.status().code(), absl::StatusCode::kDeadlineExceeded);
  ASSERT_TRUE(child->WriteLine("still there").ok());
  EXPECT_EQ(child->ReadLine(kLong).value(), "still there");
}

TEST(ChildTest, ChildThatDoesNotReadIsDeadlineExceeded) {
  const auto child = Start({"hang"});
  ASSERT_TRUE(child->ReadLine(kLong).ok());
  EXPECT_EQ(child->WriteLine(std::string(1 << 20, 'x'), absl::Milliseconds(50)).code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST(ChildTest, EndlessLineIsRefused) {
  ChildOptions options;
  options.maximum_line_bytes = 10'000;
  const auto child = Start({"endless-line"}, options);
  EXPECT_EQ(child->ReadLine(kLong).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(ChildTest, LineWithANewlineIsNotWritten) {
  const auto child = Start({"echo"});
  EXPECT_EQ(child->WriteLine("a\nb").code(), absl::StatusCode::kInvalidArgument);
}

TEST(ChildTest, DeathSaysHow) {
  auto child = Start({"exit", "3"});
  auto line = child->ReadLine(kLong);
  EXPECT_EQ(line.status().code(), absl::StatusCode::kAborted);
  EXPECT_THAT(Message(line.status()), HasSubstr("exit status 3"));
  EXPECT_EQ(child->WriteLine("anybody?").code(), absl::StatusCode::kAborted);

  child = Start({"abort"});
  line = child->ReadLine(kLong);
  EXPECT_THAT(Message(line.status()), HasSubstr("signal 6 (Aborted)"));
}

TEST(ChildTest, HalfALineAtTheEndIsNoLine) {
  const auto child = Start({"half-line"});
  EXPECT_EQ(child->ReadLine(kLong).status().code(), absl::StatusCode::kAborted);
}

TEST(ChildTest, ClosedOutputIsAbortedThoughTheChildLives) {
  const auto child = Start({"closes-output"});
  const auto line = child->ReadLine(kLong);
  EXPECT_EQ(line.status().code(), absl::StatusCode::kAborted);
  EXPECT_THAT(Message(line.status()), HasSubstr("closed its output"));
}

TEST(ChildTest, KillFromAnotherThreadEndsAWait) {
  const auto child = Start({"hang"});
  ASSERT_TRUE(child->ReadLine(kLong).ok());
  std::thread killer([&] { child->Kill(); });
  const auto line = child->ReadLine(kLong);
  killer.join();
  EXPECT_THAT(Message(line.status()), HasSubstr("signal 9 (Killed)"));
  child->Kill();  // Again, after the end: nothing happens.
  child->Terminate();
}

TEST(ChildTest, TerminateEndsAChildThatListens) {
  const auto child = Start({"echo"});
  child->Terminate();
  EXPECT_EQ(child->CloseAndWait(kLong).substr(0, 6), "signal");
}

TEST(ChildTest, ChildThatIgnoresTheEndOfItsInputIsKilledInTime) {
  const auto child = Start({"hang"});
  ASSERT_TRUE(child->ReadLine(kLong).ok());
  EXPECT_EQ(child->CloseAndWait(absl::Milliseconds(20)), "signal 9 (Killed)");
}

TEST(ChildTest, DestructorKillsAndReaps) {
  pid_t pid = 0;
  {
    const auto child = Start({"hang"});
    ASSERT_TRUE(child->ReadLine(kLong).ok());
    pid = child->pid();
  }
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST(ChildTest, GrandchildrenGoWithTheChild) {
  const auto child = Start({"leaves-grandchild"});
  int grandchild = 0;
  ASSERT_TRUE(absl::SimpleAtoi(child->ReadLine(kLong).value(), &grandchild));
  // The child ends, the grandchild holds the output open.
  EXPECT_EQ(child->CloseAndWait(kLong), "exit status 0");
  EXPECT_TRUE(Ends(grandchild));
}

TEST(ChildTest, DeathIsSeenThoughAGrandchildHoldsTheOutput) {
  const auto child = Start({"leaves-grandchild"});
  int grandchild = 0;
  ASSERT_TRUE(absl::SimpleAtoi(child->ReadLine(kLong).value(), &grandchild));
  ASSERT_EQ(::kill(child->pid(), SIGUSR1), 0);
  const auto line = child->ReadLine(kLong);
  EXPECT_EQ(line.status().code(), absl::StatusCode::kAborted);
  EXPECT_THAT(Message(line.status()), HasSubstr("signal 10"));
  EXPECT_TRUE(Ends(grandchild));
}

TEST(ChildTest, NoDescriptorLeaks) {
  const int leaky = ::open("/dev/null", O_RDONLY);  // On purpose without O_CLOEXEC.
  const auto other = Start({"echo"});
  const auto child = Start({"descriptors"});
  EXPECT_EQ(child->ReadLine(kLong).value(), "0 1 2 ");
  ::close(leaky);
}

TEST(ChildTest, EnvironmentGroupNiceAndSignalsAreSetByUs) {
  ChildOptions options;
  options.environment = {{"COLOR", "green=yes"}};
  options.nice = 3;
  sigset_t term, before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &term, &before);
  const auto child = Start({"self"}, options);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  const int nice = std::min(19, ::getpriority(PRIO_PROCESS, 0) + 3);
  EXPECT_EQ(child->ReadLine(kLong).value(),
            absl::StrCat("group own nice ", nice, " sigterm open sigpipe default"));
  EXPECT_EQ(child->ReadLine(kLong).value(), "COLOR=green=yes");
  EXPECT_EQ(child->ReadLine(kLong).value(), "end");
}

TEST(ChildTest, InheritedEnvironmentKeepsOnlyWhatItNames) {
  ::setenv("OPENBLAS_CORETYPE", "Haswell", 1);
  ::setenv("SECRET_TOKEN", "x", 1);
  const auto kept = InheritedEnvironment();
  EXPECT_EQ(kept.at("OPENBLAS_CORETYPE"), "Haswell");
  EXPECT_EQ(kept.at("PATH"), ::getenv("PATH"));
  EXPECT_EQ(kept.count("SECRET_TOKEN"), 0u);
  ::unsetenv("OPENBLAS_CORETYPE");
  ::unsetenv("SECRET_TOKEN");
}

TEST(ChildTest, StderrIsAppendedToItsFile) {
  const std::string path = JoinPath(TemporaryFolder(), "log");
  ChildOptions options;
  options.stderr_path = path;
  EXPECT_EQ(Start({"stderr"}, options)->CloseAndWait(kLong), "exit status 0");
  EXPECT_EQ(Start({"stderr"}, options)->CloseAndWait(kLong), "exit status 0");
  EXPECT_EQ(ReadFile(path).value(), "to stderr\nto stderr\n");
  std::filesystem::remove(path);
}

TEST(ChildTest, StdoutMayGoToAFileInstead) {
  const std::string path = JoinPath(TemporaryFolder(), "log");
  ChildOptions options;
  options.stdout_path = path;
  const auto child = Start({"echo"}, options);
  ASSERT_TRUE(child->WriteLine("to the file").ok());
  EXPECT_EQ(child->CloseAndWait(kLong), "exit status 0");
  EXPECT_EQ(child->ReadLine(kLong).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(ReadFile(path).value(), "to the file\n");
  std::filesystem::remove(path);
}

TEST(ChildTest, LogThatCannotBeOpenedIsNamed) {
  ChildOptions options;
  options.command = {TestProgramPath("test_child")};
  options.stderr_path = "/no/such/folder/log";
  EXPECT_THAT(Message(Child::Spawn(options).status()), HasSubstr("/no/such/folder/log"));
}

TEST(ChildTest, ChildrenEndWhenTheirParentIsKilled) {
  const auto parent = Start({"parent"});
  int grandchild = 0;
  ASSERT_TRUE(absl::SimpleAtoi(parent->ReadLine(kLong).value(), &grandchild));
  ASSERT_EQ(::kill(grandchild, 0), 0);
  // The parent alone, as by a stray SIGKILL: its child is in a group of its own.
  ASSERT_EQ(::kill(parent->pid(), SIGKILL), 0);
  EXPECT_TRUE(Ends(grandchild));
}

}  // namespace
}  // namespace squish
