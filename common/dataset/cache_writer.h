// Fills a cache file from a picture source, without holding the pictures in memory:
//
//   source ─ decoded on all cores ─► committed in order ─► partial file + journal
//                                                              │ all are in
//            those at the wrong side are decoded again ◄─ split, index, header
#ifndef SQUISH_COMMON_DATASET_CACHE_WRITER_H_
#define SQUISH_COMMON_DATASET_CACHE_WRITER_H_

#include <functional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/dataset/cache_slot.h"
#include "common/dataset/picture_source.h"

namespace squish {

// Decodes every picture of `source` for networks of `image_size` into the slot's file, by
// `threads` threads (at least 1), splits, orders and describes them. What an earlier
// maker of the same file had decoded is kept. The file is whole after OK, the same bytes
// for any number of threads and makers, and still to be published. `rules` goes into the
// fingerprint; `progress` is told fractions of the work, on the calling thread.
//
// INVALID_ARGUMENT: more pictures cannot be read than the source allows, or a class
// cannot be split. Other errors of the source and of the disk are passed on. After those
// of the source what was decoded is left in the slot, so that the same call fails or goes on
// at once; after those of the disk nothing is.
absl::Status WriteCache(PictureSource& source, int image_size, absl::string_view rules,
                        int threads, const std::function<void(double fraction)>& progress,
                        CacheSlot& slot);

// INVALID_ARGUMENT where so many unreadable ones are too many of `all` pictures; names
// some of them and what to do.
absl::Status CheckUnreadable(const PictureSource& source, int64_t unreadable, int64_t all,
                             absl::Span<const std::string> some);

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_CACHE_WRITER_H_
