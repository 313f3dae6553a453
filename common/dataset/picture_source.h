// Where pictures come from: a data set before it is decoded. Training pictures come
// first, then the val pictures, each in the source's canonical order.
#ifndef SQUISH_COMMON_DATASET_PICTURE_SOURCE_H_
#define SQUISH_COMMON_DATASET_PICTURE_SOURCE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "squish/v1/dataset.pb.h"

namespace squish {

// Thread-compatible.
class PictureSource {
 public:
  virtual ~PictureSource() = default;

  virtual const std::vector<std::string>& class_names() const = 0;
  virtual int train_images() const = 0;
  virtual int val_images() const = 0;

  // Every rule by which Read turns the source into pixels, by name and version.
  virtual std::string Rules() const = 0;

  // Differs when the source on disk does, as far as can be told without reading it
  // all: names, sizes, times of change. NOT_FOUND or PERMISSION_DENIED: it is gone.
  virtual absl::StatusOr<std::string> Identity() const = 0;

  struct Picture {
    int label;
    std::string content;  // SHA-256 (hex) of the picture as the source has it.
  };
  // Decodes picture 0 <= index < train_images() + val_images() into `pixels`, HWC, at
  // the input size. INVALID_ARGUMENT: it is damaged; the message names file and place.
  virtual absl::StatusOr<Picture> Read(int index, absl::Span<uint8_t> pixels) = 0;
};

// The source of a spec, whose fields are in range; `source_dir` is its folder.
// INVALID_ARGUMENT, NOT_FOUND or PERMISSION_DENIED say what to do about the folder.
absl::StatusOr<std::unique_ptr<PictureSource>> OpenPictureSource(const v1::DatasetSpec& spec,
                                                                 absl::string_view source_dir);

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_PICTURE_SOURCE_H_
