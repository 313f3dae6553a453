// What a disk may hold after its machine has lost power: a model of files, names and syncs.
//
//   DiskModel disk(start);                    // all of `start` is on the disk
//   for (const DiskOperation& operation : operations) {
//     disk.Apply(operation);
//     disk.Now();                             // what programs see, and a kill leaves
//     disk.AfterPowerCut();                   // only what was synced
//     disk.AfterPowerCut(seed);               // and some of what was not
//   }
//
// What is sure to be on the disk:
//   - of a file the content that it had at its last sync (fsync, fdatasync). Its name is none
//     of it;
//   - of a folder the names that it had at its last sync. A new name is in the folder that it
//     is made in, also that of a folder; a rename is on the disk with the folder that it
//     leads to, and then it is whole. Some file systems do more of their own; POSIX promises
//     no more.
// What of the rest a disk may have kept:
//   - of a file any sectors (512 bytes) in any order, each as it was at some moment since the
//     sync, and any size that it had since; where nothing was kept, zeros;
//   - of changes of names any, but for those of one name, which happen in order. A rename is
//     whole or not at all.
//
// Folders are made and neither removed nor renamed: the store does no such thing. Not
// thread-safe. Copying it costs what it holds.
#ifndef SQUISH_TESTS_FAULT_CRASH_POINTS_DISK_MODEL_H_
#define SQUISH_TESTS_FAULT_CRASH_POINTS_DISK_MODEL_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/fault/crash_points/disk_image.h"

namespace squish {

// One change that a program has made below a folder, or a sync. Paths are relative to that
// folder, which is the empty path itself. Files have numbers, which they keep when they are
// renamed or removed.
struct DiskOperation {
  enum class Kind {
    kMakeFile,
    kMakeFolder,
    kWrite,
    kResize,  // Shorter, or longer with zeros.
    kSyncFile,
    kSyncFolder,
    kRename,
    kRemove,  // The name of a file.
  };
  Kind kind = Kind::kWrite;
  std::string path;     // Of names and folders; kRename: the old one. Of files as they were opened.
  std::string new_path; // kRename.
  int64_t file = 0;     // kMakeFile, kWrite, kResize, kSyncFile.
  int64_t offset = 0;   // kWrite: of its first byte. kResize: the new size.
  std::string bytes;    // kWrite.
};

// "write of 24 bytes at 32 of population.db-wal".
std::string Describe(const DiskOperation& operation);

class DiskModel {
 public:
  static constexpr int64_t kSectorBytes = 512;

  // The files of `durable` get the numbers from 0 in the order of their paths.
  explicit DiskModel(const DiskImage& durable);

  void Apply(const DiskOperation& operation);

  // The files that have a name now, and the first number that no file has.
  const std::map<std::string, int64_t>& files() const { return now_.files; }
  const std::set<std::string>& folders() const { return now_.folders; }
  int64_t next_file() const { return static_cast<int64_t>(files_.size()); }

  DiskImage Now() const;
  DiskImage AfterPowerCut() const;
  // A pure function of the operations and the seed.
  DiskImage AfterPowerCut(uint64_t seed) const;

 private:
  struct Names {
    std::set<std::string> folders;
    std::map<std::string, int64_t> files;
  };
  // A name comes, or goes, or (a rename) both.
  struct NameChange {
    std::string gone;
    std::string come;
    int64_t file = 0;  // Of `come`; kFolder: it is a folder's.
  };
  struct DataChange {
    int64_t offset = 0;  // Of the bytes; of a change of size the new size.
    int64_t size_after = 0;
    bool resizes = false;
    std::shared_ptr<const std::string> bytes;
  };
  struct File {
    std::string durable;
    std::vector<DataChange> pending;
    int64_t size = 0;  // Now.
  };
  static constexpr int64_t kFolder = -1;

  static void Apply(const NameChange& change, Names& names);
  static void Apply(const DataChange& change, std::string& content);
  static bool Concerns(const NameChange& change, const std::set<std::string>& paths);
  // Those of the pending changes for which `chosen` says so, and all before them that they
  // rest on.
  std::vector<bool> Closed(const std::function<bool(const NameChange&)>& chosen) const;
  void ChangeName(NameChange change);
  void SyncFolder(const std::string& folder);
  DiskImage Assemble(const Names& names,
                     const std::function<std::string(const File&)>& content) const;
  static std::string Torn(const File& file, uint64_t seed);

  Names durable_;
  Names now_;
  std::vector<NameChange> pending_;
  std::vector<File> files_;  // By number.
};

}  // namespace squish

#endif  // SQUISH_TESTS_FAULT_CRASH_POINTS_DISK_MODEL_H_
