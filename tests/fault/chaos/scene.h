// Real processes on loopback, each runner behind a proxy of its own and every disk ready to
// fail; and what can be done to them.
//
//   Scene scene(options);
//   SQUISH_RETURN_IF_ERROR(scene.Start());
//   scene.Strike(fault, strike, "worker-1", [](bool struck) { … });
//   scene.Tend();        // again and again: ends what has lasted, starts what has ended
//   scene.EndFaults();   // everything is whole again
//
// A process that ends without having been told to is a problem, unless its disk was failing
// at the time: then it is started again, as an operator or a supervisor would.
// Not thread-safe; one thread, with which the processes end (ctl/local_cluster.h).
#ifndef SQUISH_TESTS_FAULT_CHAOS_SCENE_H_
#define SQUISH_TESTS_FAULT_CHAOS_SCENE_H_

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "ctl/coordinator_client.h"
#include "ctl/local_cluster.h"
#include "squish/v1/experiment_service.pb.h"
#include "tests/fault/chaos/broken_disk.h"
#include "tests/fault/chaos/fault_plan.h"
#include "tests/fault/chaos/tcp_proxy.h"

namespace squish {

struct SceneOptions {
  std::string programs;  // The folder with coordinator, worker, …, and the stubs.
  std::string library;   // libsquish_broken_disk.so
  std::string folder;
  int workers = 3;
};

class Scene {
 public:
  explicit Scene(SceneOptions options);
  ~Scene();

  absl::Status Start();
  // In order; nothing is left running.
  void Stop();

  // Whether the fault could strike is told at once, or, of a disk, when a write has failed
  // or none has for too long. `holder` is the runner that is at work; where the victim has no
  // part in that work, it is one that stands by.
  using Done = std::function<void(bool struck)>;
  void Strike(const Fault& fault, const Strike& strike, const std::string& holder, Done done);
  // Ends what has lasted long enough and starts what has ended.
  void Tend();
  void EndFaults();
  // How many go on.
  int FaultsUnderWay() const { return static_cast<int>(pending_.size()); }

  // Whether the coordinator can be asked: it was neither stopped nor told to end.
  bool CoordinatorAnswers();
  // Renewed with each coordinator: a channel that has seen it die waits before it looks again.
  CoordinatorClient& client() { return *client_; }

  std::vector<std::string> Runners() const;  // Roles: workers, then the agent.
  // Runs, and is not stopped.
  bool IsUp(const std::string& role);
  // Of a role's RunnerInfo.id; empty before it has one.
  std::string RunnerId(const std::string& role);
  TcpProxy& proxy(const std::string& role) { return *proxies_.at(role); }
  // Stops the daemon, so that what it is at stays so, and lets it go on.
  bool Hold(const std::string& role);
  void LetGo(const std::string& role);

  bool HasSpooledResult(const std::string& role) const;
  // Whether the coordinator is taking an upload.
  bool HasOpenUpload() const;

  std::string population() const;
  std::string kept_results() const;
  std::string LogTail(const std::string& role) const { return cluster_->LogTail(role, 20); }
  // What went wrong so far, a sentence each.
  const std::vector<std::string>& problems() const { return problems_; }
  // How often a process ended by itself while its disk was failing.
  int ended_by_disk() const { return ended_by_disk_; }

 private:
  // Something that goes on for a while.
  struct Pending {
    std::string what;  // One of a kind at a time.
    absl::Duration due;
    std::function<void()> end;
    std::function<bool()> is_over;  // Before it is due; may be empty.
  };

  bool IsPending(const std::string& what) const;
  void Begin(const std::string& what, absl::Duration lasting, std::function<void()> end,
             std::function<bool()> is_over = nullptr);
  void End(const std::string& what);

  bool Kill(const std::string& role);
  bool Terminate(const std::string& role);
  bool Freeze(const std::string& role, absl::Duration lasting);
  std::optional<ProcessInfo> FindChild(const std::string& role, const std::string& program);
  bool StrikeChild(Manner manner, const std::string& role, const std::string& program,
                   absl::Duration lasting);
  bool StrikeNetwork(Manner manner, const std::string& role, absl::Duration lasting);
  void BreakDisk(int error, const std::string& role, const squish::Strike& strike, Done done);
  bool DamageCache(const std::string& role, uint32_t pick);
  bool DamageStore(uint32_t pick, absl::Duration lasting);
  void StartAgain(const std::string& role);
  void NoteEnd(const std::string& role);

  const SceneOptions options_;
  std::map<std::string, std::unique_ptr<TcpProxy>> proxies_;  // By runner.
  std::map<std::string, std::unique_ptr<BrokenDisk>> disks_;  // By role.
  std::unique_ptr<LocalCluster> cluster_;
  std::unique_ptr<CoordinatorClient> client_;
  std::list<Pending> pending_;
  std::set<std::string> told_to_end_;                  // Roles, until they are started again.
  std::map<std::string, absl::Duration> disk_failed_;  // Role → when last, by the steady clock.
  std::map<std::string, absl::Duration> start_at_;     // Role → not before.
  std::vector<std::string> problems_;
  int ended_by_disk_ = 0;
};

}  // namespace squish

#endif  // SQUISH_TESTS_FAULT_CHAOS_SCENE_H_
