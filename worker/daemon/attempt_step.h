// Steps that the jobs have in common, and how an attempt fails in each.
#ifndef SQUISH_WORKER_DAEMON_ATTEMPT_STEP_H_
#define SQUISH_WORKER_DAEMON_ATTEMPT_STEP_H_

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "common/base/status_macros.h"
#include "common/runner/runner.h"
#include "common/weights/network.h"
#include "squish/v1/runner.pb.h"

namespace squish {

// What a step gives, or how the attempt fails.
template <typename T>
using StepOr = std::variant<T, v1::Failure>;

// The artifact as a local file. BAD_ARTIFACT, or LOCAL_RESOURCES for a full disk;
// messages begin with `what` ("the teacher").
StepOr<std::string> FetchFile(Attempt& attempt, absl::string_view digest, absl::string_view what);

// Nothing when the file still has that digest, else BAD_ARTIFACT. For files that a child has
// read: one that was damaged after it was fetched may have gone into the result.
std::optional<v1::Failure> CheckStillWhole(const std::string& path, absl::string_view digest,
                                           absl::string_view what);

// The artifact as a network. Failures as FetchFile; BAD_ARTIFACT also when it is none.
StepOr<Network> FetchNetwork(Attempt& attempt, absl::string_view digest, absl::string_view what);

// Stores a file that was made. LOCAL_RESOURCES for a full disk, else INTERNAL.
StepOr<std::string> StoreFile(Attempt& attempt, absl::string_view path);

// The threads that a job asks for, once they are 1 to 256; else INTERNAL.
StepOr<int> CheckThreads(int threads);

v1::AttemptResult FailedAttempt(v1::Failure failure);

// Removes the file at the end of the scope, if it is there then.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string path) : path_(std::move(path)) {}
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

// Removes the folder and what is in it at the end of the scope, if it is there then.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

// Takes the value of a StepOr or returns the failed attempt; or, inside a step, the failure.
#define SQUISH_ASSIGN_OR_FAIL(left, expression) \
  SQUISH_ASSIGN_OR_(SQUISH_CONCAT_(squish_step_, __LINE__), left, expression, FailedAttempt)
#define SQUISH_ASSIGN_OR_RETURN_FAILURE(left, expression) \
  SQUISH_ASSIGN_OR_(SQUISH_CONCAT_(squish_step_, __LINE__), left, expression, v1::Failure)
#define SQUISH_ASSIGN_OR_(temporary, left, expression, make)                  \
  auto temporary = (expression);                                              \
  if (temporary.index() == 1) return make(std::get<1>(std::move(temporary))); \
  left = std::get<0>(std::move(temporary))

}  // namespace squish

#endif  // SQUISH_WORKER_DAEMON_ATTEMPT_STEP_H_
