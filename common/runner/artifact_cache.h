// A runner's local artifacts: a BlobStore of bounded size. What an attempt holds is
// never evicted; of the rest the longest unused goes first (by the files' mtime, which
// a use renews). Thread-safe.
#ifndef SQUISH_COMMON_RUNNER_ARTIFACT_CACHE_H_
#define SQUISH_COMMON_RUNNER_ARTIFACT_CACHE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/artifacts/blob_store.h"

namespace squish {

class ArtifactCache {
 public:
  // Errors as BlobStore::Open.
  static absl::StatusOr<std::unique_ptr<ArtifactCache>> Open(absl::string_view folder,
                                                             int64_t maximum_bytes);

  BlobStore& store() { return *store_; }

  // Keeps an artifact, here already or to come, until as many Unpin.
  void Pin(absl::string_view digest) ABSL_LOCKS_EXCLUDED(mutex_);
  void Unpin(absl::string_view digest) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether it is here and whole; a damaged file is removed. A use. Reads the file.
  bool Use(absl::string_view digest);

  // Evicts down to the bound. Call after adding. O(files).
  void Trim() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  ArtifactCache(std::unique_ptr<BlobStore> store, std::string folder, int64_t maximum_bytes);

  const std::unique_ptr<BlobStore> store_;
  const std::string folder_;
  const int64_t maximum_bytes_;
  absl::Mutex mutex_;
  std::map<std::string, int, std::less<>> pins_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace squish

#endif  // SQUISH_COMMON_RUNNER_ARTIFACT_CACHE_H_
