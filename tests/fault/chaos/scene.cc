#include "tests/fault/chaos/scene.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

namespace fs = std::filesystem;

constexpr char kCoordinator[] = "coordinator";
constexpr char kAgent[] = "agent";
constexpr char kStore[] = "store";

// Short, so that much of what waits for them happens in a run; the longest faults outlast
// both (fault_plan.cc).
const char* const kCoordinatorFlags[] = {"--lease-seconds", "1", "--minimum-free-gigabytes", "0",
                                         "--set-aside-after", "0"};
constexpr char kChildSilenceSeconds[] = "2";

// A disk that nobody writes to is mended again.
constexpr absl::Duration kWriteLimit = absl::Seconds(2);
// A process may end so long after its disk has failed and still have ended over it.
constexpr absl::Duration kDiskBlame = absl::Seconds(5);
constexpr absl::Duration kStartAgain = absl::Milliseconds(100);
// From SIGTERM to the end: a runner says goodbye within 5 s, a coordinator waits 2 s.
constexpr absl::Duration kStopLimit = absl::Seconds(20);
// Of artifacts one of the newest is damaged: the likelier it is to be read.
constexpr size_t kNewest = 6;

absl::Duration Now() { return Clock::System().Steady(); }

std::string ChildOf(const std::string& role) { return absl::StrCat("child of ", role); }
std::string NetworkOf(const std::string& role) { return absl::StrCat("network of ", role); }
std::string DiskOf(const std::string& role) { return absl::StrCat("disk of ", role); }

std::vector<fs::path> FilesIn(const std::string& folder, absl::string_view suffix = "") {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator next(folder, error), end; !error && next != end;
       next.increment(error)) {
    if (absl::EndsWith(next->path().filename().string(), suffix)) files.push_back(next->path());
  }
  return files;
}

// One of the newest artifacts of a store; empty when there is none.
std::string PickArtifact(const std::string& folder, uint32_t pick) {
  std::vector<std::pair<fs::file_time_type, std::string>> files;
  std::error_code error;
  for (fs::recursive_directory_iterator next(folder, error), end; !error && next != end;
       next.increment(error)) {
    std::error_code gone;
    const auto written = next->last_write_time(gone);
    if (!gone && IsSha256Hex(next->path().filename().string())) {
      files.emplace_back(written, next->path().string());
    }
  }
  std::sort(files.rbegin(), files.rend());
  if (files.empty()) return "";
  return files[pick % std::min(files.size(), kNewest)].second;
}

// In place, as a bad sector would.
bool FlipByte(const std::string& path, uint32_t pick) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(0, std::ios::end);
  const std::streamoff size = file.tellg();
  if (!file || size <= 0) return false;
  const std::streamoff place = static_cast<std::streamoff>(pick) % size;
  file.seekg(place);
  const int byte = file.get();
  file.seekp(place);
  file.put(static_cast<char>(byte ^ 0x55));
  return static_cast<bool>(file.flush());
}

}  // namespace

Scene::Scene(SceneOptions options) : options_(std::move(options)) {}

Scene::~Scene() { Stop(); }

std::string Scene::population() const { return JoinPath(options_.folder, "population.db"); }
std::string Scene::kept_results() const { return JoinPath(options_.folder, "acknowledged"); }

std::vector<std::string> Scene::Runners() const {
  std::vector<std::string> runners = cluster_->roles();
  runners.erase(runners.begin());
  return runners;
}

