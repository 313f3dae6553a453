#include "common/dataset/cache_writer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/base/text.h"
#include "common/dataset/cache_journal.h"
#include "common/dataset/cache_layout.h"
#include "common/dataset/fingerprint.h"
#include "common/dataset/mapped_file.h"
#include "common/dataset/selection_split.h"
#include "common/dataset/work_in_order.h"

namespace squish {
namespace {

constexpr int kNamedUnreadable = 20;       // In a summary.
constexpr size_t kProblemBytes = 500;      // Of one of them.
constexpr int kPicturesTogether = 32;      // Handed over at once, at most,
constexpr int64_t kBytesTogether = 1 << 20;  // and of about so many bytes.

bool Never(absl::string_view) { return false; }
bool Always(absl::string_view) { return true; }
bool UnlessLikelyHeldOut(absl::string_view content) { return !LikelyHeldOut(content); }

absl::string_view AsText(const uint8_t* bytes, int64_t count) {
  return {reinterpret_cast<const char*>(bytes), static_cast<size_t>(count)};
}

// A decoded picture with what is found in its pixels.
struct Described {
  DecodedPicture picture;
  PixelSums sums;
};

// Neighbours, decoded together by one thread.
struct Batch {
  std::vector<Described> pictures;
  std::unique_ptr<uint8_t[]> pixels;
  int64_t bytes = 0;
  absl::Status status;  // The source's, where it is not about one picture.
};

// A picture of the source, and at which side it is wanted.
struct Wanted {
  int index;
  PictureSource::MarginRule margin;
};

class CacheWriter {
 public:
  CacheWriter(PictureSource& source, int image_size, int threads,
              const std::function<void(double)>& progress, CacheSlot& slot)
      : source_(source),
        image_size_(image_size),
        threads_(threads),
        progress_(progress),
        slot_(slot),
        count_(source.train_images() + source.val_images()) {}

  absl::Status Write(absl::string_view rules) {
    SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<CacheJournal> journal,
                            CacheJournal::Open(slot_.journal_path()));
    SQUISH_RETURN_IF_ERROR(TakeUp(*journal));
    taken_up_ = true;
    progress_(Fraction());
    SQUISH_RETURN_IF_ERROR(Decode(Remaining(), [&](Batch& batch) {
      std::vector<DecodedPicture> records;
      for (const Described& described : batch.pictures) records.push_back(described.picture);
      SQUISH_RETURN_IF_ERROR(journal->Append(records));
      for (Described& described : batch.pictures) {
        SQUISH_RETURN_IF_ERROR(Accept(std::move(described)));
      }
      progress_(Fraction());
      return absl::OkStatus();
    }));
    SQUISH_RETURN_IF_ERROR(Split());
    return Finish(rules);
  }

 private:
  double Fraction() const { return static_cast<double>(decoded_.size()) / std::max(1, count_); }

  // An error that is not the cache's disk's: what has been decoded is left.
  absl::Status OfTheSource(absl::Status status) {
    if (!status.ok()) slot_.LeaveUnfinished(taken_up_ ? end_ : slot_.Size());
    return status;
  }

  // Takes over what an earlier maker left, as far as it is whole.
  absl::Status TakeUp(CacheJournal& journal) {
    std::vector<DecodedPicture> found = journal.TakeFound();
    const int64_t size = slot_.Size();
    if (!found.empty() && size > kPicturesPlace) {
      SQUISH_ASSIGN_OR_RETURN(const MappedFile file,
                              MappedFile::Map(slot_.fd(), size, /*writable=*/false,
                                              "the unfinished cache"));
      for (DecodedPicture& picture : found) {
        if (static_cast<int>(decoded_.size()) == count_ || !IsThere(picture, file)) break;
        SQUISH_RETURN_IF_ERROR(
            Accept({std::move(picture), SumPixels(PixelsOf(picture, file))}));
        if (decoded_.size() % 1000 == 0) progress_(Fraction());
      }
    }
    SQUISH_RETURN_IF_ERROR(journal.Keep(decoded_.size()));
    // At least so much is needed: a full disk is noticed now rather than hours later.
    if (decoded_.empty()) {
      SQUISH_RETURN_IF_ERROR(
          slot_.Reserve(kPicturesPlace + count_ * PictureBytes(image_size_)));
    }
    return absl::OkStatus();
  }

  static absl::Span<const uint8_t> PixelsOf(const DecodedPicture& picture,
                                            const MappedFile& file) {
    if (!picture.problem.empty()) return {};
    return {file.data() + picture.entry.place,
            static_cast<size_t>(PictureBytes(picture.entry.side))};
  }

