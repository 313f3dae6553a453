#include "ctl/local_cluster.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <regex>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/base/await.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

constexpr char kCoordinator[] = "coordinator";
constexpr char kAgent[] = "agent";
constexpr char kWorkerPrefix[] = "worker-";
// Part of util-linux, which every Debian has. The signal comes when the thread that
// started the process ends, also by SIGKILL, where no destructor of ours runs.
constexpr char kSetpriv[] = "/usr/bin/setpriv";
constexpr char kSetprivName[] = "setpriv";

}  // namespace

LocalCluster::LocalCluster(LocalClusterOptions options) : options_(std::move(options)) {}

LocalCluster::~LocalCluster() { StopAll(); }

std::vector<std::string> LocalCluster::roles() const {
  std::vector<std::string> roles = {kCoordinator};
  for (int i = 1; i <= options_.workers; ++i) roles.push_back(absl::StrCat(kWorkerPrefix, i));
  if (!options_.engine.empty()) roles.push_back(kAgent);
  return roles;
}

std::string LocalCluster::LogPath(const std::string& role) const {
  return JoinPath(options_.folder, absl::StrCat(role, ".log"));
}

std::vector<std::string> LocalCluster::CommandOf(const std::string& role) const {
  const auto program = [&](const char* name) { return JoinPath(options_.programs, name); };
  const auto append = [](std::vector<std::string> command, const std::vector<std::string>& more) {
    command.insert(command.end(), more.begin(), more.end());
    return command;
  };
  if (role == kCoordinator) {
    return append({program("coordinator"), "--population", options_.population, "--listen",
                   address_.empty() ? "127.0.0.1:0" : address_, "--metrics", "127.0.0.1:0"},
                  options_.coordinator_flags);
  }
  const auto between = options_.coordinator_of.find(role);
  const std::string& coordinator =
      between == options_.coordinator_of.end() ? address_ : between->second;
  const std::vector<std::string> common = {"--coordinator", coordinator, "--state",
                                           JoinPath(options_.folder, absl::StrCat("state/", role))};
  if (role == kAgent) {
    return append(append({program("jetson-agent"), "--engine", options_.engine}, common),
                  options_.agent_flags);
  }
  // They are all on this host: a data set is decoded once.
  std::vector<std::string> worker = append(
      {program("worker"), "--slots", "1", "--cache", JoinPath(options_.folder, "state/datasets")},
      common);
  for (const auto& [name, folder] : options_.data) {
    worker.push_back("--data");
    worker.push_back(absl::StrCat(name, "=", folder));
  }
  return append(std::move(worker), options_.worker_flags);
}

absl::Status LocalCluster::StartAll() {
  for (const std::string& role : roles()) {
    const absl::Status status = Start(role);
    if (status.ok()) continue;
    StopAll();
    return status;
  }
  return absl::OkStatus();
}

absl::Status LocalCluster::Start(const std::string& role) {
  const std::vector<std::string> known = roles();
  if (std::find(known.begin(), known.end(), role) == known.end()) {
    return absl::NotFoundError(absl::StrCat("there is no role '", role, "' in this cluster"));
  }
  if (Running(role)) return absl::FailedPreconditionError(absl::StrCat(role, " runs already"));
  SQUISH_RETURN_IF_ERROR(MakeFolder(options_.folder));
  ChildOptions child;
  child.command = CommandOf(role);
  if (::access(child.command[0].c_str(), X_OK) != 0) {
    return absl::NotFoundError(absl::StrCat("there is no program ", child.command[0],
                                            "; build it with ./squish build"));
  }
  if (::access(kSetpriv, X_OK) == 0) {
    child.command.insert(child.command.begin(), {kSetpriv, "--pdeathsig", "TERM", "--"});
  }
  child.environment = InheritedEnvironment();
  for (const auto& [name, value] : options_.environment) child.environment[name] = value;
  if (const auto own = options_.environment_of.find(role); own != options_.environment_of.end()) {
    for (const auto& [name, value] : own->second) child.environment[name] = value;
  }
  child.stdout_path = LogPath(role);
  child.stderr_path = LogPath(role);
  const auto old_log = ReadFile(LogPath(role));
  Process& process = processes_[role];
  auto started = Child::Spawn(child);
  if (started.ok()) {
    process.child = *std::move(started);
    process.descendants.clear();
  } else {
    processes_.erase(role);
    return started.status();
  }
  // From here on the process ends with us. It takes setpriv a millisecond.
  AwaitCondition(options_.start_limit, [&] {
    return NameOfProcess(process.child->pid()) != kSetprivName || process.child->Exited();
  });
  if (role != kCoordinator) return absl::OkStatus();
  const absl::Status status = AwaitListening(process, old_log.ok() ? old_log->size() : 0);
  if (!status.ok()) Kill(role);
  return status;
}

