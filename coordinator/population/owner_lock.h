// One owner for a file: an flock on FILE.lock, which holds the owner's process id for
// the message to the next who tries. The kernel drops the lock with the process.
#ifndef SQUISH_COORDINATOR_POPULATION_OWNER_LOCK_H_
#define SQUISH_COORDINATOR_POPULATION_OWNER_LOCK_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace squish {

class OwnerLock {
 public:
  // FAILED_PRECONDITION: another process (or this one) holds it; it is named. Else as
  // ErrnoStatus.
  static absl::StatusOr<std::unique_ptr<OwnerLock>> Take(const std::string& path);
  ~OwnerLock();
  OwnerLock(const OwnerLock&) = delete;
  OwnerLock& operator=(const OwnerLock&) = delete;

  // Removes the lock file, if Take made it: the locked file turned out not to be ours.
  void Retract();

 private:
  OwnerLock(int fd, std::string lock_path, bool made);

  const int fd_;
  const std::string lock_path_;
  const bool made_;
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_POPULATION_OWNER_LOCK_H_
