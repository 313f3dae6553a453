// CIFAR-10's binary batches: rows of a label byte and 1024 red, green and blue bytes.
// Every data_batch_*.bin in a folder, in natural order, is for training;
// test_batch.bin is val. Class names are the lines of batches.meta.txt, or CIFAR-10's.
#ifndef SQUISH_COMMON_DATASET_CIFAR10_H_
#define SQUISH_COMMON_DATASET_CIFAR10_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/dataset/picture_source.h"

namespace squish {

// Pictures are resized from 32×32 to `input_size`, or to MarginSide where that is smaller. NOT_FOUND: no folder or no batches;
// INVALID_ARGUMENT: a file's size is no whole number of rows, or the class names are
// not ten. Messages name the file and what to do.
absl::StatusOr<std::unique_ptr<PictureSource>> OpenCifar10(absl::string_view folder,
                                                           int input_size);

// Whether a comes before b when digits in names are read as numbers: 2 before 10.
bool NaturallyBefore(absl::string_view a, absl::string_view b);

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_CIFAR10_H_
