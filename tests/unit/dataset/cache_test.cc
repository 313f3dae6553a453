#include "common/dataset/cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"
#include "common/dataset/cache_layout.h"
#include "common/dataset/fingerprint.h"
#include "common/dataset/prepare.h"
#include "tests/unit/dataset/test_folder.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

v1::DatasetSummary SmallSummary() {
  v1::DatasetSummary summary;
  summary.set_fingerprint(Sha256Hex("x"));
  summary.add_class_names("cat");
  summary.add_class_names("dog");
  summary.set_train_images(3);
  summary.set_selection_images(2);
  summary.set_val_images(1);
  for (int c = 0; c < 3; ++c) {
    summary.add_mean(0.5f);
    summary.add_std(0.25f);
  }
  return summary;
}

int Count(const v1::DatasetSummary& summary) {
  return summary.train_images() + summary.selection_images() + summary.val_images();
}

// Labels alternate; picture 0 has a margin.
std::vector<CacheEntry> SmallEntries(const v1::DatasetSummary& summary, int image_size) {
  std::vector<CacheEntry> entries;
  int64_t place = kPicturesPlace;
  for (int i = 0; i < Count(summary); ++i) {
    CacheEntry entry;
    entry.label = i % 2;
    entry.side = i == 0 ? image_size + 1 : image_size;
    entry.place = place;
    entry.content = DigestOf(Sha256Hex(absl::StrCat("content ", i)));
    entry.pixels = DigestOf(Sha256Hex(std::string(PictureBytes(entry.side), static_cast<char>(i))));
    entry.name = absl::StrCat("picture ", i);
    place += PictureBytes(entry.side);
    entries.push_back(entry);
  }
  return entries;
}

std::string FileOf(const v1::DatasetSummary& summary, int image_size,
                   const std::vector<CacheEntry>& entries) {
  std::string pictures;
  for (size_t i = 0; i < entries.size(); ++i) {
    pictures.append(PictureBytes(entries[i].side), static_cast<char>(i));
  }
  const std::string index = EncodeCacheIndex(summary, entries);
  std::string file = EncodeCacheHeader(
      image_size, kPicturesPlace + static_cast<int64_t>(pictures.size()), index);
  file.resize(kPicturesPlace);
  return file + pictures + index;
}

// A whole file for a summary: picture i is full of i.
std::string FileOf(const v1::DatasetSummary& summary, int image_size) {
  return FileOf(summary, image_size, SmallEntries(summary, image_size));
}

class DatasetCacheTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<DatasetCache>> OpenBytes(const std::string& bytes) const {
    folder_.Write("cache", bytes);
    return DatasetCache::Open(folder_.File("cache"));
  }

  void ExpectDataLoss(const std::string& bytes, const std::string& why) const {
    const auto cache = OpenBytes(bytes);
    EXPECT_EQ(cache.status().code(), absl::StatusCode::kDataLoss) << cache.status();
    EXPECT_THAT(std::string(cache.status().message()), HasSubstr(why));
    EXPECT_THAT(std::string(cache.status().message()), HasSubstr(folder_.File("cache")));
  }

  // With one thing about the summary changed.
  std::string Altered(const std::function<void(v1::DatasetSummary&)>& alter) const {
    v1::DatasetSummary summary = SmallSummary();
    alter(summary);
    return FileOf(summary, 2);
  }

  const TestFolder folder_;
};

TEST_F(DatasetCacheTest, PicturesAndLabelsAreFoundBySplit) {
  const auto cache = OpenBytes(FileOf(SmallSummary(), 2)).value();
  EXPECT_EQ(cache->image_size(), 2);
  EXPECT_EQ(cache->summary().SerializeAsString(), SmallSummary().SerializeAsString());
  int place = 0;
  for (const v1::Split split : {v1::TRAIN, v1::SELECTION, v1::VAL}) {
    for (int i = 0; i < cache->Count(split); ++i, ++place) {
      EXPECT_EQ(cache->Label(split, i), place % 2);
      const int side = place == 0 ? 3 : 2;
      EXPECT_EQ(cache->Side(split, i), side);
      EXPECT_EQ(cache->Image(split, i).size(), static_cast<size_t>(PictureBytes(side)));
      EXPECT_EQ(cache->Name(split, i), absl::StrCat("picture ", place));
      EXPECT_EQ(cache->Content(split, i), Sha256Hex(absl::StrCat("content ", place)));
      EXPECT_THAT(cache->Image(split, i), testing::Each(place));
    }
  }
  EXPECT_EQ(place, 6);
  EXPECT_EQ(cache->Count(v1::SPLIT_UNSPECIFIED), 0);
}

