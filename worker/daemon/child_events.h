// Events of our children: one protobuf message in JSON form a line, and what it means
// when that line does not come.
#ifndef SQUISH_WORKER_DAEMON_CHILD_EVENTS_H_
#define SQUISH_WORKER_DAEMON_CHILD_EVENTS_H_

#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/child/child.h"
#include "squish/v1/runner.pb.h"

namespace squish {

// Reads the child's next line into `event`. DEADLINE_EXCEEDED: it hangs. ABORTED: it
// died. RESOURCE_EXHAUSTED: the line is too long. INVALID_ARGUMENT: it is no such
// message. `who` ("the trainer") begins the messages.
absl::Status ReadEvent(Child& child, absl::string_view who, absl::Duration timeout,
                       google::protobuf::Message& event);

// The same of a line that is already here; INVALID_ARGUMENT only.
absl::Status ParseEvent(absl::string_view line, absl::string_view who,
                        google::protobuf::Message& event);

// Errors as Child::WriteLine.
absl::Status WriteRequest(Child& child, absl::string_view who,
                          const google::protobuf::Message& request);

// The child said a well-formed thing at the wrong time, or something untrue:
// INVALID_ARGUMENT.
absl::Status Babbled(absl::string_view who, absl::string_view what);

// How an attempt fails when a conversation with a child ended in `status`.
v1::Failure ChildFailure(const absl::Status& status);

v1::Failure MakeFailure(v1::Failure::Code code, absl::string_view message);

// How a child of ours is spawned: niced, since children compute and daemons must still
// be heard; its environment set, with `threads` for every library that would choose for
// itself.
ChildOptions OurChild(const std::vector<std::string>& command, int threads,
                      const std::string& stderr_path);

}  // namespace squish

#endif  // SQUISH_WORKER_DAEMON_CHILD_EVENTS_H_
