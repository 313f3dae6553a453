// Where pictures come from: a data set before it is decoded. Training pictures come
// first, then the val pictures, each in the source's canonical order.
#ifndef SQUISH_COMMON_DATASET_PICTURE_SOURCE_H_
#define SQUISH_COMMON_DATASET_PICTURE_SOURCE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "squish/v1/dataset.pb.h"

namespace squish {

// Side in pixels at which training pictures larger than the input are kept: ⌈8/7·input⌉,
// so that random crops of the input's size fit.
constexpr int MarginSide(int input_size) { return (8 * input_size + 6) / 7; }

// Read may be called from several threads at once; all else is thread-compatible.
class PictureSource {
 public:
  virtual ~PictureSource() = default;

  virtual const std::vector<std::string>& class_names() const = 0;
  virtual int train_images() const = 0;
  virtual int val_images() const = 0;

  // Every rule by which Read turns the source into pixels, by name and version.
  virtual std::string Rules() const = 0;

  // Differs when the source on disk does, as far as can be told without reading it
  // all: names, sizes, times of change. NOT_FOUND or PERMISSION_DENIED: it is gone. `alive`
  // is called now and then where that takes long.
  virtual absl::StatusOr<std::string> Identity(absl::FunctionRef<void()> alive) const = 0;

  // The share of all pictures that may be damaged and left out, 0 to 1.
  virtual double maximum_unreadable() const { return 0.0; }
  // What to do about damaged ones, for the end of a sentence.
  virtual std::string UnreadableAdvice() const { return "copy or download the files again"; }

  struct Picture {
    int label = 0;
    std::string content;      // SHA-256 (hex) of the picture as the source has it.
    std::string name;         // "train/cat/7.jpg", "data_batch_1.bin row 17", "shape 17".
    int side = 0;             // Of what was written, in pixels: the input's, or MarginSide.
    bool has_margin = false;  // Whether it is larger than the input: at least MarginSide.
  };
  // Whether a picture of this content is wanted at MarginSide, if it has_margin.
  using MarginRule = bool (*)(absl::string_view content);
  // Decodes picture 0 <= index < train_images() + val_images() into the beginning of
  // `pixels`, HWC, side² of them; there is room for MarginSide². INVALID_ARGUMENT: it is
  // damaged or cannot be read; the message names file and place. Other errors (out of memory
  // or descriptors, a disk that fails) are not about the picture.
  virtual absl::StatusOr<Picture> Read(int index, MarginRule margin,
                                       absl::Span<uint8_t> pixels) = 0;
};

// The source of a spec, whose fields are in range; `source_dir` is its folder.
// INVALID_ARGUMENT, NOT_FOUND or PERMISSION_DENIED say what to do about the folder.
// UNIMPLEMENTED: it is an image folder, which OpenAnyPictureSource (image_folder.h) opens
// where OpenCV is at hand. `alive` is called now and then where that takes long.
absl::StatusOr<std::unique_ptr<PictureSource>> OpenPictureSource(
    const v1::DatasetSpec& spec, absl::string_view source_dir,
    absl::FunctionRef<void()> alive = [] {});

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_PICTURE_SOURCE_H_
