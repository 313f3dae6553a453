// Processes of this machine, from /proc.
#ifndef SQUISH_CTL_PROCESS_TABLE_H_
#define SQUISH_CTL_PROCESS_TABLE_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace squish {

// Number and start time together name a process for good; numbers are used again.
struct ProcessInfo {
  pid_t pid = 0;
  uint64_t start_ticks = 0;  // Since boot.
  std::string name;          // Of the executable, cut to 15 characters by the kernel.
};

// Every process below `pid`, parents before their children; zombies left out.
std::vector<ProcessInfo> DescendantsOf(pid_t pid);

// The name of a process as in ProcessInfo; empty when there is none.
std::string NameOfProcess(pid_t pid);

// Whether it still runs (a zombie does not).
bool IsAlive(const ProcessInfo& process);

// SIGKILL, if it is still the same process.
void KillProcess(const ProcessInfo& process);

}  // namespace squish

#endif  // SQUISH_CTL_PROCESS_TABLE_H_
