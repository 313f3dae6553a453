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
  MappedCache(MappedFile file, CacheIndex index)
      : file_(std::move(file)), index_(std::move(index)) {}

  const v1::DatasetSummary& summary() const override { return index_.summary; }
  int image_size() const override { return index_.image_size; }

  int Count(v1::Split split) const override {
    switch (split) {
      case v1::TRAIN:
        return index_.summary.train_images();
      case v1::SELECTION:
        return index_.summary.selection_images();
      case v1::VAL:
        return index_.summary.val_images();
      default:
        return 0;
    }
  }

  absl::Span<const uint8_t> Image(v1::Split split, int index) const override {
    const CacheEntry entry = Entry(split, index);
    return {file_.data() + entry.place, static_cast<size_t>(PictureBytes(entry.side))};
  }
  int Label(v1::Split split, int index) const override { return Entry(split, index).label; }
  int Side(v1::Split split, int index) const override { return Entry(split, index).side; }
  std::string Name(v1::Split split, int index) const override { return Entry(split, index).name; }
  std::string Content(v1::Split split, int index) const override {
    return HexOf(Entry(split, index).content);
  }

 private:
  CacheEntry Entry(v1::Split split, int index) const {
    int64_t place = index;
    if (split != v1::TRAIN) place += Count(v1::TRAIN);
    if (split == v1::VAL) place += Count(v1::SELECTION);
    absl::string_view bytes = file_.view().substr(index_.entries[place]);
    return TakeEntry(&bytes).value();  // Checked by Open.
  }

  const MappedFile file_;
  const CacheIndex index_;
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
  absl::StatusOr<CacheIndex> index = DecodeCacheIndex(file->view());
  if (!index.ok()) return Damaged(path, index.status().message());
  return std::make_unique<MappedCache>(*std::move(file), *std::move(index));
}

}  // namespace squish