absl::Status Scene::Start() {
  LocalClusterOptions options;
  options.programs = options_.programs;
  options.folder = options_.folder;
  options.population = population();
  options.workers = options_.workers;
  options.engine = "simulated";
  options.coordinator_flags.assign(std::begin(kCoordinatorFlags), std::end(kCoordinatorFlags));
  options.agent_flags = {"--engine-silence-seconds", kChildSilenceSeconds};
  options.worker_flags = {"--child-silence-seconds", kChildSilenceSeconds};
  options.stop_limit = kStopLimit;

  // The worker's children, under their names.
  const std::string stubs = JoinPath(options_.folder, "stubs");
  SQUISH_RETURN_IF_ERROR(MakeFolder(stubs));
  SQUISH_RETURN_IF_ERROR(MakeFolder(kept_results()));
  for (const char* child : {"trainer", "decoder", "exporter"}) {
    const std::string link = JoinPath(stubs, absl::StrCat("squish-", child));
    std::error_code error;
    fs::create_symlink(JoinPath(options_.programs, "squish-stub-children"), link, error);
    if (error) return ErrnoStatus(error.value(), "cannot link", link);
    options.worker_flags.push_back(absl::StrCat("--", child));
    options.worker_flags.push_back(link);
  }
  const auto add_disk = [&](const std::string& role) -> absl::Status {
    SQUISH_ASSIGN_OR_RETURN(
        disks_[role], BrokenDisk::Make(JoinPath(options_.folder, absl::StrCat(role, ".disk"))));
    options.environment_of[role] = disks_[role]->Environment(
        options_.library, options_.folder, role == kCoordinator ? "" : kept_results());
    return absl::OkStatus();
  };
  for (const std::string& role : LocalCluster(options).roles()) {
    SQUISH_RETURN_IF_ERROR(add_disk(role));
    if (role == kCoordinator) continue;
    proxies_[role] = std::make_unique<TcpProxy>();
    options.coordinator_of[role] = proxies_[role]->address();
  }
  cluster_ = std::make_unique<LocalCluster>(options);
  SQUISH_RETURN_IF_ERROR(cluster_->Start(kCoordinator));
  for (const auto& [role, proxy] : proxies_) proxy->SetTarget(cluster_->address());
  for (const std::string& role : Runners()) SQUISH_RETURN_IF_ERROR(cluster_->Start(role));
  client_ = std::make_unique<CoordinatorClient>(cluster_->address());
  return absl::OkStatus();
}

void Scene::Stop() {
  EndFaults();
  client_.reset();
  cluster_.reset();
}

// --- Faults ------------------------------------------------------------------------------

void Scene::Strike(const Fault& fault, const squish::Strike& strike, const std::string& holder,
                   Done done) {
  const std::vector<std::string> runners = Runners();
  const std::string worker =
      holder == kAgent ? runners[strike.pick % (runners.size() - 1)] : holder;
  const auto strike_daemon = [&](const std::string& role) {
    switch (fault.manner) {
      case Manner::kKill:
        return Kill(role);
      case Manner::kFreeze:
        return Freeze(role, strike.lasting);
      default:
        return Terminate(role);
    }
  };
  const int error = fault.manner == Manner::kNoSpace ? ENOSPC : EIO;
  switch (fault.victim) {
    case Victim::kCoordinator:
      return done(strike_daemon(kCoordinator));
    case Victim::kWorker:
      return done(strike_daemon(worker));
    case Victim::kAgent:
      return done(strike_daemon(kAgent));
    case Victim::kTrainer:
      return done(StrikeChild(fault.manner, worker, "squish-trainer", strike.lasting));
    case Victim::kEngine:
      return done(StrikeChild(fault.manner, kAgent, "jetson-agent", strike.lasting));
    case Victim::kNetwork:
      return done(StrikeNetwork(fault.manner, holder, strike.lasting));
    case Victim::kCoordinatorDisk:
      return BreakDisk(error, kCoordinator, strike, std::move(done));
    case Victim::kRunnerDisk:
      return BreakDisk(error, holder, strike, std::move(done));
    case Victim::kCache:
      return done(DamageCache(holder, strike.pick));
    case Victim::kStore:
      return done(DamageStore(strike.pick, strike.lasting));
  }
}

bool Scene::Kill(const std::string& role) {
  if (!cluster_->Running(role) || IsPending(role)) return false;
  End(ChildOf(role));  // A child that is stopped could not end with its daemon.
  told_to_end_.insert(role);
  int survivors = 0;
  cluster_->Kill(role, &survivors);
  if (survivors > 0) {
    problems_.push_back(absl::StrCat(survivors, " children outlived the ", role));
  }
  StartAgain(role);
  return true;
}

