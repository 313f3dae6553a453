// The decoded data set as one memory-mapped file: made once by the decoding child,
// read by trainers.
//
//   header │ pictures (HWC, RGB, one byte a channel) │ index
//
// The index names pictures in the order TRAIN, SELECTION, VAL; inside a split in the
// source's canonical order, so that index i means the same picture on every machine.
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
  // its header or index is damaged or does not fit its size. The pixels are not
  // looked at: HasFingerprint (fingerprint.h) does that.
  static absl::StatusOr<std::unique_ptr<DatasetCache>> Open(absl::string_view path);
  virtual ~DatasetCache() = default;

  virtual const v1::DatasetSummary& summary() const = 0;
  virtual int image_size() const = 0;  // The input size: side of all but some of TRAIN.
  virtual int Count(v1::Split split) const = 0;

  // Side² · 3 bytes, HWC, RGB. 0 <= index < Count(split), here and below.
  virtual absl::Span<const uint8_t> Image(v1::Split split, int index) const = 0;
  virtual int Label(v1::Split split, int index) const = 0;

  // Side in pixels of this picture: image_size, or MarginSide (picture_source.h) for
  // training pictures that random crops are taken from.
  virtual int Side(v1::Split /*split*/, int /*index*/) const { return image_size(); }
  // What the source calls this picture ("val/cat/7.jpg"); empty where it has no names.
  virtual std::string Name(v1::Split /*split*/, int /*index*/) const { return ""; }
  // SHA-256 (hex) of the picture as the source has it; empty where there is no source.
  virtual std::string Content(v1::Split /*split*/, int /*index*/) const { return ""; }
};

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_CACHE_H_
