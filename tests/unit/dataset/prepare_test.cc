#include "common/dataset/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "common/base/sha256.h"
#include "common/dataset/cache.h"
#include "common/dataset/cache_slot.h"
#include "tests/unit/dataset/test_folder.h"
#include "tests/support/shared_data.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

void IgnoreProgress(double) {}

v1::DecoderEvent::Done Prepared(const v1::DecoderRequest& request) {
  auto done = PrepareDataset(request, IgnoreProgress);
  EXPECT_TRUE(done.ok()) << done.status();
  return done.ok() ? *std::move(done) : v1::DecoderEvent::Done();
}

std::string Refusal(const v1::DecoderRequest& request) {
  const auto done = PrepareDataset(request, IgnoreProgress);
  return done.ok() ? "" : std::string(done.status().message());
}

int FilesIn(const TestFolder& folder) {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    ++count;
  }
  return count;
}

// Whether progress is reported, which is so only where pictures are decoded.
bool Decodes(const v1::DecoderRequest& request) {
  bool decoded = false;
  EXPECT_TRUE(PrepareDataset(request, [&](double) { decoded = true; }).ok());
  return decoded;
}

class PrepareTest : public testing::Test {
 protected:
  PrepareTest() { WriteSmallCifar(source_); }
  const TestFolder source_, cache_;
};

TEST_F(PrepareTest, CacheHoldsEveryPictureOnceInItsSplit) {
  const v1::DecoderEvent::Done done = Prepared(CifarRequest(source_, cache_));
  EXPECT_EQ(done.summary().train_images(), 40);  // 6 of a class, 2 held out.
  EXPECT_EQ(done.summary().selection_images(), 20);
  EXPECT_EQ(done.summary().val_images(), 10);
  const auto cache = DatasetCache::Open(done.cache_path()).value();
  EXPECT_EQ(cache->summary().SerializeAsString(), done.summary().SerializeAsString());

  // Where each picture should be, found another way.
  struct Row {
    std::string content, pixels;
    int label;
  };
  std::map<int, std::vector<std::string>> digests;
  std::vector<Row> rows;
  const std::string bytes = CifarRows(30, 1) + CifarRows(30, 2);
  for (int i = 0; i < 60; ++i) {
    const std::string planes = bytes.substr(3073 * i + 1, 3072);
    Row row{Sha256Hex(planes), "", bytes[3073 * i]};
    for (int p = 0; p < 1024; ++p) {
      for (int c = 0; c < 3; ++c) row.pixels.push_back(planes[1024 * c + p]);
    }
    digests[row.label].push_back(row.content);
    rows.push_back(row);
  }
  std::set<std::string> held_out;
  for (auto& [label, of_class] : digests) {
    std::sort(of_class.begin(), of_class.end());
    held_out.insert(of_class.begin(), of_class.begin() + 2);
  }
  int train = 0, selection = 0;
  for (const Row& row : rows) {
    const bool held = held_out.count(row.content) > 0;
    const v1::Split split = held ? v1::SELECTION : v1::TRAIN;
    const int index = held ? selection++ : train++;
    const auto picture = cache->Image(split, index);
    EXPECT_EQ(std::string(picture.begin(), picture.end()), row.pixels);
    EXPECT_EQ(cache->Label(split, index), row.label);
  }
}

TEST_F(PrepareTest, SecondRequestIsAnsweredFromTheCache) {
  const v1::DecoderRequest request = CifarRequest(source_, cache_);
  EXPECT_TRUE(Decodes(request));
  EXPECT_FALSE(Decodes(request));
  EXPECT_EQ(FilesIn(cache_), 1);
  // The name is only a label.
  v1::DecoderRequest renamed = request;
  renamed.mutable_dataset()->set_name("other");
  EXPECT_FALSE(Decodes(renamed));
}

TEST_F(PrepareTest, SameSourceGivesTheSameFingerprintInAnotherFolder) {
  const TestFolder other_source, other_cache;
  WriteSmallCifar(other_source);
  const auto done = Prepared(CifarRequest(source_, cache_));
  const auto other = Prepared(CifarRequest(other_source, other_cache));
  EXPECT_EQ(done.summary().fingerprint(), other.summary().fingerprint());
  EXPECT_EQ(ReadFile(done.cache_path()).value(), ReadFile(other.cache_path()).value());
}

