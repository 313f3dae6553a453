// A child process that speaks newline-delimited JSON on stdin and stdout.
//
//   Spawn (posix_spawn, own process group, environment set by us)
//     ──► WriteLine / ReadLine (with deadlines, bounded lines)
//     ──► Kill (SIGKILL to the group) or Close and Wait
//
// stderr goes to a file or is inherited. A child that says nothing in time, breaks
// its protocol or dies is an error for one job, never for the parent. A child inherits
// stdin, stdout, stderr and no other descriptor. When it ends, whatever it left in its
// process group is killed with it.
//
// Children of ours end with their parent, however it ends: the kernel closes its end
// of stdin, and parent_watch.h ends the child on that, also while it computes.
// (PR_SET_PDEATHSIG would fire when the *thread* that spawned the child ends.)
//
// Thread-compatible: one thread at a time; Kill, Terminate and pid may be called from
// any thread. The first Spawn makes the process ignore SIGPIPE if nobody handles it.
#ifndef SQUISH_COMMON_CHILD_CHILD_H_
#define SQUISH_COMMON_CHILD_CHILD_H_

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace squish {

struct ChildOptions {
  std::vector<std::string> command;  // Path and arguments.
  // The whole environment; use InheritedEnvironment() for a sensible base.
  std::map<std::string, std::string> environment;
  std::string stderr_path;  // Appended to; empty: inherited.
  // Appended to; empty: read by ReadLine, which otherwise says ABORTED.
  std::string stdout_path;
  // Added to ours; at least 0. A nicer child is spawned by a thread that then ends: a
  // command that asks for PR_SET_PDEATHSIG must not be nicer.
  int nice = 0;
  size_t maximum_line_bytes = 1 << 20;
  // false: it stays in our process group and ends with that; only itself is signalled.
  bool own_group = true;
};

// Of our own environment what a child may keep: PATH, HOME, LANG, TZ, TMPDIR,
// LD_LIBRARY_PATH, CUDA_*, OPENBLAS_*; nothing else.
std::map<std::string, std::string> InheritedEnvironment();

class Child {
 public:
  // NOT_FOUND or PERMISSION_DENIED: the executable cannot be started (names it).
  static absl::StatusOr<std::unique_ptr<Child>> Spawn(const ChildOptions& options);

  // Kills and reaps a child that still runs.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // ABORTED: the child is gone. DEADLINE_EXCEEDED: it does not read (part of the line
  // may have gone out: kill it). INVALID_ARGUMENT: the line holds a newline.
  absl::Status WriteLine(absl::string_view line, absl::Duration timeout = absl::Seconds(10));

  // The next line without its newline. DEADLINE_EXCEEDED: no whole line came in time; time in
  // which this process was itself suspended does not count (patience.h), here and above.
  // RESOURCE_EXHAUSTED: a line is too long. ABORTED: the child closed its output or
  // died; the message says how (exit status or signal).
  absl::StatusOr<std::string> ReadLine(absl::Duration timeout);

  // SIGKILL to the whole group, if it has one of its own. Idempotent, thread-safe.
  void Kill();

  // SIGTERM to the whole group. Idempotent, thread-safe.
  void Terminate();

  // Closes stdin, waits up to `timeout` for the end, then kills. Returns how it
  // ended: "exit status 3", "signal 9 (Killed)".
  std::string CloseAndWait(absl::Duration timeout);

  // Whether it has ended (reaps it).
  bool Exited();

  pid_t pid() const;

 private:
  struct State;
  explicit Child(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace squish

#endif  // SQUISH_COMMON_CHILD_CHILD_H_
