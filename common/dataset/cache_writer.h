// Fills a cache file from a picture source, without holding the pictures in memory.
#ifndef SQUISH_COMMON_DATASET_CACHE_WRITER_H_
#define SQUISH_COMMON_DATASET_CACHE_WRITER_H_

#include <functional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/dataset/cache_slot.h"
#include "common/dataset/picture_source.h"

namespace squish {

// Decodes every picture of `source` at `image_size` into the slot's file, splits,
// orders and describes them. The file is whole after OK, and still to be published.
// `rules` goes into the fingerprint; `progress` is told fractions of the work.
// Errors of the source and of the disk are passed on.
absl::Status WriteCache(PictureSource& source, int image_size, absl::string_view rules,
                        const std::function<void(double fraction)>& progress, CacheSlot& slot);

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_CACHE_WRITER_H_
