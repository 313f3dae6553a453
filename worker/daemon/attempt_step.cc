#include "worker/daemon/attempt_step.h"

#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "worker/daemon/child_events.h"

namespace squish {
namespace {

v1::Failure StepFailure(const absl::Status& status, v1::Failure::Code code,
                        absl::string_view what) {
  if (absl::IsResourceExhausted(status)) code = v1::Failure::LOCAL_RESOURCES;
  return MakeFailure(code, absl::StrCat(what, ": ", status.message()));
}

}  // namespace

StepOr<std::string> FetchFile(Attempt& attempt, absl::string_view digest, absl::string_view what) {
  absl::StatusOr<std::string> path = attempt.Fetch(digest);
  if (!path.ok()) return StepFailure(path.status(), v1::Failure::BAD_ARTIFACT, what);
  return *std::move(path);
}

std::optional<v1::Failure> CheckStillWhole(const std::string& path, absl::string_view digest,
                                           absl::string_view what) {
  const absl::StatusOr<std::string> file = ReadFile(path);
  if (!file.ok()) return StepFailure(file.status(), v1::Failure::BAD_ARTIFACT, what);
  if (Sha256Hex(*file) == digest) return std::nullopt;
  return MakeFailure(v1::Failure::BAD_ARTIFACT,
                     absl::StrCat(what, " was damaged on this disk while it was in use: ", path));
}

StepOr<Network> FetchNetwork(Attempt& attempt, absl::string_view digest, absl::string_view what) {
  StepOr<std::string> path = FetchFile(attempt, digest, what);
  if (path.index() == 1) return std::get<1>(std::move(path));
  const absl::StatusOr<std::string> file = ReadFile(std::get<0>(path));
  if (!file.ok()) return StepFailure(file.status(), v1::Failure::BAD_ARTIFACT, what);
  if (Sha256Hex(*file) != digest) {
    return MakeFailure(v1::Failure::BAD_ARTIFACT,
                       absl::StrCat(what, " was damaged on this disk: ", std::get<0>(path)));
  }
  absl::StatusOr<Network> network = Network::FromSafetensors(*file);
  if (!network.ok()) return StepFailure(network.status(), v1::Failure::BAD_ARTIFACT, what);
  return *std::move(network);
}

StepOr<int> CheckThreads(int threads) {
  constexpr int kMaximumThreads = 256;
  if (threads >= 1 && threads <= kMaximumThreads) return threads;
  return MakeFailure(v1::Failure::INTERNAL,
                     absl::StrCat("the job asks for ", threads, " threads"));
}

StepOr<std::string> StoreFile(Attempt& attempt, absl::string_view path) {
  absl::StatusOr<std::string> digest = attempt.Store(path);
  if (!digest.ok()) {
    return StepFailure(digest.status(), v1::Failure::INTERNAL, "cannot store the result");
  }
  return *std::move(digest);
}

v1::AttemptResult FailedAttempt(v1::Failure failure) {
  v1::AttemptResult result;
  *result.mutable_failure() = std::move(failure);
  return result;
}

TemporaryFile::~TemporaryFile() { ::unlink(path_.c_str()); }

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

}  // namespace squish