bool Scene::Terminate(const std::string& role) {
  const pid_t pid = cluster_->Pid(role);
  if (pid == 0 || IsPending(role)) return false;
  End(ChildOf(role));
  told_to_end_.insert(role);
  ::kill(pid, SIGTERM);
  // Over when another process has the role.
  Begin(
      role, kStopLimit,
      [this, role, pid, limit = Now() + kStopLimit] {
        if (cluster_->Pid(role) != pid || Now() < limit) return;
        problems_.push_back(absl::StrCat("the ", role, " did not end in ",
                                         absl::FormatDuration(kStopLimit), " after SIGTERM"));
        cluster_->Kill(role);
      },
      [this, role, pid] { return cluster_->Running(role) && cluster_->Pid(role) != pid; });
  return true;
}

bool Scene::Freeze(const std::string& role, absl::Duration lasting) {
  const pid_t pid = cluster_->Pid(role);
  if (pid == 0 || IsPending(role)) return false;
  ::kill(pid, SIGSTOP);
  Begin(role, lasting, [this, role, pid] {
    if (cluster_->Pid(role) == pid) ::kill(pid, SIGCONT);
  });
  return true;
}

std::optional<ProcessInfo> Scene::FindChild(const std::string& role, const std::string& program) {
  for (const ProcessInfo& child : cluster_->ChildrenOf(role)) {
    if (child.name == program) return child;
  }
  return std::nullopt;
}

bool Scene::StrikeChild(Manner manner, const std::string& role, const std::string& program,
                        absl::Duration lasting) {
  const std::string what = ChildOf(role);
  if (IsPending(what)) return false;
  const std::optional<ProcessInfo> child = FindChild(role, program);
  if (!child.has_value()) return false;
  if (manner == Manner::kKill) {
    KillProcess(*child);
  } else if (manner == Manner::kRestart) {
    ::kill(child->pid, SIGTERM);
  } else {
    ::kill(child->pid, SIGSTOP);
    Begin(what, lasting, [child = *child] {
      if (IsAlive(child)) ::kill(child.pid, SIGCONT);
    });
  }
  return true;
}

bool Scene::StrikeNetwork(Manner manner, const std::string& role, absl::Duration lasting) {
  TcpProxy& between = *proxies_.at(role);
  const std::string what = NetworkOf(role);
  if (IsPending(what) || between.Connections() == 0) return false;
  if (manner == Manner::kReset) return between.Reset() > 0;
  between.SetMode(manner == Manner::kDelay  ? TcpProxy::Mode::kDelay
                  : manner == Manner::kDrop ? TcpProxy::Mode::kDrop
                                            : TcpProxy::Mode::kHalfOpen);
  Begin(what, lasting, [&between] { between.SetMode(TcpProxy::Mode::kPass); });
  return true;
}

void Scene::BreakDisk(int error, const std::string& role, const squish::Strike& strike, Done done) {
  const std::string what = DiskOf(role);
  if (IsPending(what)) return done(false);
  BrokenDisk& disk = *disks_.at(role);
  const int64_t failed_before = disk.failed();
  disk.Break(error, strike.writes_before);
  const auto has_failed = [&disk, failed_before] { return disk.failed() > failed_before; };
  const auto mend = [this, &disk, role] {
    disk.Mend();
    disk_failed_[role] = Now();
  };
  Begin(
      what, kWriteLimit,
      [this, mend, has_failed, done, what, lasting = strike.lasting] {
        done(has_failed());
        if (!has_failed()) return mend();
        // It goes on failing for a while. Not `what` itself, which is just being ended.
        Begin(absl::StrCat(what, ", still"), lasting, mend);
      },
      has_failed);
}

bool Scene::DamageCache(const std::string& role, uint32_t pick) {
  const std::string cache = JoinPath(options_.folder, absl::StrCat("state/", role, "/artifacts"));
  const std::string victim = PickArtifact(cache, pick);
  return !victim.empty() && FlipByte(victim, pick);
}

bool Scene::DamageStore(uint32_t pick, absl::Duration lasting) {
  if (IsPending(kStore)) return false;
  const std::string victim = PickArtifact(absl::StrCat(population(), ".artifacts"), pick);
  if (victim.empty()) return false;
  const auto whole = ReadFile(victim);
  if (!whole.ok() || Sha256Hex(*whole) != fs::path(victim).filename().string() ||
      !FlipByte(victim, pick)) {
    return false;
  }
  // As an operator would, from a backup.
  Begin(kStore, lasting, [this, victim, whole = *whole] {
    const absl::Status mended = WriteFileDurably(victim, whole);
    if (!mended.ok()) problems_.emplace_back(mended.message());
  });
  return true;
}

