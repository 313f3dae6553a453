// Removes artifacts that nothing names any more.
//
//   GarbageCollector collector(&store, absl::Hours(6));
//   collector.Collect(named, now);   // now and then, with all that is named
//
// An artifact goes when each call for the term before has found it unnamed, and it was neither
// stored nor used in that term (blob_store.h). So what was just uploaded for a result or a spec
// to come stays, and so does what a backup under way has still to fetch. It may be killed
// anywhere: a blob is there or not. What was seen is in memory only: after a start the term
// begins anew. Not thread-safe; reads and removes files, so not for the coordinator's loop.
#ifndef SQUISH_COORDINATOR_SERVICE_GARBAGE_H_
#define SQUISH_COORDINATOR_SERVICE_GARBAGE_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/artifacts/blob_store.h"

namespace squish {

class GarbageCollector {
 public:
  // `store` outlives it.
  GarbageCollector(BlobStore* store, absl::Duration term) : store_(*store), term_(term) {}

  struct Collected {
    int64_t artifacts = 0;
    int64_t bytes = 0;
  };
  // What was removed. `now` is wall time, as files have it. Errors as BlobStore::List and
  // RemoveUnused; the rest is left for the next time.
  absl::StatusOr<Collected> Collect(const std::set<std::string>& named, absl::Time now);

 private:
  BlobStore& store_;
  const absl::Duration term_;
  std::map<std::string, absl::Time> unnamed_;  // Since when.
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_GARBAGE_H_
