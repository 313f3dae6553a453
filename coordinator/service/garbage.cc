#include "coordinator/service/garbage.h"

#include <utility>
#include <vector>

#include "common/base/status_macros.h"

namespace squish {

absl::StatusOr<GarbageCollector::Collected> GarbageCollector::Collect(
    const std::set<std::string>& named, absl::Time now) {
  SQUISH_ASSIGN_OR_RETURN(const std::vector<std::string> all, store_.List());
  std::map<std::string, absl::Time> unnamed;
  for (const std::string& digest : all) {
    if (named.contains(digest)) continue;
    const auto before = unnamed_.find(digest);
    unnamed[digest] = before == unnamed_.end() ? now : before->second;
  }
  unnamed_ = std::move(unnamed);
  Collected collected;
  for (const auto& [digest, since] : unnamed_) {
    if (now - since < term_) continue;
    const int64_t bytes = store_.SizeOf(digest).value_or(0);
    SQUISH_ASSIGN_OR_RETURN(const bool removed, store_.RemoveUnused(digest, now - term_));
    if (!removed) continue;
    ++collected.artifacts;
    collected.bytes += bytes;
  }
  return collected;
}

}  // namespace squish
