#include "common/dataset/prepare.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/dataset/cache.h"
#include "common/dataset/cache_layout.h"
#include "common/dataset/cache_slot.h"
#include "common/dataset/cache_writer.h"
#include "common/dataset/difference.h"
#include "common/dataset/fingerprint.h"
#include "common/dataset/picture_source.h"
#include "common/dataset/selection_split.h"

namespace squish {
namespace {

constexpr char kCacheSuffix[] = ".cache";
constexpr int kMaximumThreads = 1024;
constexpr int kMinimumInputSize = 8, kMaximumInputSize = 1024;
constexpr int kMinimumBuiltIn = 100, kMaximumBuiltIn = 1'000'000;

absl::Status CheckRange(absl::string_view field, int value, int low, int high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, " is ", value, "; it can be ", low, " to ", high));
}

absl::Status CheckSpec(const v1::DatasetSpec& spec) {
  SQUISH_RETURN_IF_ERROR(
      CheckRange("dataset.input_size", spec.input_size(), kMinimumInputSize, kMaximumInputSize));
  if (spec.has_image_folder()) {
    const double share = spec.image_folder().maximum_unreadable();
    if (!(share >= 0.0 && share <= 1.0)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "dataset.image_folder.maximum_unreadable is ", share, "; it can be 0 to 1"));
    }
  }
  if (spec.source_case() != v1::DatasetSpec::kBuiltIn) return absl::OkStatus();
  SQUISH_RETURN_IF_ERROR(CheckRange("dataset.built_in.train_images",
                                    spec.built_in().train_images(), kMinimumBuiltIn,
                                    kMaximumBuiltIn));
  return CheckRange("dataset.built_in.val_images", spec.built_in().val_images(), kMinimumBuiltIn,
                    kMaximumBuiltIn);
}

std::string CachePath(absl::string_view folder, absl::string_view rules,
                      absl::string_view identity, int input_size) {
  Sha256 hash;
  hash.UpdateUint64(kCacheVersion);
  hash.UpdateUint64(static_cast<uint64_t>(input_size));
  hash.UpdateString(rules);
  hash.UpdateString(identity);
  return JoinPath(folder,
                  absl::StrCat("dataset-", std::move(hash).HexDigest().substr(0, 32), kCacheSuffix));
}

v1::DecoderEvent::Done AnswerWith(const DatasetCache& cache, const std::string& path) {
  v1::DecoderEvent::Done done;
  *done.mutable_summary() = cache.summary();
  done.set_cache_path(path);
  return done;
}

// The answer from a cache that is there and whole. NOT_FOUND or DATA_LOSS otherwise.
absl::StatusOr<v1::DecoderEvent::Done> AnswerFrom(const std::string& path,
                                                  absl::string_view rules, int threads,
                                                  absl::FunctionRef<void()> alive) {
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<DatasetCache> cache, DatasetCache::Open(path));
  if (!HasFingerprint(rules, *cache, threads, alive)) {
    return absl::DataLossError(absl::StrCat(path, " no longer has its fingerprint"));
  }
  return AnswerWith(*cache, path);
}

// What differs from the cache of that fingerprint; empty where there is none.
std::string DifferenceFrom(const std::string& fingerprint, const std::string& folder,
                           const DatasetCache& now) {
  std::error_code error;
  std::filesystem::directory_iterator entries(folder, error), end;
  for (; !error && entries != end; entries.increment(error)) {
    if (!absl::EndsWith(entries->path().string(), kCacheSuffix)) continue;
    const auto cache = DatasetCache::Open(entries->path().string());
    if (cache.ok() && (*cache)->summary().fingerprint() == fingerprint) {
      return DescribeDifference(**cache, now);
    }
  }
  return "";
}

bool MustBeMade(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsDataLoss(status);
}

// As PrepareDataset, of a source that is open, and without `difference`.
absl::StatusOr<v1::DecoderEvent::Done> MakeOrFind(
    PictureSource& source, const v1::DecoderRequest& request, int threads,
    const std::function<void(double fraction)>& progress) {
  const auto alive = [&progress] { progress(0.0); };
  SQUISH_ASSIGN_OR_RETURN(const std::string identity, source.Identity(alive));
  const std::string rules = absl::StrCat(source.Rules(), "; ", kSelectionRule);
  const int input_size = request.dataset().input_size();
  SQUISH_RETURN_IF_ERROR(MakeFolder(request.cache_dir()));
  const std::string path = CachePath(request.cache_dir(), rules, identity, input_size);

  absl::StatusOr<v1::DecoderEvent::Done> done = AnswerFrom(path, rules, threads, alive);
  if (done.ok() || !MustBeMade(done.status())) return done;
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<CacheSlot> slot,
                          CacheSlot::Acquire(path, alive));
  done = AnswerFrom(path, rules, threads, alive);  // Another process may have made it meanwhile.
  if (done.ok() || !MustBeMade(done.status())) return done;

  SQUISH_RETURN_IF_ERROR(WriteCache(source, input_size, rules, threads, progress, *slot));
  SQUISH_ASSIGN_OR_RETURN(const std::string identity_now,
                          source.Identity([&progress] { progress(1.0); }));
  if (identity_now != identity) {
    return absl::AbortedError(
        absl::StrCat("the pictures in ", request.source_dir(),
                     " changed while they were read; try again when they are complete"));
  }
  SQUISH_RETURN_IF_ERROR(slot->Publish());
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<DatasetCache> cache, DatasetCache::Open(path));
  return AnswerWith(*cache, path);
}

// A cache may have been made when more unreadable pictures were allowed.
absl::Status CheckAllowed(const PictureSource& source, const v1::DatasetSummary& summary) {
  const std::vector<std::string> some(summary.unreadable().begin(), summary.unreadable().end());
  return CheckUnreadable(source, summary.unreadable_images(),
                         int64_t{source.train_images()} + source.val_images(), some);
}

}  // namespace

absl::StatusOr<v1::DecoderEvent::Done> PrepareDataset(
    const v1::DecoderRequest& request, const std::function<void(double fraction)>& progress,
    SourceOpener open) {
  SQUISH_RETURN_IF_ERROR(CheckSpec(request.dataset()));
  SQUISH_RETURN_IF_ERROR(CheckRange("threads", request.threads(), 0, kMaximumThreads));
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<PictureSource> source,
                          open(request.dataset(), request.source_dir(),
                               [&progress] { progress(0.0); }));
  const int threads = request.threads() > 0
                          ? request.threads()
                          : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  SQUISH_ASSIGN_OR_RETURN(v1::DecoderEvent::Done done,
                          MakeOrFind(*source, request, threads, progress));
  SQUISH_RETURN_IF_ERROR(CheckAllowed(*source, done.summary()));
  const std::string& expected = request.expected_fingerprint();
  if (!expected.empty() && expected != done.summary().fingerprint()) {
    SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<DatasetCache> cache,
                            DatasetCache::Open(done.cache_path()));
    done.set_difference(DifferenceFrom(expected, request.cache_dir(), *cache));
  }
  return done;
}

}  // namespace squish
