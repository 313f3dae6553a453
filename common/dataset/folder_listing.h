// The files of an image folder, before any of them is opened:
//
//   DIR/train/CLASS/…/FILE and DIR/val/CLASS/…/FILE
//
// Symbolic links are followed; a folder inside of itself is entered once. Names that
// begin with '.' are passed over, and so are files beside the class folders.
#ifndef SQUISH_COMMON_DATASET_FOLDER_LISTING_H_
#define SQUISH_COMMON_DATASET_FOLDER_LISTING_H_

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace squish {

struct ListedFile {
  std::string path;  // From the data folder: "train/cat/7.jpg".
  std::string stat;  // Size, times of change of content and of rights, for comparing.
  bool regular = true;
};

struct ListedClass {
  std::string name;               // The folder's; any bytes.
  std::vector<ListedFile> files;  // In byte order of their paths.
};

struct FolderListing {
  std::vector<ListedClass> train, val;  // In byte order of their names.
  std::vector<std::string> stray;       // Paths of files beside the class folders.
};

// NOT_FOUND or PERMISSION_DENIED: a folder, named, cannot be listed; also where train/ or
// val/ is missing. `alive` is called after every kListedTogether entries.
absl::StatusOr<FolderListing> ListImageFolder(absl::string_view folder,
                                              absl::FunctionRef<void()> alive = [] {});
constexpr int kListedTogether = 1000;

// Everything for which the folder cannot be trained on, a sentence each with what to do:
// no or one class or too many, an empty one, one in one split only, a name that is no
// UTF-8 or has control characters.
std::vector<std::string> FolderProblems(const FolderListing& listing, absl::string_view folder);

// For people and for messages: bytes that are no printable UTF-8 as escapes.
std::string PrintableName(absl::string_view name);

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_FOLDER_LISTING_H_