  // Whether the pixels that a record tells of follow the earlier ones in the file.
  bool IsThere(const DecodedPicture& picture, const MappedFile& file) const {
    if (!picture.problem.empty()) return true;
    const CacheEntry& entry = picture.entry;
    if (entry.place != end_ || entry.side < 1 || entry.side > MarginSide(image_size_) ||
        entry.place + PictureBytes(entry.side) > file.bytes()) {
      return false;
    }
    const absl::Span<const uint8_t> pixels = PixelsOf(picture, file);
    return DigestOf(Sha256Hex(AsText(pixels.data(), PictureBytes(entry.side)))) == entry.pixels;
  }

  // Counts a picture whose pixels are in the file, at its end.
  absl::Status Accept(Described described) {
    const DecodedPicture& picture = described.picture;
    if (picture.problem.empty()) {
      end_ += PictureBytes(picture.entry.side);
    } else {
      ++unreadable_;
      if (static_cast<int>(problems_.size()) < kNamedUnreadable) {
        problems_.push_back(picture.problem);
      }
      SQUISH_RETURN_IF_ERROR(
          OfTheSource(CheckUnreadable(source_, unreadable_, count_, problems_)));
    }
    decoded_.push_back(std::move(described));
    return absl::OkStatus();
  }

  std::vector<Wanted> Remaining() const {
    std::vector<Wanted> wanted;
    for (int i = static_cast<int>(decoded_.size()); i < count_; ++i) {
      wanted.push_back({i, i < source_.train_images() ? UnlessLikelyHeldOut : Never});
    }
    return wanted;
  }

  Batch DecodeTogether(absl::Span<const Wanted> wanted) const {
    const int64_t room = PictureBytes(MarginSide(image_size_));
    Batch batch;
    batch.pixels.reset(new uint8_t[static_cast<size_t>(room) * wanted.size()]);
    for (const Wanted& one : wanted) {
      uint8_t* const at = batch.pixels.get() + batch.bytes;
      Described described;
      described.picture.index = one.index;
      absl::StatusOr<PictureSource::Picture> read =
          source_.Read(one.index, one.margin, {at, static_cast<size_t>(room)});
      if (absl::IsInvalidArgument(read.status())) {
        described.picture.problem =
            std::string(Utf8Prefix(read.status().message(), kProblemBytes));
      } else if (!read.ok()) {
        batch.status = read.status();
        return batch;
      } else {
        const int64_t bytes = PictureBytes(read->side);
        CacheEntry& entry = described.picture.entry;
        entry.label = read->label;
        entry.side = read->side;
        entry.content = DigestOf(read->content);
        entry.pixels = DigestOf(Sha256Hex(AsText(at, bytes)));
        entry.name = std::move(read->name);
        described.picture.has_margin = read->has_margin;
        described.sums = SumPixels({at, static_cast<size_t>(bytes)});
        batch.bytes += bytes;
      }
      batch.pictures.push_back(std::move(described));
    }
    return batch;
  }

  // Decodes what is wanted, writes it from end_ on, and hands it to `commit` in order.
  absl::Status Decode(const std::vector<Wanted>& wanted,
                      absl::FunctionRef<absl::Status(Batch&)> commit) {
    const int64_t together =
        std::clamp<int64_t>(kBytesTogether / PictureBytes(MarginSide(image_size_)), 1,
                            kPicturesTogether);
    const int64_t all = static_cast<int64_t>(wanted.size());
    const int batches = static_cast<int>((all + together - 1) / together);
    return WorkInOrder<Batch>(
        batches, threads_,
        [&](int i) {
          const int64_t first = i * together;
          return DecodeTogether(absl::MakeConstSpan(wanted).subspan(first, together));
        },
        [&](Batch& batch) {
          SQUISH_RETURN_IF_ERROR(OfTheSource(batch.status));
          SQUISH_RETURN_IF_ERROR(slot_.Write(end_, AsText(batch.pixels.get(), batch.bytes)));
          int64_t place = end_;
          for (Described& described : batch.pictures) {
            described.picture.entry.place = place;
            if (described.picture.problem.empty()) {
              place += PictureBytes(described.picture.entry.side);
            }
          }
          return commit(batch);
        },
        [this] { progress_(Fraction()); });
  }

