// What the tests of Child start: a child that behaves as its argument says.
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "absl/time/time.h"
#include "common/child/child.h"
#include "common/child/parent_watch.h"

extern char** environ;

namespace {

void Echo() {
  for (std::string line; std::getline(std::cin, line);) std::cout << line << std::endl;
}

void ListDescriptors() {
  DIR* folder = opendir("/proc/self/fd");
  while (const dirent* entry = readdir(folder)) {
    const int fd = std::atoi(entry->d_name);
    if (entry->d_name[0] != '.' && fd != dirfd(folder)) std::cout << fd << " ";
  }
  closedir(folder);
  std::cout << std::endl;
}

void DescribeSelf() {
  sigset_t blocked;
  sigprocmask(SIG_BLOCK, nullptr, &blocked);
  struct sigaction pipe_action;
  sigaction(SIGPIPE, nullptr, &pipe_action);
  std::cout << "group " << (getpgrp() == getpid() ? "own" : "shared") << " nice "
            << getpriority(PRIO_PROCESS, 0) << " sigterm "
            << (sigismember(&blocked, SIGTERM) ? "blocked" : "open") << " sigpipe "
            << (pipe_action.sa_handler == SIG_DFL ? "default" : "changed") << std::endl;
  for (char** entry = environ; *entry != nullptr; ++entry) std::cout << *entry << std::endl;
  std::cout << "end" << std::endl;
}

// Starts a busy child that watches for the end of its parent, and waits to be killed.
int BeParent(const std::string& self) {
  squish::ChildOptions options;
  options.command = {self, "busy"};
  auto child = squish::Child::Spawn(options);
  if (!child.ok() || !(*child)->ReadLine(absl::Seconds(20)).ok()) return 1;
  std::cout << (*child)->pid() << std::endl;
  while (true) pause();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "echo") Echo();
  if (what == "exit") return std::atoi(argv[2]);
  if (what == "abort") std::abort();
  if (what == "stderr") std::cerr << "to stderr" << std::endl;
  if (what == "descriptors") ListDescriptors();
  if (what == "self") DescribeSelf();
  if (what == "endless-line") {
    while (std::cout << std::string(4096, 'x')) {
    }
  }
  if (what == "half-line") std::cout << "no newline" << std::flush;
  if (what == "hang") {
    std::cout << "hanging" << std::endl;
    signal(SIGTERM, SIG_IGN);
    while (true) pause();
  }
  if (what == "closes-output") {
    close(STDOUT_FILENO);
    while (true) pause();
  }
  if (what == "leaves-grandchild") {
    std::cout.flush();
    if (fork() == 0) {
      std::cout << getpid() << std::endl;
      while (true) pause();
    }
    Echo();
  }
  if (what == "busy") {
    squish::EndWithParent();
    std::cout << "busy" << std::endl;
    while (true) pause();
  }
  if (what == "parent") return BeParent(argv[0]);
  return 0;
}
