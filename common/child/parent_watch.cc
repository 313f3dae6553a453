#include "common/child/parent_watch.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

namespace squish {
namespace {

void WhenInputEnds(void (*end)()) {
  std::thread([end] {
    // No events are asked for: POLLHUP alone is reported, and it always is.
    pollfd input = {STDIN_FILENO, 0, 0};
    while (::poll(&input, 1, -1) <= 0) {
    }
    end();
  }).detach();
}

}  // namespace

void EndWithParent() {
  WhenInputEnds([] { ::_exit(0); });
}

void EndGroupWithParent() {
  WhenInputEnds([] {
    if (::getpgrp() == ::getpid()) ::kill(0, SIGKILL);
    ::_exit(0);
  });
}

}  // namespace squish
