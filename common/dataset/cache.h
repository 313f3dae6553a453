// The decoded data set as one memory-mapped file: made once by the decoding child,
// read by trainers.
//
//   header │ labels (one byte each) │ pictures (HWC, RGB, one byte a channel)
//
// Pictures lie in the order TRAIN, SELECTION, VAL; inside a split in the source's
// canonical order, so that index i means the same picture on every machine.
#ifndef SQUISH_COMMON_DATASET_CACHE_H_
#define SQUISH_COMMON_DATASET_CACHE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "squish/v1/dataset.pb.h"

namespace squish {

// Read-only view of a cache file. Thread-safe.
class DatasetCache {
 public:
  // Maps a file. NOT_FOUND: there is none. DATA_LOSS: truncated, of another version,
  // or its header does not fit its size.
  static absl::StatusOr<std::unique_ptr<DatasetCache>> Open(absl::string_view path);
  virtual ~DatasetCache() = default;

  virtual const v1::DatasetSummary& summary() const = 0;
  virtual int image_size() const = 0;  // Side in pixels of every cached picture.
  virtual int Count(v1::Split split) const = 0;

  // image_size² · 3 bytes, HWC, RGB. 0 <= index < Count(split).
  virtual absl::Span<const uint8_t> Image(v1::Split split, int index) const = 0;
  virtual int Label(v1::Split split, int index) const = 0;
};

// One decoded picture on its way into a cache.
struct LabelledImage {
  v1::Split split;
  int label;
  absl::Span<const uint8_t> pixels;
};

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_CACHE_H_
