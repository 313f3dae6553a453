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
  // its header is damaged or does not fit its size, or a label is no class. The
  // pixels are not looked at: HasFingerprint (fingerprint.h) does that.
  static absl::StatusOr<std::unique_ptr<DatasetCache>> Open(absl::string_view path);
  virtual ~DatasetCache() = default;

  virtual const v1::DatasetSummary& summary() const = 0;
  virtual int image_size() const = 0;  // Side in pixels of every cached picture.
  virtual int Count(v1::Split split) const = 0;

  // image_size² · 3 bytes, HWC, RGB. 0 <= index < Count(split).
  virtual absl::Span<const uint8_t> Image(v1::Split split, int index) const = 0;
  virtual int Label(v1::Split split, int index) const = 0;

  // Side in pixels of this picture: image_size, or larger for training pictures that
  // random crops are taken from.
  virtual int Side(v1::Split /*split*/, int /*index*/) const { return image_size(); }
  // What the source calls this picture ("val/cat/7.jpg"); empty where it has no names.
  virtual std::string Name(v1::Split /*split*/, int /*index*/) const { return ""; }

  // All of them, in file order: TRAIN, SELECTION, VAL.
  virtual absl::Span<const uint8_t> labels() const = 0;
  virtual absl::Span<const uint8_t> pixels() const = 0;
};

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_CACHE_H_
