// What a folder of pictures is like, before hours are spent on it: `squishctl dataset
// check`. Every file is read and decoded once, as a run would.
#ifndef SQUISH_COMMON_DATASET_CHECK_H_
#define SQUISH_COMMON_DATASET_CHECK_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "squish/v1/dataset.pb.h"

namespace squish {

struct FolderCheck {
  struct Class {
    std::string name;
    int train = 0, selection = 0, val = 0;  // Readable pictures.
  };
  std::vector<Class> classes;  // In label order; those of one split only too.

  int files = 0;
  int jpegs = 0, pngs = 0;  // Readable ones.
  struct Range {
    int least = 0, median = 0, most = 0;
  };
  Range width, height;  // Of readable pictures, as stored, in pixels.
  int smaller = 0;      // Have a side below the input size: they will be enlarged.

  std::vector<std::string> unreadable;  // "train/cat/7.jpg: it is cut short"; all of them.
  // Files with the same content, group by group.
  using Groups = std::vector<std::vector<std::string>>;
  Groups duplicates;   // In one class and split.
  Groups leaks;        // In train and in val: the final report would be too good.
  Groups mislabelled;  // In two classes.

  std::vector<std::string> problems;  // A run refuses the folder for each of these.
  std::vector<std::string> warnings;  // It does not, and the result may be the worse.
};

// A class with fewer pictures left to train on is warned of.
constexpr int kFewTrainingPictures = 10;

// `spec` has image_folder, input_size and resize in range. `progress` is told fractions, on
// the calling thread. Errors as ListImageFolder: there is nothing to look at;
// RESOURCE_EXHAUSTED, INTERNAL: the machine fails. All else is in the result. The same for
// any number of threads (at least 1).
absl::StatusOr<FolderCheck> CheckImageFolder(const v1::DatasetSpec& spec, absl::string_view folder,
                                             int threads,
                                             const std::function<void(double)>& progress);

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_CHECK_H_
