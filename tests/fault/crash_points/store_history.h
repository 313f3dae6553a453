// The life of a store, with what its disk was told and what its callers were promised: material
// for asking of each moment what a power cut would have left.
//
// The real Coordinator works on a real Population, without threads, for runners that answer at
// once (tests/unit/service/fake_runner.h); what it does to the disk is recorded.
#ifndef SQUISH_TESTS_FAULT_CRASH_POINTS_STORE_HISTORY_H_
#define SQUISH_TESTS_FAULT_CRASH_POINTS_STORE_HISTORY_H_

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/population/population.h"
#include "tests/fault/crash_points/disk_model.h"

namespace squish {

// All that the database says, told by Population's reads.
struct StoreContents {
  std::string digest;
  std::string summary;  // For people.
};
absl::StatusOr<StoreContents> ContentsOf(Population& population);

struct StoreHistory {
  DiskImage start;
  int version = 0;  // Of the schema at the start. 0: there was no file.
  std::deque<DiskOperation> operations;

  // What the store held after each transaction, the first before any. Callers knew of it when
  // so many operations had been done.
  struct Moment {
    size_t position = 0;
    StoreContents contents;
  };
  std::vector<Moment> moments;

  // Artifacts whose upload was acknowledged after so many operations, and that were not removed
  // before `until` of them.
  struct Upload {
    std::string digest;
    size_t from = 0;
    size_t until = 0;
  };
  std::vector<Upload> uploads;

  // Population digests in the end, by the experiment's name in its spec.
  std::map<std::string, std::string> ends;

  // The index of the last moment that was known of after so many operations.
  size_t MomentAt(size_t position) const;
};

// The file of the population in a folder.
std::string PopulationIn(const std::string& folder);

// From an empty folder on: an upload before all else; experiments that are submitted, bred,
// measured, paused, gone on with, cancelled and finished; failures, a job out of retries,
// checkpoints; garbage collection; a backup; an end and a start between; and so much in between
// that SQLite copies its log back into the database while work goes on, and begins it anew.
// `folder` is empty and stays behind. Failures are GoogleTest's.
StoreHistory LiveThrough(const std::string& folder);

// A population of an earlier schema is opened, and an experiment begins.
StoreHistory LiveThroughUpgrade(const std::string& folder, int version);

}  // namespace squish

#endif  // SQUISH_TESTS_FAULT_CRASH_POINTS_STORE_HISTORY_H_
