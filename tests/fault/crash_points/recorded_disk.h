// Sees every change that this process makes below one folder, and every sync, in order and with
// the bytes: SQLite's, the store's and everybody's, at libc's border, so that what is recorded
// needs no hook for it. A program that holds this object defines open, write, pwrite,
// ftruncate, fsync, fdatasync, rename, unlink, mkdir and their kin; they do what libc's do, and
// note it while a recording is made.
//
//   DiskModel disk(*ReadImage(folder));
//   RecordedDisk recorded(folder, disk, /*seed=*/1);
//   …                                              // the program works in `folder`
//   for (const DiskOperation& operation : recorded.operations()) disk.Apply(operation);
//
// Not seen are memory maps (SQLite's -shm file, which is left out) and C's FILE. Whether
// anything else was missed is told by comparing DiskModel::Now with what lies in the folder.
//
// While a recording is made, getrandom gives numbers that follow from the seed: names that a
// program makes up are then the same each time, and so is the recording.
//
// Thread-safe, one at a time in a process. Operations are noted in the order in which
// they took effect.
#ifndef SQUISH_TESTS_FAULT_CRASH_POINTS_RECORDED_DISK_H_
#define SQUISH_TESTS_FAULT_CRASH_POINTS_RECORDED_DISK_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "tests/fault/crash_points/disk_model.h"

namespace squish {

class RecordedDisk {
 public:
  // `folder` is absolute and has no links in its path. `before` says what lies in it.
  RecordedDisk(std::string folder, const DiskModel& before, uint64_t seed);
  ~RecordedDisk();
  RecordedDisk(const RecordedDisk&) = delete;
  RecordedDisk& operator=(const RecordedDisk&) = delete;

  // How many there are so far.
  size_t size() const;
  // For a recording at rest.
  const std::deque<DiskOperation>& operations() const { return operations_; }

  // --- For the functions that are defined in place of libc's. Each makes its call through
  // `call` and notes what it did.
  template <typename Call>
  int Open(const char* path, int flags, Call call);
  template <typename Call>
  int Close(int fd, Call call);
  template <typename Call>
  ssize_t Write(int fd, const void* bytes, std::optional<int64_t> offset, Call call);
  template <typename Call>
  int Resize(int fd, int64_t size, Call call);
  template <typename Call>
  int Sync(int fd, Call call);
  template <typename Call>
  int Rename(const char* from, const char* to, Call call);
  template <typename Call>
  int Remove(const char* path, Call call);
  template <typename Call>
  int MakeFolder(const char* path, Call call);
  ssize_t Random(void* bytes, size_t count);

 private:
  struct Opened {
    std::string path;
    int64_t file = 0;  // Negative: a folder.
  };
  // The path in the folder; nothing: it is elsewhere, or shared memory.
  std::optional<std::string> Inside(const char* path) const;
  DiskOperation& Note(DiskOperation::Kind kind, std::string path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string folder_;
  mutable absl::Mutex mutex_;
  std::map<std::string, int64_t> files_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> folders_ ABSL_GUARDED_BY(mutex_);
  int64_t next_file_ ABSL_GUARDED_BY(mutex_);
  std::map<int, Opened> opened_ ABSL_GUARDED_BY(mutex_);  // By descriptor.
  std::mt19937_64 random_ ABSL_GUARDED_BY(mutex_);
  std::deque<DiskOperation> operations_;
};

}  // namespace squish

#endif  // SQUISH_TESTS_FAULT_CRASH_POINTS_RECORDED_DISK_H_
