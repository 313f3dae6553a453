#include "tests/support/temporary_folder.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace squish {
namespace {

class Folders {
 public:
  Folders() : process_(::getpid()) {}
  ~Folders() {
    if (::getpid() != process_) return;  // A forked child's end is not ours.
    absl::MutexLock lock(&mutex_);
    for (const std::string& path : paths_) {
      std::error_code error;
      std::filesystem::remove_all(path, error);
    }
  }

  std::string Make(Below below) {
    std::error_code error;
    const bool in_memory = below == Below::kMemory && ::access("/dev/shm", W_OK) == 0;
    const std::filesystem::path parent =
        in_memory ? "/dev/shm" : std::filesystem::temp_directory_path(error);
    std::string path = (std::filesystem::canonical(parent, error) / "squish-test-XXXXXX").string();
    if (error || ::mkdtemp(path.data()) == nullptr || ::chmod(path.c_str(), 0755) != 0) {
      std::perror("no temporary folder can be made");
      ::abort();
    }
    absl::MutexLock lock(&mutex_);
    paths_.push_back(path);
    return path;
  }

 private:
  const pid_t process_;
  absl::Mutex mutex_;
  std::vector<std::string> paths_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::string TemporaryFolder(Below below) {
  static Folders folders;
  return folders.Make(below);
}

}  // namespace squish
