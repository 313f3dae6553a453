#include "ctl/process_table.h"

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace squish {
namespace {

struct Entry {
  ProcessInfo process;
  pid_t parent = 0;
};

// The line of proc(5)'s /proc/PID/stat; nothing when there is no such process or it is
// a zombie.
std::optional<Entry> ReadEntry(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // The name stands in parentheses and may hold any.
  const size_t open = line.find('('), close = line.rfind(')');
  if (open == std::string::npos || close == std::string::npos) return std::nullopt;
  Entry entry;
  entry.process.pid = pid;
  entry.process.name = line.substr(open + 1, close - open - 1);
  std::istringstream fields(line.substr(close + 1));
  std::string state, skipped;
  fields >> state >> entry.parent;
  // Fields 5 to 21 lie between the parent (4) and the start time (22).
  for (int i = 5; i <= 21; ++i) fields >> skipped;
  fields >> entry.process.start_ticks;
  if (!fields || state == "Z" || state == "X") return std::nullopt;
  return entry;
}

}  // namespace

std::vector<ProcessInfo> DescendantsOf(pid_t pid) {
  std::multimap<pid_t, ProcessInfo> children;
  std::error_code error;
  for (std::filesystem::directory_iterator next("/proc", error), end; !error && next != end;
       next.increment(error)) {
    pid_t number = 0;
    if (!absl::SimpleAtoi(next->path().filename().string(), &number)) continue;
    if (const auto entry = ReadEntry(number); entry.has_value()) {
      children.emplace(entry->parent, entry->process);
    }
  }
  std::vector<ProcessInfo> found;
  const auto add_children_of = [&](pid_t parent) {
    const auto [first, last] = children.equal_range(parent);
    for (auto child = first; child != last; ++child) found.push_back(child->second);
  };
  add_children_of(pid);
  for (size_t i = 0; i < found.size(); ++i) add_children_of(found[i].pid);
  return found;
}

std::string NameOfProcess(pid_t pid) {
  const auto entry = ReadEntry(pid);
  return entry.has_value() ? entry->process.name : "";
}

bool IsAlive(const ProcessInfo& process) {
  const auto entry = ReadEntry(process.pid);
  return entry.has_value() && entry->process.start_ticks == process.start_ticks;
}

void KillProcess(const ProcessInfo& process) {
  if (IsAlive(process)) ::kill(process.pid, SIGKILL);
}

}  // namespace squish
