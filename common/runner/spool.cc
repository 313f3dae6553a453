#include "common/runner/spool.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

constexpr absl::string_view kSuffix = ".pb";

}  // namespace

bool IsAttemptId(absl::string_view id) {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '-';
  });
}

absl::StatusOr<std::unique_ptr<Spool>> Spool::Open(absl::string_view folder) {
  SQUISH_RETURN_IF_ERROR(MakeFolder(folder));
  auto spool = std::unique_ptr<Spool>(new Spool(std::string(folder)));
  SQUISH_RETURN_IF_ERROR(spool->Load());
  return spool;
}

absl::Status Spool::Load() {
  absl::MutexLock lock(&mutex_);
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (std::filesystem::directory_iterator next(folder_, error), end; !error && next != end;
       next.increment(error)) {
    files.push_back(next->path());
  }
  if (error) return ErrnoStatus(error.value(), "cannot list", folder_);
  for (const std::filesystem::path& file : files) {
    const std::string name = file.filename().string();
    if (absl::EndsWith(name, ".tmp")) std::filesystem::remove(file, error);
    if (!absl::EndsWith(name, kSuffix)) continue;
    SQUISH_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(file.string()));
    v1::AttemptResult result;
    if (result.ParseFromString(bytes) && IsAttemptId(result.attempt_id()) &&
        name == absl::StrCat(result.attempt_id(), kSuffix)) {
      results_.emplace(result.attempt_id(), std::move(result));
      continue;
    }
    spdlog::error("{} is no result of an attempt; it is kept as {}.damaged", file.string(), name);
    std::filesystem::rename(file, absl::StrCat(file.string(), ".damaged"), error);
  }
  return absl::OkStatus();
}

std::string Spool::PathOf(absl::string_view attempt_id) const {
  return JoinPath(folder_, absl::StrCat(attempt_id, kSuffix));
}

absl::Status Spool::Add(const v1::AttemptResult& result) {
  if (!IsAttemptId(result.attempt_id())) {
    return absl::InvalidArgumentError("the attempt's id cannot name a file");
  }
  SQUISH_RETURN_IF_ERROR(WriteFileDurably(PathOf(result.attempt_id()), result.SerializeAsString()));
  absl::MutexLock lock(&mutex_);
  results_[result.attempt_id()] = result;
  return absl::OkStatus();
}

bool Spool::Contains(absl::string_view attempt_id) const {
  absl::MutexLock lock(&mutex_);
  return results_.find(attempt_id) != results_.end();
}

std::vector<v1::AttemptResult> Spool::Some(size_t maximum_bytes) const {
  absl::MutexLock lock(&mutex_);
  std::vector<v1::AttemptResult> some;
  size_t bytes = 0;
  for (const auto& [id, result] : results_) {
    bytes += result.ByteSizeLong();
    if (!some.empty() && bytes > maximum_bytes) break;
    some.push_back(result);
  }
  return some;
}

void Spool::Remove(absl::string_view attempt_id) {
  absl::MutexLock lock(&mutex_);
  const auto found = results_.find(attempt_id);
  if (found == results_.end()) return;
  // Not synced: a result that comes back after a power cut is sent once more.
  ::unlink(PathOf(attempt_id).c_str());
  results_.erase(found);
}

}  // namespace squish
