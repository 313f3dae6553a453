#include "common/dataset/prepare.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/dataset/cache.h"
#include "common/dataset/cache_layout.h"
#include "common/dataset/cache_slot.h"
#include "common/dataset/cache_writer.h"
#include "common/dataset/fingerprint.h"
#include "common/dataset/picture_source.h"
#include "common/dataset/selection_split.h"

namespace squish {
namespace {

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
                  absl::StrCat("dataset-", std::move(hash).HexDigest().substr(0, 32), ".cache"));
}

// The answer from a cache that is there and whole. NOT_FOUND or DATA_LOSS otherwise.
absl::StatusOr<v1::DecoderEvent::Done> AnswerFrom(const std::string& path,
                                                  absl::string_view rules) {
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<DatasetCache> cache, DatasetCache::Open(path));
  if (!HasFingerprint(rules, *cache)) {
    return absl::DataLossError(absl::StrCat(path, " no longer has its fingerprint"));
  }
  v1::DecoderEvent::Done done;
  *done.mutable_summary() = cache->summary();
  done.set_cache_path(path);
  return done;
}

bool MustBeMade(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsDataLoss(status);
}

}  // namespace

absl::StatusOr<v1::DecoderEvent::Done> PrepareDataset(
    const v1::DecoderRequest& request, const std::function<void(double fraction)>& progress) {
  SQUISH_RETURN_IF_ERROR(CheckSpec(request.dataset()));
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<PictureSource> source,
                          OpenPictureSource(request.dataset(), request.source_dir()));
  SQUISH_ASSIGN_OR_RETURN(const std::string identity, source->Identity());
  const std::string rules = absl::StrCat(source->Rules(), "; ", kSelectionRule);
  const int input_size = request.dataset().input_size();
  SQUISH_RETURN_IF_ERROR(MakeFolder(request.cache_dir()));
  const std::string path = CachePath(request.cache_dir(), rules, identity, input_size);

  absl::StatusOr<v1::DecoderEvent::Done> done = AnswerFrom(path, rules);
  if (done.ok() || !MustBeMade(done.status())) return done;
  SQUISH_ASSIGN_OR_RETURN(const std::unique_ptr<CacheSlot> slot,
                          CacheSlot::Acquire(path, [&] { progress(0.0); }));
  done = AnswerFrom(path, rules);  // Another process may have made it meanwhile.
  if (done.ok() || !MustBeMade(done.status())) return done;

  SQUISH_RETURN_IF_ERROR(WriteCache(*source, input_size, rules, progress, *slot));
  SQUISH_ASSIGN_OR_RETURN(const std::string identity_now, source->Identity());
  if (identity_now != identity) {
    return absl::AbortedError(
        absl::StrCat("the pictures in ", request.source_dir(),
                     " changed while they were read; try again when they are complete"));
  }
  SQUISH_RETURN_IF_ERROR(slot->Publish());
  return AnswerFrom(path, rules);
}

}  // namespace squish
