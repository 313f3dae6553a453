#include "common/runner/artifact_cache.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "common/base/sha256.h"
#include "common/base/status_macros.h"

namespace squish {
namespace {

namespace fs = std::filesystem;

struct CachedFile {
  fs::file_time_type used;
  int64_t bytes;
  std::string digest;
};

std::vector<CachedFile> ListFiles(const std::string& folder) {
  std::vector<CachedFile> files;
  std::error_code error;
  for (fs::recursive_directory_iterator next(folder, error), end; !error && next != end;
       next.increment(error)) {
    const std::string name = next->path().filename().string();
    std::error_code gone;  // Another thread may have removed it meanwhile.
    if (!IsSha256Hex(name) || !next->is_regular_file(gone)) continue;
    const auto bytes = static_cast<int64_t>(next->file_size(gone));
    const fs::file_time_type used = next->last_write_time(gone);
    if (!gone) files.push_back({used, bytes, name});
  }
  return files;
}

}  // namespace

ArtifactCache::ArtifactCache(std::unique_ptr<BlobStore> store, std::string folder,
                             int64_t maximum_bytes)
    : store_(std::move(store)), folder_(std::move(folder)), maximum_bytes_(maximum_bytes) {}

absl::StatusOr<std::unique_ptr<ArtifactCache>> ArtifactCache::Open(absl::string_view folder,
                                                                   int64_t maximum_bytes) {
  SQUISH_ASSIGN_OR_RETURN(auto store, BlobStore::Open(folder));
  auto cache = std::unique_ptr<ArtifactCache>(
      new ArtifactCache(std::move(store), std::string(folder), maximum_bytes));
  cache->Trim();
  return cache;
}

void ArtifactCache::Pin(absl::string_view digest) {
  absl::MutexLock lock(&mutex_);
  ++pins_[std::string(digest)];
}

void ArtifactCache::Unpin(absl::string_view digest) {
  absl::MutexLock lock(&mutex_);
  const auto found = pins_.find(digest);
  if (found != pins_.end() && --found->second == 0) pins_.erase(found);
}

bool ArtifactCache::Use(absl::string_view digest) {
  const auto bytes = store_->Get(digest);
  if (!bytes.ok()) {
    if (absl::IsDataLoss(bytes.status())) {
      spdlog::warn("{}; it is fetched again", std::string(bytes.status().message()));
      store_->Remove(digest).IgnoreError();
    }
    return false;
  }
  std::error_code error;  // A time that cannot be set costs an early eviction.
  fs::last_write_time(store_->PathOf(digest), fs::file_time_type::clock::now(), error);
  return true;
}

void ArtifactCache::Trim() {
  // Held throughout: what is pinned meanwhile is either seen here or fetched after.
  absl::MutexLock lock(&mutex_);
  std::vector<CachedFile> files = ListFiles(folder_);
  int64_t total = 0;
  for (const CachedFile& file : files) total += file.bytes;
  if (total <= maximum_bytes_) return;
  std::sort(files.begin(), files.end(), [](const CachedFile& a, const CachedFile& b) {
    return a.used != b.used ? a.used < b.used : a.digest < b.digest;
  });
  for (const CachedFile& file : files) {
    if (total <= maximum_bytes_) return;
    if (pins_.find(file.digest) != pins_.end()) continue;
    if (store_->Remove(file.digest).ok()) total -= file.bytes;
  }
}

}  // namespace squish
