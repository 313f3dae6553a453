#include "worker/daemon/child_events.h"

#include <google/protobuf/util/json_util.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

// Of a strange line this much is quoted.
constexpr size_t kQuotedBytes = 200;

constexpr int kNice = 10;

}  // namespace

absl::Status ReadEvent(Child& child, absl::string_view who, absl::Duration timeout,
                       google::protobuf::Message& event) {
  const absl::StatusOr<std::string> line = child.ReadLine(timeout);
  if (absl::IsDeadlineExceeded(line.status())) {
    return absl::DeadlineExceededError(
        absl::StrCat(who, " said nothing for ", absl::FormatDuration(timeout)));
  }
  if (!line.ok()) return Annotate(line.status(), who);
  return ParseEvent(*line, who, event);
}

absl::Status ParseEvent(absl::string_view line, absl::string_view who,
                        google::protobuf::Message& event) {
  event.Clear();
  const google::protobuf::StringPiece text(line.data(), line.size());
  if (!google::protobuf::util::JsonStringToMessage(text, &event).ok()) {
    return Babbled(
        who, absl::StrCat("the line \"", absl::Utf8SafeCHexEscape(line.substr(0, kQuotedBytes)),
                          line.size() > kQuotedBytes ? "…" : "", "\""));
  }
  return absl::OkStatus();
}

absl::Status WriteRequest(Child& child, absl::string_view who,
                          const google::protobuf::Message& request) {
  std::string line;
  if (!google::protobuf::util::MessageToJsonString(request, &line).ok()) {
    return absl::InternalError(absl::StrCat("cannot write a request for ", who, " as JSON"));
  }
  return Annotate(child.WriteLine(line), who);
}

absl::Status Babbled(absl::string_view who, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(who, " broke its protocol: ", what));
}

v1::Failure ChildFailure(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kAborted:
      return MakeFailure(v1::Failure::CHILD_CRASHED, status.message());
    case absl::StatusCode::kDeadlineExceeded:
      return MakeFailure(v1::Failure::CHILD_HUNG, status.message());
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kResourceExhausted:
      return MakeFailure(v1::Failure::CHILD_BABBLED, status.message());
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
      return MakeFailure(v1::Failure::LOCAL_RESOURCES, status.message());
    default:
      return MakeFailure(v1::Failure::INTERNAL, status.message());
  }
}

v1::Failure MakeFailure(v1::Failure::Code code, absl::string_view message) {
  v1::Failure failure;
  failure.set_code(code);
  failure.set_message(std::string(message));
  return failure;
}

ChildOptions OurChild(const std::vector<std::string>& command, int threads,
                      const std::string& stderr_path) {
  ChildOptions options;
  options.command = command;
  options.environment = InheritedEnvironment();
  for (const char* name : {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"}) {
    options.environment[name] = absl::StrCat(threads);
  }
  options.environment["OMP_DYNAMIC"] = "FALSE";
  options.environment["MKL_DYNAMIC"] = "FALSE";
  options.environment["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8";  // Makes cuBLAS deterministic.
  options.stderr_path = stderr_path;
  options.nice = kNice;
  return options;
}

}  // namespace squish
