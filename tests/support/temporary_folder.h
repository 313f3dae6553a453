// Folders for tests, which nobody has to clear away.
//
//   const std::string folder_ = TemporaryFolder();
#ifndef SQUISH_TESTS_SUPPORT_TEMPORARY_FOLDER_H_
#define SQUISH_TESTS_SUPPORT_TEMPORARY_FOLDER_H_

#include <string>

namespace squish {

// Where a temporary folder lies.
enum class Below {
  kTmpDir,  // TMPDIR, or /tmp.
  kMemory,  // /dev/shm where there is one; for what syncs to disk thousands of times.
};

// The canonical path of a fresh folder, which everybody may read. It is removed with all that is
// in it when this process ends by itself, and stays for a look when it crashes. Ends the process
// when none can be made. Thread-safe.
std::string TemporaryFolder(Below below = Below::kTmpDir);

}  // namespace squish

#endif  // SQUISH_TESTS_SUPPORT_TEMPORARY_FOLDER_H_
