// Keeps a disk from becoming full: whether there is room for new work.
//
//   DiskGuard guard(/*minimum=*/1'000'000'000, [] { return FreeBytes(path); });
//   guard.Look();              // now and then
//   if (!guard.closed()) …     // give out work
//
// Closes when less than the minimum is free and opens again when a tenth more is, so that it
// does not swing. Work in hand goes on: its results are what the minimum is for. Not
// thread-safe.
#ifndef SQUISH_COORDINATOR_SERVICE_DISK_GUARD_H_
#define SQUISH_COORDINATOR_SERVICE_DISK_GUARD_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"

namespace squish {

class DiskGuard {
 public:
  using FreeBytes = std::function<absl::StatusOr<int64_t>()>;

  // A minimum of 0 never closes it.
  DiskGuard(int64_t minimum, FreeBytes free_bytes);

  // Asks how much is free. What cannot be told changes nothing.
  void Look();

  bool closed() const { return closed_; }
  // Why, for people; empty while open.
  std::string Reason() const;

 private:
  const int64_t minimum_;
  const FreeBytes free_bytes_;
  int64_t free_ = 0;
  bool closed_ = false;
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_DISK_GUARD_H_
