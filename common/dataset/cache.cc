#include "common/dataset/cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/dataset/cache_layout.h"
#include "common/dataset/mapped_file.h"

namespace squish {
namespace {

class MappedCache : public DatasetCache {
 public:
  MappedCache(MappedFile file, CacheHeader header)
      : file_(std::move(file)),
        header_(std::move(header)),
        layout_(header_.summary, header_.image_size) {}

  const v1::DatasetSummary& summary() const override { return header_.summary; }
  int image_size() const override { return header_.image_size; }

  int Count(v1::Split split) const override {
    switch (split) {
      case v1::TRAIN:
        return header_.summary.train_images();
      case v1::SELECTION:
        return header_.summary.selection_images();
      case v1::VAL:
        return header_.summary.val_images();
      default:
        return 0;
    }
  }

  absl::Span<const uint8_t> Image(v1::Split split, int index) const override {
    return pixels().subspan((First(split) + index) * layout_.picture_bytes,
                            layout_.picture_bytes);
  }
  int Label(v1::Split split, int index) const override { return labels()[First(split) + index]; }

  absl::Span<const uint8_t> labels() const override {
    return {file_.data() + layout_.labels_offset, static_cast<size_t>(layout_.count)};
  }
  absl::Span<const uint8_t> pixels() const override {
    return {file_.data() + layout_.pixels_offset,
            static_cast<size_t>(layout_.count * layout_.picture_bytes)};
  }

 private:
  // The place of a split's first picture.
  int64_t First(v1::Split split) const {
    int64_t first = 0;
    if (split != v1::TRAIN) first += Count(v1::TRAIN);
    if (split == v1::VAL) first += Count(v1::SELECTION);
    return first;
  }

  const MappedFile file_;
  const CacheHeader header_;
  const CacheLayout layout_;
};

absl::Status Damaged(absl::string_view path, absl::string_view why) {
  return absl::DataLossError(absl::StrCat("data cache ", path, " cannot be used: ", why));
}

absl::StatusOr<MappedFile> MapWholeFile(int fd, absl::string_view path) {
  struct stat info;
  if (::fstat(fd, &info) != 0) return ErrnoStatus(errno, "cannot examine", path);
  if (!S_ISREG(info.st_mode)) return Damaged(path, "it is not a regular file");
  if (info.st_size == 0) return Damaged(path, "it is empty");
  return MappedFile::Map(fd, info.st_size, /*writable=*/false, path);
}

}  // namespace

absl::StatusOr<std::unique_ptr<DatasetCache>> DatasetCache::Open(absl::string_view path) {
  const int fd = ::open(std::string(path).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, "cannot open data cache", path);
  absl::StatusOr<MappedFile> file = MapWholeFile(fd, path);
  ::close(fd);
  if (!file.ok()) return file.status();
  absl::StatusOr<CacheHeader> header = DecodeCacheHeader(file->view());
  if (!header.ok()) return Damaged(path, header.status().message());
  return std::make_unique<MappedCache>(*std::move(file), *std::move(header));
}

}  // namespace squish
