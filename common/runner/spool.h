// Finished results that the coordinator has not acknowledged yet, one file each:
// FOLDER/<attempt>.pb, an AttemptResult. After Add a result survives any kill; it is
// sent again and again, also by the next incarnation, until Remove. Thread-safe.
#ifndef SQUISH_COMMON_RUNNER_SPOOL_H_
#define SQUISH_COMMON_RUNNER_SPOOL_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "squish/v1/runner.pb.h"

namespace squish {

// Whether `id` can name an attempt, and so a file: 1 to 64 of [A-Za-z0-9_-].
bool IsAttemptId(absl::string_view id);

class Spool {
 public:
  // Makes the folder or reads what is in it. A file that is no result is renamed to
  // <name>.damaged and logged. Errors as ErrnoStatus.
  static absl::StatusOr<std::unique_ptr<Spool>> Open(absl::string_view folder);

  // Durable after OK. INVALID_ARGUMENT: the attempt's id cannot name a file.
  absl::Status Add(const v1::AttemptResult& result) ABSL_LOCKS_EXCLUDED(mutex_);

  bool Contains(absl::string_view attempt_id) const ABSL_LOCKS_EXCLUDED(mutex_);

  // As many results as fit into `maximum_bytes`, at least one if there is one.
  std::vector<v1::AttemptResult> Some(size_t maximum_bytes) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Forgets a result; nothing happens when it is not here.
  void Remove(absl::string_view attempt_id) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  explicit Spool(std::string folder) : folder_(std::move(folder)) {}
  absl::Status Load();
  std::string PathOf(absl::string_view attempt_id) const;

  const std::string folder_;
  mutable absl::Mutex mutex_;
  std::map<std::string, v1::AttemptResult, std::less<>> results_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace squish

#endif  // SQUISH_COMMON_RUNNER_SPOOL_H_