TEST_F(PrepareTest, OneChangedPixelChangesTheFingerprint) {
  const auto before = Prepared(CifarRequest(source_, cache_));
  for (const char* file : {"data_batch_1.bin", "test_batch.bin"}) {
    const TestFolder changed;
    WriteSmallCifar(changed);
    std::string bytes = changed.Read(file);
    bytes[5000] ^= 1;
    changed.Write(file, bytes);
    const auto after = Prepared(CifarRequest(changed, cache_));
    EXPECT_NE(after.summary().fingerprint(), before.summary().fingerprint()) << file;
  }
}

TEST_F(PrepareTest, ClassNamesAndInputSizeChangeTheFingerprint) {
  std::set<std::string> fingerprints;
  fingerprints.insert(Prepared(CifarRequest(source_, cache_)).summary().fingerprint());
  fingerprints.insert(Prepared(CifarRequest(source_, cache_, 16)).summary().fingerprint());
  source_.Write("batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n");
  fingerprints.insert(Prepared(CifarRequest(source_, cache_)).summary().fingerprint());
  EXPECT_EQ(fingerprints.size(), 3u);
}

TEST_F(PrepareTest, ChangedSourceIsNoticed) {
  const v1::DecoderRequest request = CifarRequest(source_, cache_);
  const auto before = Prepared(request);
  std::string bytes = source_.Read("data_batch_1.bin");
  bytes[5000] ^= 1;
  source_.Write("data_batch_1.bin", bytes);
  std::filesystem::last_write_time(  // Clocks are coarse: surely another time.
      source_.File("data_batch_1.bin"),
      std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_NE(Prepared(request).summary().fingerprint(), before.summary().fingerprint());
  source_.Write("data_batch_3.bin", CifarRows(10, 9));
  EXPECT_EQ(Prepared(request).summary().train_images() +
                Prepared(request).summary().selection_images(),
            70);
}

TEST_F(PrepareTest, SourceThatChangesWhileItIsReadIsRefused) {
  bool changed = false;
  const auto done = PrepareDataset(CifarRequest(source_, cache_), [&](double) {
    if (!changed) source_.Write("data_batch_2.bin", CifarRows(40, 5));
    changed = true;
  });
  EXPECT_EQ(done.status().code(), absl::StatusCode::kAborted);
  EXPECT_THAT(std::string(done.status().message()), HasSubstr("changed while they were read"));
  EXPECT_EQ(FilesIn(cache_), 0);
}

TEST_F(PrepareTest, DamagedCacheIsMadeAnew) {
  const v1::DecoderRequest request = CifarRequest(source_, cache_);
  const auto done = Prepared(request);
  const std::string whole = ReadFile(done.cache_path()).value();
  std::string flipped = whole;
  flipped[whole.size() - 1] ^= 1;  // A pixel: only the fingerprint can tell.
  for (const std::string& damaged :
       std::vector<std::string>{flipped, whole.substr(0, 5000), "", "x"}) {
    std::ofstream(done.cache_path(), std::ios::binary) << damaged;
    EXPECT_TRUE(Decodes(request));
    EXPECT_EQ(ReadFile(done.cache_path()).value(), whole);
  }
}

TEST_F(PrepareTest, LeftoversOfAKilledMakerDoNotMatter) {
  const v1::DecoderRequest request = CifarRequest(source_, cache_);
  const auto done = Prepared(request);
  std::filesystem::rename(done.cache_path(), done.cache_path() + ".partial");
  EXPECT_TRUE(Decodes(request));
  EXPECT_EQ(FilesIn(cache_), 1);
}

TEST_F(PrepareTest, ManyAtOnceMakeOneCache) {
  const v1::DecoderRequest request = BuiltInRequest(cache_);
  constexpr int kThreads = 8;
  std::vector<std::string> answers(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] { answers[i] = Prepared(request).SerializeAsString(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& answer : answers) EXPECT_EQ(answer, answers[0]);
  EXPECT_EQ(FilesIn(cache_), 1);
}

TEST_F(PrepareTest, WhoeverWaitsForAnotherMakerSaysSo) {
  const v1::DecoderRequest request = BuiltInRequest(cache_);
  const TestFolder elsewhere;
  v1::DecoderRequest same = request;
  same.set_cache_dir(elsewhere.path());
  const std::string name = std::filesystem::path(Prepared(same).cache_path()).filename();

  auto maker = CacheSlot::Acquire(cache_.File(name), [] {}).value();
  int waited = 0;
  const auto done = PrepareDataset(request, [&](double) {
    // The other maker is killed: its lock goes, its partial file stays or not.
    if (++waited == 2) maker.reset();
  });
  EXPECT_TRUE(done.ok()) << done.status();
  EXPECT_GE(waited, 2);
}

TEST_F(PrepareTest, FieldsOutOfRangeAreNamed) {
  v1::DecoderRequest request = CifarRequest(source_, cache_, 7);
  EXPECT_THAT(Refusal(request), HasSubstr("dataset.input_size is 7; it can be 8 to 1024"));
  request = BuiltInRequest(cache_);
  request.mutable_dataset()->set_input_size(1025);
  EXPECT_THAT(Refusal(request), HasSubstr("dataset.input_size is 1025"));
  request = BuiltInRequest(cache_);
  request.mutable_dataset()->mutable_built_in()->set_train_images(99);
  EXPECT_THAT(Refusal(request), HasSubstr("train_images is 99"));
  request = BuiltInRequest(cache_);
  request.mutable_dataset()->mutable_built_in()->set_val_images(2'000'000);
  EXPECT_THAT(Refusal(request), HasSubstr("val_images is 2000000"));
  request.mutable_dataset()->clear_source();
  EXPECT_THAT(Refusal(request), HasSubstr("no source"));
}

TEST_F(PrepareTest, CacheFolderThatCannotBeIsNamed) {
  v1::DecoderRequest request = CifarRequest(source_, cache_);
  request.set_cache_dir(source_.File("data_batch_1.bin"));
  EXPECT_THAT(Refusal(request), HasSubstr("data_batch_1.bin"));
}

TEST_F(PrepareTest, DamagedSourceIsRefusedEachTime) {
  source_.Write("data_batch_2.bin", CifarRow(11, 1));
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(Refusal(CifarRequest(source_, cache_)), HasSubstr("label 11"));
  }
}

TEST_F(PrepareTest, CacheIsFoundHoweverTheFolderIsNamed) {
  v1::DecoderRequest request = CifarRequest(source_, cache_);
  EXPECT_TRUE(Decodes(request));
  request.set_source_dir(source_.path() + "/.");
  EXPECT_FALSE(Decodes(request));
  const TestFolder elsewhere;
  std::filesystem::create_directory_symlink(source_.path(), elsewhere.File("link"));
  request.set_source_dir(elsewhere.File("link"));
  EXPECT_FALSE(Decodes(request));
}

// A small set from seed 1, as every machine must make it.
TEST_F(PrepareTest, BuiltInSetHasItsFingerprintEverywhere) {
  EXPECT_EQ(Prepared(BuiltInRequest(cache_)).summary().fingerprint(),
            "463e033e524ae6b33ba580001eeb140a4af997811a86678edea8115857ee7f2a");
}

TEST_F(PrepareTest, GenuineCifarRowsArePrepared) {
  SQUISH_SKIP_WITHOUT_SHARED_DATA();
  v1::DecoderRequest request = CifarRequest(source_, cache_);
  request.set_source_dir(JoinPath(SharedDataFolder(), "cifar10-mini"));
  const auto done = Prepared(request);
  EXPECT_EQ(done.summary().train_images() + done.summary().selection_images(), 4000);
  EXPECT_EQ(done.summary().val_images(), 1000);
  EXPECT_EQ(done.summary().class_names(6), "frog");
  // CIFAR-10's published channel means and deviations, of all 50,000 rows.
  const float mean[] = {0.4914f, 0.4822f, 0.4465f}, deviation[] = {0.2470f, 0.2435f, 0.2616f};
  for (int c = 0; c < 3; ++c) {
    EXPECT_NEAR(done.summary().mean(c), mean[c], 0.01);
    EXPECT_NEAR(done.summary().std(c), deviation[c], 0.01);
  }
}

}  // namespace
}  // namespace squish
