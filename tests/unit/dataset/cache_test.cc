#include "common/dataset/cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

// A whole file for a summary: labels alternate, picture i is full of i.
std::string FileOf(const v1::DatasetSummary& summary, int image_size) {
  const CacheLayout layout(summary, image_size);
  std::string file = EncodeCacheHeader(summary, image_size);
  file.resize(layout.labels_offset);
  for (int i = 0; i < layout.count; ++i) file.push_back(static_cast<char>(i % 2));
  file.resize(layout.pixels_offset);
  for (int i = 0; i < layout.count; ++i) file.append(layout.picture_bytes, static_cast<char>(i));
  return file;
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
      EXPECT_EQ(cache->Image(split, i).size(), 12u);
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
  for (size_t size = 0; size < file.size(); size += size < 400 ? 1 : 37) {
    EXPECT_EQ(OpenBytes(file.substr(0, size)).status().code(), absl::StatusCode::kDataLoss)
        << size;
  }
  ExpectDataLoss(file.substr(0, file.size() - 1), "bytes instead of");
  ExpectDataLoss(file + "x", "bytes instead of");
}

TEST_F(DatasetCacheTest, EveryFlippedBitOfTheHeaderIsRefused) {
  const std::string file = FileOf(SmallSummary(), 2);
  const size_t header = EncodeCacheHeader(SmallSummary(), 2).size();
  for (size_t i = 0; i < 8 * header; ++i) {
    std::string flipped = file;
    flipped[i / 8] ^= static_cast<char>(1 << (i % 8));
    EXPECT_EQ(OpenBytes(flipped).status().code(), absl::StatusCode::kDataLoss) << i;
  }
}

TEST_F(DatasetCacheTest, OtherFilesAndVersionsAreRefused) {
  ExpectDataLoss(std::string(100'000, 'x'), "no data cache");
  ExpectDataLoss("", "empty");
  std::string file = FileOf(SmallSummary(), 2);
  file[8] = 7;
  ExpectDataLoss(file, "version 7, not 1");
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
  std::string negative = FileOf(SmallSummary(), 2);
  v1::DatasetSummary summary = SmallSummary();
  summary.set_val_images(-1);
  const std::string header = EncodeCacheHeader(summary, 2);
  negative.replace(0, header.size(), header);
  ExpectDataLoss(negative, "negative");
  const std::string huge = EncodeCacheHeader(SmallSummary(), 100'000);
  ExpectDataLoss(huge, "damaged");
}

TEST_F(DatasetCacheTest, CountsThatWouldNotFitInAFileAreRefused) {
  v1::DatasetSummary summary = SmallSummary();
  summary.set_train_images(INT32_MAX);
  summary.set_selection_images(INT32_MAX);
  summary.set_val_images(INT32_MAX);
  std::string file = EncodeCacheHeader(summary, kMaximumImageSize);
  file.resize(20'000);
  ExpectDataLoss(file, "bytes instead of");
}

TEST_F(DatasetCacheTest, LabelsThatAreNoClassAreRefused) {
  std::string file = FileOf(SmallSummary(), 2);
  file[CacheLayout(SmallSummary(), 2).labels_offset + 4] = 2;
  ExpectDataLoss(file, "picture 4 has label 2");
}

TEST_F(DatasetCacheTest, FingerprintNoticesEveryPartOfTheContent) {
  const auto digest = [](const std::string& rules, const v1::DatasetSummary& summary, int size,
                         const std::vector<uint8_t>& bytes) {
    return Fingerprint(rules, summary, size, bytes, bytes);
  };
  const std::vector<uint8_t> bytes(10, 1);
  const std::string base = digest("rules", SmallSummary(), 2, bytes);
  EXPECT_EQ(digest("rules", SmallSummary(), 2, bytes), base);
  EXPECT_NE(digest("other", SmallSummary(), 2, bytes), base);
  EXPECT_NE(digest("rules", SmallSummary(), 3, bytes), base);
  std::vector<uint8_t> changed = bytes;
  changed[5] ^= 1;
  EXPECT_NE(digest("rules", SmallSummary(), 2, changed), base);
  v1::DatasetSummary summary = SmallSummary();
  summary.set_class_names(1, "dig");
  EXPECT_NE(digest("rules", summary, 2, bytes), base);
  summary = SmallSummary();  // One picture from one split to another.
  summary.set_train_images(2);
  summary.set_selection_images(3);
  EXPECT_NE(digest("rules", summary, 2, bytes), base);
}

TEST_F(DatasetCacheTest, StatisticsAreThoseOfTheChannels) {
  const std::vector<uint8_t> pixels = {0, 51, 7, 255, 51, 7, 0, 51, 7, 255, 51, 7};
  const PixelStatistics statistics = ComputePixelStatistics(pixels);
  EXPECT_FLOAT_EQ(statistics.mean[0], 0.5f);
  EXPECT_FLOAT_EQ(statistics.std[0], 0.5f);
  EXPECT_FLOAT_EQ(statistics.mean[1], 0.2f);
  EXPECT_FLOAT_EQ(statistics.std[1], 1.0f / 255) << "a flat channel";
}

}  // namespace
}  // namespace squish