  // Finds the selection split, and brings training pictures that were guessed to be on its
  // other side to the side in pixels that they should have.
  absl::Status Split() {
    std::vector<TrainingPicture> training;
    std::vector<size_t> places;
    for (size_t i = 0; i < decoded_.size(); ++i) {
      const DecodedPicture& picture = decoded_[i].picture;
      if (picture.index >= source_.train_images() || !picture.problem.empty()) continue;
      training.push_back({picture.entry.label, HexOf(picture.entry.content)});
      places.push_back(i);
    }
    const auto held_out = HeldOutForSelection(training, source_.class_names());
    SQUISH_RETURN_IF_ERROR(OfTheSource(held_out.status()));
    held_out_.assign(decoded_.size(), false);
    std::vector<Wanted> wrong;
    for (size_t t = 0; t < training.size(); ++t) {
      const DecodedPicture& picture = decoded_[places[t]].picture;
      held_out_[places[t]] = (*held_out)[t];
      const bool is_large = picture.entry.side != image_size_;
      if (picture.has_margin && is_large == (*held_out)[t]) {
        wrong.push_back({picture.index, (*held_out)[t] ? Never : Always});
      }
    }
    return Decode(wrong, [&](Batch& batch) {
      for (Described& described : batch.pictures) {
        if (!described.picture.problem.empty()) {
          return absl::AbortedError(absl::StrCat(described.picture.problem,
                                                 " now, and could be read before; try again"));
        }
        end_ += PictureBytes(described.picture.entry.side);
        const size_t index = static_cast<size_t>(described.picture.index);
        decoded_[index] = std::move(described);
      }
      return absl::OkStatus();
    });
  }

  absl::Status Finish(absl::string_view rules) {
    v1::DatasetSummary summary;
    const int classes = static_cast<int>(source_.class_names().size());
    for (const std::string& name : source_.class_names()) summary.add_class_names(name);
    std::vector<CacheEntry> entries;
    ClassSummaries by_class(classes);
    PixelSums train_sums;
    const auto add = [&](v1::Split split) {
      const size_t before = entries.size();
      for (size_t i = 0; i < decoded_.size(); ++i) {
        const DecodedPicture& picture = decoded_[i].picture;
        if (!picture.problem.empty() || SplitOf(i) != split) continue;
        by_class.Add(split, picture.entry.label, picture.entry.content);
        if (split == v1::TRAIN) train_sums += decoded_[i].sums;
        entries.push_back(picture.entry);
      }
      return static_cast<int>(entries.size() - before);
    };
    summary.set_train_images(add(v1::TRAIN));
    summary.set_selection_images(add(v1::SELECTION));
    summary.set_val_images(add(v1::VAL));
    const PixelStatistics statistics = ComputePixelStatistics(train_sums);
    summary.mutable_mean()->Assign(statistics.mean.begin(), statistics.mean.end());
    summary.mutable_std()->Assign(statistics.std.begin(), statistics.std.end());
    summary.set_unreadable_images(unreadable_);
    for (const std::string& problem : problems_) summary.add_unreadable(problem);
    *summary.mutable_classes() = std::move(by_class).Take();
    summary.set_fingerprint(Fingerprint(rules, summary, image_size_, entries));

    const std::string index = EncodeCacheIndex(summary, entries);
    SQUISH_RETURN_IF_ERROR(slot_.Write(end_, index));
    SQUISH_RETURN_IF_ERROR(slot_.CutTo(end_ + static_cast<int64_t>(index.size())));
    return slot_.Write(0, EncodeCacheHeader(image_size_, end_, index));
  }

  v1::Split SplitOf(size_t place) const {
    if (decoded_[place].picture.index >= source_.train_images()) return v1::VAL;
    return held_out_[place] ? v1::SELECTION : v1::TRAIN;
  }

  PictureSource& source_;
  const int image_size_, threads_;
  const std::function<void(double)>& progress_;
  CacheSlot& slot_;
  const int count_;

  std::vector<Described> decoded_;  // Picture i of the source is at place i.
  std::vector<bool> held_out_;      // Beside decoded_, once the split is known.
  int64_t end_ = kPicturesPlace;    // Of the pictures in the file.
  bool taken_up_ = false;           // All that an earlier maker left.
  int unreadable_ = 0;
  std::vector<std::string> problems_;  // Of the first unreadable ones.
};

}  // namespace

absl::Status WriteCache(PictureSource& source, int image_size, absl::string_view rules,
                        int threads, const std::function<void(double fraction)>& progress,
                        CacheSlot& slot) {
  return CacheWriter(source, image_size, threads, progress, slot).Write(rules);
}

absl::Status CheckUnreadable(const PictureSource& source, int64_t unreadable, int64_t all,
                             absl::Span<const std::string> some) {
  constexpr size_t kNamed = 5;
  const auto allowed =
      static_cast<int64_t>(std::floor(source.maximum_unreadable() * static_cast<double>(all)));
  if (unreadable <= allowed) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "at least ", unreadable, " of ", all, " pictures cannot be read and ", allowed,
      " may be so: ", absl::StrJoin(some.first(std::min(kNamed, some.size())), "; "),
      some.size() > kNamed ? "; …" : "", "; ", source.UnreadableAdvice()));
}

}  // namespace squish
