// What children that are played have in common: one JSON message a line each way, and
// the ways in which a child does not answer. They are killed by who started them, or end
// with it.
#ifndef SQUISH_TESTS_UNIT_WORKER_FAKE_CHILD_H_
#define SQUISH_TESTS_UNIT_WORKER_FAKE_CHILD_H_

#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "common/child/parent_watch.h"
#include "google/protobuf/util/json_util.h"

namespace squish {

// `twice`: in one write, so that whoever reads the first line has the second.
template <typename Event>
void Say(const Event& event, bool twice = false) {
  std::string line;
  if (!google::protobuf::util::MessageToJsonString(event, &line).ok()) std::abort();
  line += '\n';
  std::cout << (twice ? line + line : line) << std::flush;
}

[[noreturn]] inline void Hang() {
  while (true) ::pause();
}

// Lively, and never a step further: `say_progress` again and again, paced so that it
// fills no pipe.
template <typename SayProgress>
[[noreturn]] void StandStill(const SayProgress& say_progress) {
  for (;; ::usleep(50'000)) say_progress();
}

// Greets and answers each line with `answer(request)` until its input ends. `start` is
// "crash", "hang" or "babble" instead of the greeting `ready`, or anything else.
template <typename Request, typename Event, typename Answer>
int ServeFake(const std::string& start, Event ready, const Answer& answer) {
  if (start == "crash") return 127;
  if (start == "hang") Hang();
  if (start == "babble") ready.mutable_failed()->set_message("no");
  Say(ready);
  for (std::string line; std::getline(std::cin, line);) {
    Request request;
    if (!google::protobuf::util::JsonStringToMessage(line, &request).ok()) return 1;
    answer(request);
  }
  return 0;
}

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_WORKER_FAKE_CHILD_H_
