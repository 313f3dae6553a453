// The demo's output folder: whose it is, and what is where in it.
#ifndef SQUISH_CTL_DEMO_FOLDER_H_
#define SQUISH_CTL_DEMO_FOLDER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/runner/state_folder.h"

namespace squish {

// A folder that this process owns until it goes. Movable; not thread-safe.
class DemoFolder {
 public:
  // Makes the folder, or empties one that an earlier demo made (it removes what demos
  // make and nothing else). FAILED_PRECONDITION: the folder holds something else, or a
  // demo is running in it; nothing was touched.
  static absl::StatusOr<DemoFolder> Take(absl::string_view path);

  const std::string& path() const { return path_; }
  std::string File(absl::string_view name) const;
  std::string population() const { return File("population.db"); }
  std::string individuals() const { return File("individuals.csv"); }
  std::string speeds() const { return File("speeds.csv"); }
  std::string spec() const { return File("experiment.txtpb"); }
  std::string networks() const { return File("networks"); }

 private:
  DemoFolder(std::string path, FolderLock lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}
  const std::string path_;
  FolderLock lock_;
};

}  // namespace squish

#endif  // SQUISH_CTL_DEMO_FOLDER_H_
