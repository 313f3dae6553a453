#include "benchmarks/swarm/disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "coordinator/population/sqlite.h"

namespace squish {
namespace {

constexpr int64_t kRowBytes = 1024;

absl::Duration Steady() { return Clock::System().Steady(); }

// A folder of its own, removed with everything in it.
class Scratch {
 public:
  explicit Scratch(const std::string& parent)
      : path_(JoinPath(parent, absl::StrCat("scratch-", RandomHex(8)))) {}
  ~Scratch() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

absl::Status WriteSynced(const std::string& folder, const std::string& name,
                         const std::string& bytes) {
  const std::string path = JoinPath(folder, name), temporary = absl::StrCat(path, ".new");
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus(errno, "cannot create", temporary);
  size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t count = ::write(fd, bytes.data() + written, bytes.size() - written);
    if (count < 0) break;
    written += static_cast<size_t>(count);
  }
  const bool synced = written == bytes.size() && ::fsync(fd) == 0;
  const int error = errno;
  ::close(fd);
  if (!synced) return ErrnoStatus(error, "cannot write", temporary);
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    return ErrnoStatus(errno, "cannot rename to", path);
  }
  return SyncFolder(folder);
}

}  // namespace

std::string IncompressibleBytes(int64_t bytes, uint64_t seed) {
  std::string made((static_cast<size_t>(bytes) + 7) / 8 * 8, '\0');
  // SplitMix64.
  for (size_t i = 0; i < made.size(); i += 8) {
    uint64_t z = seed += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z ^= z >> 31;
    std::memcpy(&made[i], &z, 8);
  }
  made.resize(static_cast<size_t>(bytes));
  return made;
}

absl::StatusOr<double> SyncedTransactionsPerSecond(const std::string& folder,
                                                   absl::Duration duration) {
  const Scratch scratch(folder);
  SQUISH_RETURN_IF_ERROR(MakeFolder(scratch.path()));
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<Database> database,
                          Database::Open(JoinPath(scratch.path(), "plain.db")));
  SQUISH_RETURN_IF_ERROR(
      database->Execute("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
                        "PRAGMA synchronous = FULL;"
                        "CREATE TABLE plain (id INTEGER PRIMARY KEY, content BLOB NOT NULL)"));
  const std::string row = IncompressibleBytes(kRowBytes, 1);
  const absl::Duration start = Steady();
  int64_t done = 0;
  for (; Steady() - start < duration; ++done) {
    SQUISH_RETURN_IF_ERROR(database->Run("INSERT INTO plain (content) VALUES (?1)", Blob{row}));
  }
  return static_cast<double>(done) / absl::ToDoubleSeconds(Steady() - start);
}

absl::StatusOr<double> SyncedFilesPerSecond(const std::string& folder, int64_t bytes, int threads,
                                            absl::Duration duration) {
  const Scratch scratch(folder);
  SQUISH_RETURN_IF_ERROR(MakeFolder(scratch.path()));
  const std::string content = IncompressibleBytes(bytes, 2);
  const absl::Duration start = Steady();
  std::atomic<int64_t> done = 0;
  absl::Mutex mutex;
  absl::Status trouble;
  const auto write = [&](int thread) {
    for (int i = 0; Steady() - start < duration; ++i, ++done) {
      const absl::Status status =
          WriteSynced(scratch.path(), absl::StrCat(thread, "-", i), content);
      if (status.ok()) continue;
      absl::MutexLock lock(&mutex);
      trouble = status;
      return;
    }
  };
  std::vector<std::thread> writers;
  for (int t = 0; t < threads; ++t) writers.emplace_back(write, t);
  for (std::thread& writer : writers) writer.join();
  SQUISH_RETURN_IF_ERROR(trouble);
  return static_cast<double>(done) / absl::ToDoubleSeconds(Steady() - start);
}

}  // namespace squish