TEST_F(DatasetCacheTest, MissingFileIsNotFound) {
  EXPECT_EQ(DatasetCache::Open(folder_.File("none")).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(DatasetCacheTest, EveryTruncationAndTrailingByteIsRefused) {
  const std::string file = FileOf(SmallSummary(), 2);
  for (size_t size = 0; size < file.size(); size += size < 200 || size > 4000 ? 1 : 37) {
    EXPECT_EQ(OpenBytes(file.substr(0, size)).status().code(), absl::StatusCode::kDataLoss)
        << size;
  }
  ExpectDataLoss(file.substr(0, file.size() - 1), "its header tells of others");
  ExpectDataLoss(file + "x", "its header tells of others");
}

TEST_F(DatasetCacheTest, EveryFlippedBitOfHeaderAndIndexIsRefused) {
  const std::string file = FileOf(SmallSummary(), 2);
  const size_t index = EncodeCacheIndex(SmallSummary(), SmallEntries(SmallSummary(), 2)).size();
  for (size_t i = 0; i < file.size(); ++i) {
    if (i == 96) i = file.size() - index;
    std::string flipped = file;
    flipped[i] ^= static_cast<char>(1 << (i % 8));
    EXPECT_EQ(OpenBytes(flipped).status().code(), absl::StatusCode::kDataLoss) << i;
  }
}

TEST_F(DatasetCacheTest, OtherFilesAndVersionsAreRefused) {
  ExpectDataLoss(std::string(100'000, 'x'), "no data cache");
  ExpectDataLoss("", "empty");
  std::string file = FileOf(SmallSummary(), 2);
  file[8] = 7;
  ExpectDataLoss(file, "version 7, not 2");
  ASSERT_TRUE(MakeFolder(folder_.File("folder")).ok());
  EXPECT_EQ(DatasetCache::Open(folder_.File("folder")).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST_F(DatasetCacheTest, ImpossibleSummariesAreRefusedThoughWellSealed) {
  ExpectDataLoss(Altered([](auto& s) { s.clear_class_names(); }), "0 classes");
  ExpectDataLoss(Altered([](auto& s) {
                   for (int i = 0; i < 300; ++i) s.add_class_names("x");
                 }),
                 "302 classes");
  ExpectDataLoss(Altered([](auto& s) { s.set_fingerprint("abc"); }), "fingerprint");
  ExpectDataLoss(Altered([](auto& s) { s.add_mean(1); }), "three channels");
  ExpectDataLoss(Altered([](auto& s) { s.set_std(1, 0.0f); }), "impossible");
  ExpectDataLoss(Altered([](auto& s) { s.set_mean(1, NAN); }), "impossible");
  ExpectDataLoss(Altered([](auto& s) { s.set_val_images(-1); }), "negative");
  const std::vector<CacheEntry> entries = SmallEntries(SmallSummary(), 2);
  v1::DatasetSummary more = SmallSummary();
  more.set_val_images(INT32_MAX);
  ExpectDataLoss(FileOf(more, 2, entries), "6 pictures instead of 2147483652");
  ExpectDataLoss(FileOf(SmallSummary(), 100'000, entries), "damaged");
}

TEST_F(DatasetCacheTest, EntriesThatPointAstrayAreRefusedThoughWellSealed) {
  const auto with = [](const std::function<void(CacheEntry&)>& alter) {
    std::vector<CacheEntry> entries = SmallEntries(SmallSummary(), 2);
    alter(entries[4]);
    std::string file = FileOf(SmallSummary(), 2, SmallEntries(SmallSummary(), 2));
    const std::string old_index =
        EncodeCacheIndex(SmallSummary(), SmallEntries(SmallSummary(), 2));
    const size_t place = file.size() - old_index.size();
    const std::string index = EncodeCacheIndex(SmallSummary(), entries);
    const std::string header = EncodeCacheHeader(2, static_cast<int64_t>(place), index);
    file.replace(0, header.size(), header);
    return file.substr(0, place) + index;
  };
  EXPECT_TRUE(OpenBytes(with([](CacheEntry&) {})).ok());
  ExpectDataLoss(with([](CacheEntry& entry) { entry.label = 2; }), "picture 4 has label 2");
  for (const int64_t place : {int64_t{0}, int64_t{4095}, int64_t{4200}, INT64_MAX, INT64_MIN}) {
    ExpectDataLoss(with([place](CacheEntry& entry) { entry.place = place; }),
                   "picture 4 lies outside");
  }
  ExpectDataLoss(with([](CacheEntry& entry) { entry.side = 0; }), "picture 4 lies outside");
  ExpectDataLoss(with([](CacheEntry& entry) { entry.side = 2049; }), "picture 4 lies outside");
}

TEST_F(DatasetCacheTest, FingerprintNoticesEveryPartOfTheContentAndNothingElse) {
  const std::vector<CacheEntry> entries = SmallEntries(SmallSummary(), 2);
  const std::string base = Fingerprint("rules", SmallSummary(), 2, entries);
  EXPECT_EQ(Fingerprint("rules", SmallSummary(), 2, entries), base);
  EXPECT_NE(Fingerprint("other", SmallSummary(), 2, entries), base);
  EXPECT_NE(Fingerprint("rules", SmallSummary(), 3, entries), base);
  const auto with = [&entries](const std::function<void(CacheEntry&)>& alter) {
    std::vector<CacheEntry> altered = entries;
    alter(altered[4]);
    return Fingerprint("rules", SmallSummary(), 2, altered);
  };
  EXPECT_NE(with([](CacheEntry& entry) { entry.label = 1; }), base);
  EXPECT_NE(with([](CacheEntry& entry) { entry.side = 3; }), base);
  EXPECT_NE(with([](CacheEntry& entry) { entry.pixels[31] ^= 1; }), base);
  EXPECT_EQ(with([](CacheEntry& entry) {
              entry.name = "renamed";
              entry.place = 5000;
              entry.content[0] ^= 1;
            }),
            base);
  v1::DatasetSummary summary = SmallSummary();
  summary.set_class_names(1, "dig");
  EXPECT_NE(Fingerprint("rules", summary, 2, entries), base);
  summary = SmallSummary();  // One picture from one split to another.
  summary.set_train_images(2);
  summary.set_selection_images(3);
  EXPECT_NE(Fingerprint("rules", summary, 2, entries), base);
}

TEST_F(DatasetCacheTest, ChangedPixelIsFoundByAnyNumberOfThreads) {
  v1::DatasetSummary summary = SmallSummary();
  summary.set_fingerprint(Fingerprint("rules", summary, 2, SmallEntries(summary, 2)));
  std::string file = FileOf(summary, 2);
  for (const int threads : {1, 3, 16}) {
    EXPECT_TRUE(HasFingerprint("rules", *OpenBytes(file).value(), threads));
    std::string flipped = file;
    flipped[kPicturesPlace + 30] ^= 1;
    EXPECT_FALSE(HasFingerprint("rules", *OpenBytes(flipped).value(), threads));
  }
}

TEST_F(DatasetCacheTest, CheckingManyBytesIsNotSilentAndFewIs) {
  v1::DatasetSummary summary = SmallSummary();
  for (const int side : {2, 1024}) {  // 18 MiB.
    summary.set_fingerprint(Fingerprint("rules", summary, side, SmallEntries(summary, side)));
    const auto cache = OpenBytes(FileOf(summary, side)).value();
    int told = 0;
    EXPECT_TRUE(HasFingerprint("rules", *cache, 1, [&told] { ++told; }));
    EXPECT_EQ(told, side == 2 ? 0 : 1);
  }
}

TEST_F(DatasetCacheTest, ClassesAreCountedAndDigestedWhateverTheOrder) {
  const auto digest = [](int i) { return DigestOf(Sha256Hex(absl::StrCat(i))); };
  ClassSummaries forward(2), backward(2), other(2);
  for (int i = 0; i < 6; ++i) {
    forward.Add(i < 4 ? v1::TRAIN : v1::VAL, i % 2, digest(i));
    backward.Add(5 - i < 4 ? v1::TRAIN : v1::VAL, (5 - i) % 2, digest(5 - i));
    other.Add(i < 4 ? v1::SELECTION : v1::VAL, i % 2, digest(i));
  }
  const auto a = std::move(forward).Take(), b = std::move(backward).Take(),
             c = std::move(other).Take();
  ASSERT_EQ(a.size(), 2);
  EXPECT_EQ(a[0].train_images(), 2);
  EXPECT_EQ(a[0].selection_images(), 0);
  EXPECT_EQ(a[0].val_images(), 1);
  for (int label = 0; label < 2; ++label) {
    EXPECT_EQ(a[label].SerializeAsString(), b[label].SerializeAsString());
    EXPECT_NE(a[label].content_digest(), c[label].content_digest());
  }
  EXPECT_NE(a[0].content_digest(), a[1].content_digest());
}

TEST_F(DatasetCacheTest, StatisticsAreThoseOfTheChannels) {
  const std::vector<uint8_t> pixels = {0, 51, 7, 255, 51, 7, 0, 51, 7, 255, 51, 7};
  const PixelStatistics statistics = ComputePixelStatistics(SumPixels(pixels));
  EXPECT_FLOAT_EQ(statistics.mean[0], 0.5f);
  EXPECT_FLOAT_EQ(statistics.std[0], 0.5f);
  EXPECT_FLOAT_EQ(statistics.mean[1], 0.2f);
  EXPECT_FLOAT_EQ(statistics.std[1], 1.0f / 255) << "a flat channel";
}

TEST_F(DatasetCacheTest, SumsAreExactForAnyNumberOfPixels) {
  for (const size_t count : {0u, 1u, 15u, 16u, 17u, 1000u, 16u * 65'536u + 5u}) {
    std::vector<uint8_t> pixels(3 * count);
    PixelSums expected;
    expected.pixels = count;
    for (size_t i = 0; i < pixels.size(); ++i) {
      pixels[i] = static_cast<uint8_t>(count > 2000 ? 255 - i % 3 : i * 7);
      expected.sum[i % 3] += pixels[i];
      expected.squares[i % 3] += uint64_t{pixels[i]} * pixels[i];
    }
    const PixelSums sums = SumPixels(pixels);
    EXPECT_EQ(sums.pixels, expected.pixels);
    EXPECT_EQ(sums.sum, expected.sum) << count;
    EXPECT_EQ(sums.squares, expected.squares) << count;
  }
}

}  // namespace
}  // namespace squish
