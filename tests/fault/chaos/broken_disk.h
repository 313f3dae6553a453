// A disk that fails when it is told to: libsquish_broken_disk.so, loaded before a program
// (LD_PRELOAD), stands between it and libc's write, pwrite, writev, ftruncate, fsync,
// fdatasync and rename. So the programs under test have no hook for it, and whatever writes
// in them (SQLite, the store, the spool, the cache, iostreams) fails as it would on a disk:
// a shim of SQLite's own file layer would see the database alone. Not reached are
// memory maps (SQLite's -shm file), C's FILE, which libc writes by itself, and what the kernel
// writes back later.
//
// Environment of the program:
//   SQUISH_BROKEN_DISK         a file with a BrokenDiskPage, shared with the driver
//   SQUISH_BROKEN_DISK_FOLDER  what fails: files below it, but for stdin, stdout and stderr
//   SQUISH_KEPT_RESULTS        where a result that leaves a spool is moved instead of being
//                              removed: what a coordinator has acknowledged, for checking
//
// BrokenDisk is the driver's side. Not thread-safe.
#ifndef SQUISH_TESTS_FAULT_CHAOS_BROKEN_DISK_H_
#define SQUISH_TESTS_FAULT_CHAOS_BROKEN_DISK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "tests/fault/chaos/broken_disk_page.h"

namespace squish {

class BrokenDisk {
 public:
  // Makes the page's file at `path`. Errors as ErrnoStatus.
  static absl::StatusOr<std::unique_ptr<BrokenDisk>> Make(const std::string& path);
  ~BrokenDisk();
  BrokenDisk(const BrokenDisk&) = delete;
  BrokenDisk& operator=(const BrokenDisk&) = delete;

  // What a program needs for its files below `folder` to lie on this disk. `library` is
  // the file to be loaded; `kept_results` may be empty.
  std::map<std::string, std::string> Environment(const std::string& library,
                                                 const std::string& folder,
                                                 const std::string& kept_results) const;

  // ENOSPC fails what takes room; EIO fails syncs and renames as well.
  void Break(int error, int writes_before);
  void Mend();
  bool broken() const { return page_->error != 0; }
  int64_t failed() const { return page_->failed; }

 private:
  BrokenDisk(std::string path, BrokenDiskPage* page) : path_(std::move(path)), page_(page) {}

  const std::string path_;
  BrokenDiskPage* const page_;
};

}  // namespace squish

#endif  // SQUISH_TESTS_FAULT_CHAOS_BROKEN_DISK_H_