absl::Status LocalCluster::AwaitListening(Process& process, size_t log_start) {
  static const std::regex& pattern = *new std::regex(R"(listening on (\S+) metrics (\S+))");
  std::smatch found;
  std::string log;
  bool ended = false;
  const bool in_time = AwaitCondition(options_.start_limit, [&] {
    ended = process.child->Exited();  // Asked first: what it wrote last is then in the log.
    log = ReadFile(LogPath(kCoordinator)).value_or("");
    log.erase(0, std::min(log_start, log.size()));
    return std::regex_search(log, found, pattern) || ended;
  });
  if (found.size() == 3) {
    address_ = found[1];
    metrics_address_ = found[2];
    return absl::OkStatus();
  }
  if (ended) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the coordinator ended before it listened; its log ", LogPath(kCoordinator),
        " ends with\n", LogTail(kCoordinator)));
  }
  return in_time ? absl::OkStatus()
                 : absl::DeadlineExceededError(absl::StrCat(
                       "the coordinator does not listen after ",
                       absl::FormatDuration(options_.start_limit), "; see ", LogPath(kCoordinator)));
}

bool LocalCluster::Running(const std::string& role) {
  const auto found = processes_.find(role);
  return found != processes_.end() && !found->second.child->Exited();
}

pid_t LocalCluster::Pid(const std::string& role) {
  return Running(role) ? processes_.at(role).child->pid() : 0;
}

std::vector<ProcessInfo> LocalCluster::ChildrenOf(const std::string& role) {
  const pid_t pid = Pid(role);
  return pid == 0 ? std::vector<ProcessInfo>() : DescendantsOf(pid);
}

void LocalCluster::NoteDescendants() {
  for (auto& [role, process] : processes_) {
    std::vector<ProcessInfo> living;
    if (!process.child->Exited()) living = DescendantsOf(process.child->pid());
    // Those seen before may hang below somebody else by now, as when their parent ended.
    for (const ProcessInfo& seen : process.descendants) {
      const bool listed = std::any_of(living.begin(), living.end(), [&](const ProcessInfo& one) {
        return one.pid == seen.pid;
      });
      if (!listed && IsAlive(seen)) living.push_back(seen);
    }
    process.descendants = std::move(living);
  }
}

void LocalCluster::EndDescendants(std::vector<ProcessInfo> descendants, int* survivors) {
  const auto all_gone = [&] {
    descendants.erase(std::remove_if(descendants.begin(), descendants.end(),
                                     [](const ProcessInfo& one) { return !IsAlive(one); }),
                      descendants.end());
    return descendants.empty();
  };
  AwaitCondition(options_.stop_limit, all_gone);
  if (survivors != nullptr) *survivors = static_cast<int>(descendants.size());
  for (const ProcessInfo& process : descendants) KillProcess(process);
  AwaitCondition(options_.stop_limit, all_gone);
}

void LocalCluster::Kill(const std::string& role, int* survivors) {
  if (survivors != nullptr) *survivors = 0;
  const auto found = processes_.find(role);
  if (found == processes_.end()) return;
  NoteDescendants();
  std::vector<ProcessInfo> descendants = std::move(found->second.descendants);
  processes_.erase(found);  // Its destructor kills and reaps.
  EndDescendants(std::move(descendants), survivors);
}

std::string LocalCluster::Stop(const std::string& role) {
  const auto found = processes_.find(role);
  if (found == processes_.end()) return "not running";
  NoteDescendants();
  std::vector<ProcessInfo> descendants = std::move(found->second.descendants);
  found->second.child->Terminate();
  std::string how = found->second.child->CloseAndWait(options_.stop_limit);
  processes_.erase(found);
  EndDescendants(std::move(descendants), nullptr);
  return how;
}

void LocalCluster::StopAll() {
  // All are told first, so that they end side by side.
  NoteDescendants();
  for (auto& [role, process] : processes_) {
    if (role != kCoordinator) process.child->Terminate();
  }
  std::vector<ProcessInfo> descendants;
  while (!processes_.empty()) {
    // The coordinator goes last: until then the runners say goodbye to it.
    auto next = std::find_if(processes_.begin(), processes_.end(),
                             [](const auto& entry) { return entry.first != kCoordinator; });
    if (next == processes_.end()) {
      next = processes_.begin();
      next->second.child->Terminate();
    }
    next->second.child->CloseAndWait(options_.stop_limit);
    descendants.insert(descendants.end(), next->second.descendants.begin(),
                       next->second.descendants.end());
    processes_.erase(next);
  }
  EndDescendants(std::move(descendants), nullptr);
}

std::optional<LocalCluster::Ended> LocalCluster::FirstEnded() {
  for (auto& [role, process] : processes_) {
    if (process.child->Exited()) {
      return Ended{role, process.child->CloseAndWait(absl::ZeroDuration())};
    }
  }
  // Below a process that ends by itself nobody could be found any more.
  NoteDescendants();
  return std::nullopt;
}

std::string LocalCluster::LogTail(const std::string& role, int lines) const {
  const std::string log = ReadFile(LogPath(role)).value_or("(no log)");
  std::vector<std::string> all = absl::StrSplit(absl::StripSuffix(log, "\n"), '\n');
  const size_t first = all.size() - std::min(all.size(), static_cast<size_t>(lines));
  std::string tail;
  for (size_t i = first; i < all.size(); ++i) absl::StrAppend(&tail, "    ", all[i], "\n");
  return tail;
}

}  // namespace squish
