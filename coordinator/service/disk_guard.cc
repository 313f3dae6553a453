#include "coordinator/service/disk_guard.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "spdlog/spdlog.h"

namespace squish {

DiskGuard::DiskGuard(int64_t minimum, FreeBytes free_bytes)
    : minimum_(minimum), free_bytes_(std::move(free_bytes)) {}

void DiskGuard::Look() {
  if (minimum_ <= 0) return;
  const absl::StatusOr<int64_t> free = free_bytes_();
  if (!free.ok()) return;
  free_ = *free;
  const int64_t enough = closed_ ? minimum_ + minimum_ / 10 : minimum_;
  const bool was_closed = std::exchange(closed_, free_ < enough);
  if (closed_ && !was_closed) spdlog::warn("{}", Reason());
  if (!closed_ && was_closed) spdlog::info("there is room on the disk again: work is given out");
}

std::string DiskGuard::Reason() const {
  if (!closed_) return "";
  return absl::StrFormat(
      "the coordinator's disk is nearly full: %.2f GB are free, and %.2f are to stay so "
      "(--minimum-free-gigabytes); no new work is given out until there is room",
      static_cast<double>(free_) * 1e-9, static_cast<double>(minimum_) * 1e-9);
}

}  // namespace squish
