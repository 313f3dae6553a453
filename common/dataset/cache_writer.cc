#include "common/dataset/cache_writer.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "common/base/status_macros.h"
#include "common/dataset/cache_layout.h"
#include "common/dataset/fingerprint.h"
#include "common/dataset/mapped_file.h"
#include "common/dataset/selection_split.h"

namespace squish {
namespace {

// Progress is told after at most so many pictures.
constexpr int kProgressEvery = 500;

// The file's labels and pictures, writable in place.
struct Contents {
  absl::Span<uint8_t> labels;
  absl::Span<uint8_t> pixels;
  size_t picture_bytes;

  absl::Span<uint8_t> picture(size_t i) const {
    return pixels.subspan(i * picture_bytes, picture_bytes);
  }
};

absl::StatusOr<std::vector<TrainingPicture>> DecodeAll(
    PictureSource& source, const std::function<void(double)>& progress, const Contents& out) {
  std::vector<TrainingPicture> training;
  const int count = static_cast<int>(out.labels.size());
  for (int i = 0; i < count; ++i) {
    SQUISH_ASSIGN_OR_RETURN(PictureSource::Picture picture, source.Read(i, out.picture(i)));
    out.labels[i] = static_cast<uint8_t>(picture.label);
    if (i < source.train_images()) {
      training.push_back({picture.label, std::move(picture.content)});
    }
    if (i % kProgressEvery == 0) progress(static_cast<double>(i) / count);
  }
  return training;
}

// Moves held-out pictures behind the others, both in their order: the picture at
// order[i] comes to place i, along the permutation's cycles, one picture at a time.
void PutHeldOutLast(const std::vector<bool>& held_out, const Contents& contents) {
  std::vector<size_t> order;
  for (const bool wanted : {false, true}) {
    for (size_t i = 0; i < held_out.size(); ++i) {
      if (held_out[i] == wanted) order.push_back(i);
    }
  }
  std::vector<uint8_t> kept(contents.picture_bytes);
  for (size_t start = 0; start < order.size(); ++start) {
    if (order[start] == start) continue;
    std::memcpy(kept.data(), contents.picture(start).data(), kept.size());
    const uint8_t kept_label = contents.labels[start];
    size_t place = start;
    while (order[place] != start) {
      const size_t from = std::exchange(order[place], place);
      std::memcpy(contents.picture(place).data(), contents.picture(from).data(), kept.size());
      contents.labels[place] = contents.labels[from];
      place = from;
    }
    std::memcpy(contents.picture(place).data(), kept.data(), kept.size());
    contents.labels[place] = kept_label;
    order[place] = place;
  }
}

}  // namespace

absl::Status WriteCache(PictureSource& source, int image_size, absl::string_view rules,
                        const std::function<void(double fraction)>& progress, CacheSlot& slot) {
  v1::DatasetSummary summary;
  for (const std::string& name : source.class_names()) summary.add_class_names(name);
  summary.set_train_images(source.train_images());
  summary.set_val_images(source.val_images());
  const CacheLayout layout(summary, image_size);
  SQUISH_RETURN_IF_ERROR(slot.Reserve(layout.file_bytes));
  SQUISH_ASSIGN_OR_RETURN(const MappedFile file,
                          MappedFile::Map(slot.fd(), layout.file_bytes, true, "the new cache"));
  const Contents contents{
      {file.data() + layout.labels_offset, static_cast<size_t>(layout.count)},
      {file.data() + layout.pixels_offset,
       static_cast<size_t>(layout.count * layout.picture_bytes)},
      static_cast<size_t>(layout.picture_bytes)};

  SQUISH_ASSIGN_OR_RETURN(const std::vector<TrainingPicture> training,
                          DecodeAll(source, progress, contents));
  SQUISH_ASSIGN_OR_RETURN(const std::vector<bool> held_out,
                          HeldOutForSelection(training, source.class_names()));
  PutHeldOutLast(held_out, contents);

  const int selection = static_cast<int>(std::count(held_out.begin(), held_out.end(), true));
  summary.set_selection_images(selection);
  summary.set_train_images(source.train_images() - selection);
  const PixelStatistics statistics =
      ComputePixelStatistics(contents.pixels.first(summary.train_images() * layout.picture_bytes));
  summary.mutable_mean()->Assign(statistics.mean.begin(), statistics.mean.end());
  summary.mutable_std()->Assign(statistics.std.begin(), statistics.std.end());
  summary.set_fingerprint(
      Fingerprint(rules, summary, image_size, contents.labels, contents.pixels));
  const std::string header = EncodeCacheHeader(summary, image_size);
  std::memcpy(file.data(), header.data(), header.size());
  return absl::OkStatus();
}

}  // namespace squish
