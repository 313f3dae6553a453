// The real programs as processes of this machine: one coordinator, workers, one agent,
// on loopback. The demo runs on it, and tests kill its processes one by one.
//
//   LocalCluster cluster(options);
//   SQUISH_RETURN_IF_ERROR(cluster.StartAll());
//   CoordinatorClient client(cluster.address());
//   cluster.Kill("worker-1");   // SIGKILL; its trainer goes with it
//   cluster.Start("worker-1");  // the same state folder
//   cluster.StopAll();          // SIGTERM, then SIGKILL; nothing is left behind
//
// Roles are "coordinator", "worker-1" … "worker-N" and "agent". Under OPTIONS.folder
// each has ROLE.log (appended to at each start) and, but for the coordinator,
// state/ROLE/. A coordinator that is started again listens where it did.
//
// Processes end with the thread that started them, however it ends (where Debian's
// setpriv is there). Not thread-safe.
#ifndef SQUISH_CTL_LOCAL_CLUSTER_H_
#define SQUISH_CTL_LOCAL_CLUSTER_H_

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/child/child.h"
#include "ctl/process_table.h"

namespace squish {

struct LocalClusterOptions {
  std::string programs;    // The folder with coordinator, worker, jetson-agent, …
  std::string folder;      // Logs and states; made if need be.
  std::string population;  // The database file.
  int workers = 2;
  std::string engine = "torch";             // Of the agent; empty: there is no agent.
  std::map<std::string, std::string> data;  // Data set name → folder, for workers.
  std::vector<std::string> coordinator_flags;  // Further ones.
  std::vector<std::string> worker_flags;
  std::vector<std::string> agent_flags;
  std::map<std::string, std::string> environment;  // Added to InheritedEnvironment().
  std::map<std::string, std::map<std::string, std::string>> environment_of;  // Of one role, too.
  // Role → where it finds the coordinator, when not at its address: what lies in between.
  std::map<std::string, std::string> coordinator_of;
  absl::Duration start_limit = absl::Seconds(30);  // Until a coordinator listens.
  absl::Duration stop_limit = absl::Seconds(10);   // Until SIGTERM becomes SIGKILL.
};

class LocalCluster {
 public:
  explicit LocalCluster(LocalClusterOptions options);
  ~LocalCluster();  // StopAll.
  LocalCluster(const LocalCluster&) = delete;
  LocalCluster& operator=(const LocalCluster&) = delete;

  // Coordinator first. On an error what was started is stopped.
  absl::Status StartAll();

  // Starts one role; the coordinator listens after OK. FAILED_PRECONDITION: it runs, or
  // ended before it listened (the message ends with its log's last lines). NOT_FOUND:
  // no such role or program. DEADLINE_EXCEEDED: the coordinator does not listen in time.
  absl::Status Start(const std::string& role);

  // SIGKILL. Returns after the process has ended and its descendants too: they get
  // `stop_limit` to notice by themselves, then SIGKILL; `survivors` is how many needed
  // that. Nothing happens when the role does not run.
  void Kill(const std::string& role, int* survivors = nullptr);

  // SIGTERM, after `stop_limit` SIGKILL. Returns how the process ended ("exit status 0").
  std::string Stop(const std::string& role);

  // Runners first, so that they can say goodbye, then the coordinator.
  void StopAll();

  std::vector<std::string> roles() const;
  bool Running(const std::string& role);
  // 0 when it does not run.
  pid_t Pid(const std::string& role);
  // Trainers, decoders and engines below a role's process.
  std::vector<ProcessInfo> ChildrenOf(const std::string& role);

  // A process that ended without being told to by Kill, Stop or StopAll.
  struct Ended {
    std::string role;
    std::string how;  // "signal 9 (Killed)"
  };
  std::optional<Ended> FirstEnded();

  std::string LogPath(const std::string& role) const;
  // The last lines of the role's log, indented.
  std::string LogTail(const std::string& role, int lines = 10) const;

  // "127.0.0.1:PORT" of the coordinator; empty before it was started.
  const std::string& address() const { return address_; }
  const std::string& metrics_address() const { return metrics_address_; }

 private:
  struct Process {
    std::unique_ptr<Child> child;
    std::vector<ProcessInfo> descendants;  // Seen below it so far.
  };
  std::vector<std::string> CommandOf(const std::string& role) const;
  absl::Status AwaitListening(Process& process, size_t log_start);
  void NoteDescendants();
  void EndDescendants(std::vector<ProcessInfo> descendants, int* survivors);

  const LocalClusterOptions options_;
  std::string address_;
  std::string metrics_address_;
  std::map<std::string, Process> processes_;  // By role; those that run or ended by themselves.
};

}  // namespace squish

#endif  // SQUISH_CTL_LOCAL_CLUSTER_H_
