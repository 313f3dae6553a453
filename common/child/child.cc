#include "common/child/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/base/call_once.h"
#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/child/patience.h"

extern char** environ;

namespace squish {
namespace {

// How often a wait looks whether the child has ended, where no descriptor says so: in
// CloseAndWait; and in ReadLine, where a grandchild may hold the output open.
constexpr absl::Duration kLookForEnd = absl::Milliseconds(50);
constexpr absl::Duration kLook = absl::Milliseconds(200);
static_assert(kLook < Patience::kMostBetweenLooks);  // Else waiting itself would not count.
// Between the end of a child's output and the end of the child lies its clean-up.
constexpr absl::Duration kEndGrace = absl::Seconds(2);

absl::Duration Steady() { return Clock::System().Steady(); }

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { Close(); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }
  void Close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

struct Pipe {
  Descriptor read, write;
};

// Both ends close on exec and lie above the standard descriptors, which the spawn
// would otherwise overwrite where the parent itself runs without them.
absl::StatusOr<Pipe> MakePipe() {
  std::array<int, 2> ends;
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return ErrnoStatus(errno, "cannot make", "a pipe");
  Pipe pipe{Descriptor(ends[0]), Descriptor(ends[1])};
  for (Descriptor* end : {&pipe.read, &pipe.write}) {
    if (end->get() > STDERR_FILENO) continue;
    Descriptor higher(::fcntl(end->get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (higher.get() < 0) return ErrnoStatus(errno, "cannot duplicate", "a pipe");
    *end = std::move(higher);
  }
  return pipe;
}

absl::StatusOr<Descriptor> OpenLog(const std::string& path) {
  Descriptor log(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (log.get() < 0) return ErrnoStatus(errno, "cannot open", path);
  return log;
}

// Everything that posix_spawn is told, freed at the end of the scope.
class SpawnPlan {
 public:
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  void Redirect(const Descriptor& from, int to) {
    posix_spawn_file_actions_adddup2(&actions_, from.get(), to);
  }

  // Returns 0 or an errno.
  int Start(const ChildOptions& options, pid_t* pid) {
    posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (options.own_group) flags |= POSIX_SPAWN_SETPGROUP;
    posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
    std::vector<char*> arguments;
    for (const std::string& argument : options.command) {
      arguments.push_back(const_cast<char*>(argument.c_str()));
    }
    arguments.push_back(nullptr);
    std::vector<std::string> settings;
    for (const auto& [name, value] : options.environment) {
      settings.push_back(absl::StrCat(name, "=", value));
    }
    std::vector<char*> environment;
    for (std::string& setting : settings) environment.push_back(setting.data());
    environment.push_back(nullptr);
    return ::posix_spawn(pid, arguments[0], &actions_, &attributes_, arguments.data(),
                         environment.data());
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

// Starts the plan with options.nice added to ours. A child inherits the niceness of the
// thread that spawns it, so that a thread of its own, which has set its own, gives it to
// the child from its first instruction on. Returns 0 or an errno (EAGAIN: no more threads).
int StartNicely(SpawnPlan& plan, const ChildOptions& options, pid_t* pid) {
  if (options.nice == 0) return plan.Start(options, pid);
  int error = 0;
  try {
    std::thread([&] {
      const int ours = ::getpriority(PRIO_PROCESS, 0);
      ::setpriority(PRIO_PROCESS, 0, ours + options.nice);
      error = plan.Start(options, pid);
    }).join();
  } catch (const std::system_error& no_thread) {
    error = no_thread.code().value();
  }
  return error;
}

// A write to a child that is gone is to be an error, not the end of this process.
void IgnoreSigpipe() {
  static absl::once_flag once;
  absl::call_once(once, [] {
    struct sigaction action;
    if (::sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler == SIG_DFL) {
      action.sa_handler = SIG_IGN;
      ::sigaction(SIGPIPE, &action, nullptr);
    }
  });
}

// Waits until the descriptor is ready, for so long. False: it is not.
bool WaitReady(int fd, short events, absl::Duration limit) {
  pollfd watched = {fd, events, 0};
  const absl::Duration rounded = absl::Ceil(limit, absl::Milliseconds(1));
  const int ready = ::poll(&watched, 1, static_cast<int>(absl::ToInt64Milliseconds(rounded)));
  // Of a failure the next read or write says what it is.
  return ready > 0 || (ready < 0 && errno != EINTR);
}

std::string Describe(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return absl::StrCat("exit status ", info.si_status);
  return absl::StrCat("signal ", info.si_status, " (", ::strsignal(info.si_status), ")");
}

}  // namespace

std::map<std::string, std::string> InheritedEnvironment() {
  std::map<std::string, std::string> kept;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const absl::string_view setting(*entry);
    const size_t equals = setting.find('=');
    if (equals == absl::string_view::npos) continue;
    const absl::string_view name = setting.substr(0, equals);
    bool keep = absl::StartsWith(name, "CUDA_") || absl::StartsWith(name, "OPENBLAS_");
    for (const char* plain : {"PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH"}) {
      keep = keep || name == plain;
    }
    if (keep) kept[std::string(name)] = std::string(setting.substr(equals + 1));
  }
  return kept;
}

struct Child::State {
  std::string name;  // Of the executable, for messages.
  size_t maximum_line_bytes = 0;
  bool own_group = true;
  Descriptor input;   // We write.
  Descriptor output;  // We read.
  std::string buffer;
  size_t scanned = 0;  // So many bytes of the buffer hold no newline.

  absl::Mutex mutex;
  pid_t pid = 0;
  // Set once reaped; the pid may then belong to somebody else.
  std::optional<std::string> ending ABSL_GUARDED_BY(mutex);

  void Signal(int signal) {
    absl::MutexLock lock(&mutex);
    if (!ending.has_value()) ::kill(own_group ? -pid : pid, signal);
  }

  // How the child ended, once it has.
  std::optional<std::string> Reap() {
    absl::MutexLock lock(&mutex);
    if (ending.has_value()) return ending;
    siginfo_t info = {};
    // Looked at first and reaped after: until then the group's number is still its own,
    // and what the child left behind can be killed by it.
    if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
      if (info.si_pid == 0) return std::nullopt;
      if (own_group) ::kill(-pid, SIGKILL);
      while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED) != 0 && errno == EINTR) {
      }
      ending = Describe(info);
    } else {
      ending = "an end that somebody else has waited for";
    }
    return ending;
  }

  std::optional<std::string> WaitForEnd(absl::Duration timeout) {
    const absl::Duration end = Steady() + timeout;
    absl::Duration pause = absl::Milliseconds(1);
    while (true) {
      if (auto how = Reap(); how.has_value()) return how;
      const absl::Duration left = end - Steady();
      if (left <= absl::ZeroDuration()) return std::nullopt;
      absl::SleepFor(std::min(pause, left));
      pause = std::min(pause * 2, kLookForEnd);
    }
  }

  absl::Status Gone() {
    const auto how = WaitForEnd(kEndGrace);
    return absl::AbortedError(how.has_value()
                                  ? absl::StrCat(name, " has ended: ", *how)
                                  : absl::StrCat(name, " has closed its output and still runs"));
  }

  // The next whole line of the buffer.
  std::optional<std::string> TakeLine() {
    const size_t newline = buffer.find('\n', scanned);
    scanned = newline == std::string::npos ? buffer.size() : 0;
    if (newline == std::string::npos) return std::nullopt;
    std::string line = buffer.substr(0, newline);
    buffer.erase(0, newline + 1);
    return line;
  }

  absl::Status LineTooLong() const {
    return absl::ResourceExhaustedError(
        absl::StrCat(name, " wrote a line of more than ", maximum_line_bytes, " bytes"));
  }

  // Appends what there is to read. False: nothing now. ABORTED: nothing ever again.
  absl::StatusOr<bool> Fill() {
    std::array<char, 65536> block;
    const ssize_t count = ::read(output.get(), block.data(), block.size());
    if (count > 0) {
      buffer.append(block.data(), static_cast<size_t>(count));
      return true;
    }
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    return Gone();
  }
};

Child::Child(std::unique_ptr<State> state) : state_(std::move(state)) {}

absl::StatusOr<std::unique_ptr<Child>> Child::Spawn(const ChildOptions& options) {
  if (options.command.empty() || options.nice < 0) {
    return absl::InvalidArgumentError("a child needs a command, and a nice of at least 0");
  }
  IgnoreSigpipe();
  SQUISH_ASSIGN_OR_RETURN(Pipe input, MakePipe());
  SQUISH_ASSIGN_OR_RETURN(Pipe output, MakePipe());
  ::fcntl(input.write.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(output.read.get(), F_SETFL, O_NONBLOCK);
  SpawnPlan plan;
  plan.Redirect(input.read, STDIN_FILENO);
  plan.Redirect(output.write, STDOUT_FILENO);
  Descriptor error_log, output_log;
  if (!options.stderr_path.empty()) {
    SQUISH_ASSIGN_OR_RETURN(error_log, OpenLog(options.stderr_path));
    plan.Redirect(error_log, STDERR_FILENO);
  }
  if (!options.stdout_path.empty()) {
    SQUISH_ASSIGN_OR_RETURN(output_log, OpenLog(options.stdout_path));
    plan.Redirect(output_log, STDOUT_FILENO);
  }
  auto state = std::make_unique<State>();
  const std::string& path = options.command[0];
  state->name = path.substr(path.rfind('/') + 1);
  state->maximum_line_bytes = options.maximum_line_bytes;
  state->own_group = options.own_group;
  const int error = StartNicely(plan, options, &state->pid);
  if (error != 0) return ErrnoStatus(error, "cannot start", path);
  state->input = std::move(input.write);
  state->output = std::move(output.read);
  return std::unique_ptr<Child>(new Child(std::move(state)));
}

Child::~Child() {
  Kill();
  state_->WaitForEnd(absl::InfiniteDuration());
}

absl::Status Child::WriteLine(absl::string_view line, absl::Duration timeout) {
  if (line.find('\n') != absl::string_view::npos) {
    return absl::InvalidArgumentError("a line to a child may not hold a newline");
  }
  const std::string whole = absl::StrCat(line, "\n");
  absl::string_view rest = whole;
  Patience patience(timeout, Steady());
  while (!rest.empty()) {
    const ssize_t count = ::write(state_->input.get(), rest.data(), rest.size());
    if (count >= 0) {
      rest.remove_prefix(static_cast<size_t>(count));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return state_->Gone();
    if (patience.IsOver(Steady())) {
      return absl::DeadlineExceededError(absl::StrCat(
          state_->name, " did not read its input for ", absl::FormatDuration(timeout)));
    }
    WaitReady(state_->input.get(), POLLOUT, std::min(patience.left(), kLook));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Child::ReadLine(absl::Duration timeout) {
  Patience patience(timeout, Steady());
  while (true) {
    if (auto line = state_->TakeLine(); line.has_value()) {
      if (line->size() > state_->maximum_line_bytes) return state_->LineTooLong();
      return *std::move(line);
    }
    if (state_->buffer.size() > state_->maximum_line_bytes) return state_->LineTooLong();
    SQUISH_ASSIGN_OR_RETURN(const bool more, state_->Fill());
    if (more && state_->buffer.find('\n', state_->scanned) != std::string::npos) continue;
    if (patience.IsOver(Steady())) {
      return absl::DeadlineExceededError(
          absl::StrCat(state_->name, " said nothing whole for ", absl::FormatDuration(timeout)));
    }
    if (WaitReady(state_->output.get(), POLLIN, std::min(patience.left(), kLook))) continue;
    // Reaping kills whoever else may hold the output open, so that its end is seen.
    Exited();
  }
}

void Child::Kill() { state_->Signal(SIGKILL); }

void Child::Terminate() { state_->Signal(SIGTERM); }

std::string Child::CloseAndWait(absl::Duration timeout) {
  state_->input.Close();
  if (auto how = state_->WaitForEnd(timeout); how.has_value()) return *how;
  Kill();
  return state_->WaitForEnd(absl::InfiniteDuration()).value_or("");
}

bool Child::Exited() { return state_->Reap().has_value(); }

pid_t Child::pid() const { return state_->pid; }

}  // namespace squish