// --- What goes on ----------------------------------------------------------------------------

bool Scene::IsPending(const std::string& what) const {
  return std::any_of(pending_.begin(), pending_.end(), [&what](const Pending& pending) {
    return pending.what == what || pending.what == absl::StrCat(what, ", still");
  });
}

void Scene::Begin(const std::string& what, absl::Duration lasting, std::function<void()> end,
                  std::function<bool()> is_over) {
  pending_.push_back({what, Now() + lasting, std::move(end), std::move(is_over)});
}

void Scene::End(const std::string& what) {
  for (auto next = pending_.begin(); next != pending_.end();) {
    if (next->what != what) {
      ++next;
      continue;
    }
    const auto end = std::move(next->end);
    next = pending_.erase(next);
    end();
  }
}

void Scene::EndFaults() {
  while (!pending_.empty()) End(std::string(pending_.front().what));
}

void Scene::Tend() {
  for (auto next = pending_.begin(); next != pending_.end();) {
    const bool over = Now() >= next->due || (next->is_over && next->is_over());
    if (!over) {
      ++next;
      continue;
    }
    const auto end = std::move(next->end);
    next = pending_.erase(next);
    end();
  }
  for (const auto& [role, disk] : disks_) {
    if (cluster_->Running(role)) continue;
    NoteEnd(role);
    if (Now() >= start_at_[role]) StartAgain(role);
  }
}

void Scene::NoteEnd(const std::string& role) {
  if (!told_to_end_.insert(role).second) return;
  const auto failed = disk_failed_.find(role);
  const bool over_disk = disks_.at(role)->broken() ||
                         (failed != disk_failed_.end() && Now() - failed->second < kDiskBlame);
  if (over_disk) {
    ++ended_by_disk_;
    return;
  }
  const auto ended = cluster_->FirstEnded();
  problems_.push_back(absl::StrCat("the ", role, " ended by itself (",
                                   ended.has_value() ? ended->how : "?", "):\n", LogTail(role)));
}

void Scene::StartAgain(const std::string& role) {
  const absl::Status started = cluster_->Start(role);
  start_at_[role] = Now() + kStartAgain;
  if (!started.ok()) {
    // Said once by whoever sees the end: it is started until it runs.
    if (!disks_.at(role)->broken()) told_to_end_.erase(role);
    return;
  }
  told_to_end_.erase(role);
  if (role == kCoordinator) client_ = std::make_unique<CoordinatorClient>(cluster_->address());
}

// --- Looking on ------------------------------------------------------------------------------

bool Scene::CoordinatorAnswers() { return IsUp(kCoordinator); }

bool Scene::IsUp(const std::string& role) {
  return cluster_->Running(role) && !IsPending(role) && told_to_end_.count(role) == 0;
}

std::string Scene::RunnerId(const std::string& role) {
  const auto id = ReadFile(JoinPath(options_.folder, absl::StrCat("state/", role, "/runner_id")));
  return id.ok() ? std::string(absl::StripAsciiWhitespace(*id)) : "";
}

bool Scene::Hold(const std::string& role) {
  const pid_t pid = cluster_->Pid(role);
  return pid != 0 && ::kill(pid, SIGSTOP) == 0;
}

void Scene::LetGo(const std::string& role) {
  // A freeze that struck meanwhile goes on.
  const bool frozen = IsPending(role) && told_to_end_.count(role) == 0;
  const pid_t pid = cluster_->Pid(role);
  if (pid != 0 && !frozen) ::kill(pid, SIGCONT);
}

bool Scene::HasSpooledResult(const std::string& role) const {
  return !FilesIn(JoinPath(options_.folder, absl::StrCat("state/", role, "/spool")), ".pb").empty();
}

bool Scene::HasOpenUpload() const {
  return !FilesIn(absl::StrCat(population(), ".artifacts/tmp")).empty();
}

}  // namespace squish
