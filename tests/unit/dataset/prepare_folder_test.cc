// PrepareDataset of image folders, which may be large, damaged, changed and interrupted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/dataset/cache.h"
#include "common/dataset/cache_slot.h"
#include "common/dataset/cache_writer.h"
#include "common/dataset/fingerprint.h"
#include "common/dataset/image_folder.h"
#include "common/dataset/prepare.h"
#include "tests/support/shared_data.h"
#include "tests/unit/dataset/test_pictures.h"

namespace squish {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

void IgnoreProgress(double) {}

v1::DecoderEvent::Done Prepared(const v1::DecoderRequest& request) {
  auto done = PrepareDataset(request, IgnoreProgress, OpenAnyPictureSource);
  EXPECT_TRUE(done.ok()) << done.status();
  return done.ok() ? *std::move(done) : v1::DecoderEvent::Done();
}

std::string Refusal(const v1::DecoderRequest& request) {
  return std::string(
      PrepareDataset(request, IgnoreProgress, OpenAnyPictureSource).status().message());
}

std::set<std::string> FilesIn(const TestFolder& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

class PrepareFolderTest : public testing::Test {
 protected:
  const TestFolder source_, cache_;
};

TEST_F(PrepareFolderTest, EveryPictureIsInItsSplitAtItsSide) {
  WriteSmallFolder(source_, 25);
  WriteBelow(source_, "train/cat/small.png", Png(Waves(18, 50, 99)));
  const auto done = Prepared(FolderRequest(source_, cache_));
  EXPECT_EQ(done.summary().train_images(), 40);
  EXPECT_EQ(done.summary().selection_images(), 11);  // ⌈26/5⌉ + 5
  EXPECT_EQ(done.summary().val_images(), 4);
  EXPECT_EQ(done.summary().unreadable_images(), 0);
  const auto cache = DatasetCache::Open(done.cache_path()).value();
  EXPECT_EQ(cache->image_size(), 16);
  const auto source = OpenAnyPictureSource(FolderRequest(source_, cache_).dataset(),
                                           source_.path()).value();
  PixelSums sums;
  std::set<std::string> names;
  for (const v1::Split split : {v1::TRAIN, v1::SELECTION, v1::VAL}) {
    for (int i = 0; i < cache->Count(split); ++i) {
      const std::string name = cache->Name(split, i);
      EXPECT_TRUE(names.insert(name).second) << name << " is there twice";
      const bool large = split == v1::TRAIN && name != "train/cat/small.png";
      ASSERT_EQ(cache->Side(split, i), large ? 19 : 16) << name;
      const auto image = cache->Image(split, i);
      ASSERT_EQ(image.size(), static_cast<size_t>(3 * cache->Side(split, i) * cache->Side(split, i)));
      const std::string file = source_.Read(name);
      std::vector<uint8_t> pixels(image.size());
      ASSERT_TRUE(DecodePicture(file, *ReadPictureHeader(file), v1::SQUASH,
                                cache->Side(split, i), absl::MakeSpan(pixels)).ok());
      EXPECT_EQ(std::vector<uint8_t>(image.begin(), image.end()), pixels) << name;
      EXPECT_EQ(cache->summary().class_names(cache->Label(split, i)),
                name.substr(name.find('/') + 1, 3));
      if (split == v1::TRAIN) sums += SumPixels(image);
    }
  }
  EXPECT_EQ(names.size(), 55u);
  for (int c = 0; c < 3; ++c) {
    EXPECT_EQ(done.summary().mean(c), ComputePixelStatistics(sums).mean[c]);
    EXPECT_EQ(done.summary().std(c), ComputePixelStatistics(sums).std[c]);
  }
  ASSERT_EQ(done.summary().classes_size(), 2);
  EXPECT_EQ(done.summary().classes(0).train_images(), 20);
  EXPECT_EQ(done.summary().classes(0).selection_images(), 6);
  EXPECT_EQ(done.summary().classes(0).val_images(), 2);
}

TEST_F(PrepareFolderTest, BytesDoNotDependOnTheNumberOfThreads) {
  WriteSmallFolder(source_, 40);
  v1::DecoderRequest request = FolderRequest(source_, cache_);
  request.mutable_dataset()->mutable_image_folder()->set_maximum_unreadable(0.1);
  WriteBelow(source_, "train/dog/3.png", "no picture");
  std::set<std::string> files;
  for (const int threads : {1, 2, 3, 8}) {
    const TestFolder other;
    request.set_cache_dir(other.path());
    request.set_threads(threads);
    files.insert(ReadFile(Prepared(request).cache_path()).value());
  }
  EXPECT_EQ(files.size(), 1u);
}

TEST_F(PrepareFolderTest, ResizeRuleIsPartOfTheSet) {
  WriteSmallFolder(source_, 3);
  v1::DecoderRequest request = FolderRequest(source_, cache_);
  std::set<std::string> fingerprints = {Prepared(request).summary().fingerprint()};
  request.mutable_dataset()->set_resize(v1::SQUASH);
  EXPECT_EQ(Prepared(request).summary().fingerprint(), *fingerprints.begin());
  request.mutable_dataset()->set_resize(v1::SHORT_SIDE_CENTER_CROP);
  fingerprints.insert(Prepared(request).summary().fingerprint());
  EXPECT_EQ(fingerprints.size(), 2u);
}

TEST_F(PrepareFolderTest, UnreadablePicturesAreNamedAndLeftOutUpToTheLimit) {
  WriteSmallFolder(source_, 24);  // 52 files with those of val/.
  WriteBelow(source_, "train/cat/7.png", "no picture");
  WriteBelow(source_, "val/dog/0.png", "");
  v1::DecoderRequest request = FolderRequest(source_, cache_);
  v1::ImageFolder& folder = *request.mutable_dataset()->mutable_image_folder();
  EXPECT_THAT(Refusal(request), HasSubstr("at least 1 of 52 pictures cannot be read and 0 may"));
  folder.set_maximum_unreadable(1.0 / 52);
  EXPECT_THAT(Refusal(request),
              HasSubstr("at least 2 of 52 pictures cannot be read and 1 may be so: "
                        "train/cat/7.png: it is neither JPEG nor PNG; val/dog/0.png: it is empty; "
                        "repair or remove them"));
  folder.set_maximum_unreadable(2.0 / 52);
  const auto done = Prepared(request);
  EXPECT_EQ(done.summary().unreadable_images(), 2);
  EXPECT_THAT(done.summary().unreadable(),
              ElementsAre("train/cat/7.png: it is neither JPEG nor PNG",
                          "val/dog/0.png: it is empty"));
  EXPECT_EQ(done.summary().train_images() + done.summary().selection_images(), 47);
  EXPECT_EQ(done.summary().val_images(), 3);
  folder.set_maximum_unreadable(0.01);
  EXPECT_THAT(Refusal(request), HasSubstr("at least 2 of 52")) << "from the cache";
}

TEST_F(PrepareFolderTest, UnreadableOnesAreNamedInPrintableTextWithoutTheHostsPaths) {
  WriteSmallFolder(source_, 5);
  std::filesystem::create_symlink("nowhere\xfe", source_.File("train/cat/\xff.png"));
  v1::DecoderRequest request = FolderRequest(source_, cache_);
  request.mutable_dataset()->mutable_image_folder()->set_maximum_unreadable(1);
  EXPECT_THAT(Prepared(request).summary().unreadable(),
              ElementsAre("train/cat/\\xff.png: it cannot be read: No such file or directory"));
}

TEST_F(PrepareFolderTest, OnlyTheFirstTwentyUnreadableOnesAreNamed) {
  WriteSmallFolder(source_, 5);
  for (int i = 0; i < 30; ++i) WriteBelow(source_, absl::StrCat("train/cat/x", i), "x");
  v1::DecoderRequest request = FolderRequest(source_, cache_);
  request.mutable_dataset()->mutable_image_folder()->set_maximum_unreadable(1);
  const auto done = Prepared(request);
  EXPECT_EQ(done.summary().unreadable_images(), 30);
  EXPECT_EQ(done.summary().unreadable_size(), 20);
}

TEST_F(PrepareFolderTest, ShareOutOfRangeIsNamed) {
  WriteSmallFolder(source_, 3);
  v1::DecoderRequest request = FolderRequest(source_, cache_);
  for (const double share : {-0.1, 1.1, std::nan("")}) {
    request.mutable_dataset()->mutable_image_folder()->set_maximum_unreadable(share);
    EXPECT_THAT(Refusal(request), HasSubstr("dataset.image_folder.maximum_unreadable"));
  }
  request.set_threads(-1);
  request.mutable_dataset()->mutable_image_folder()->clear_maximum_unreadable();
  EXPECT_THAT(Refusal(request), HasSubstr("threads is -1"));
}

TEST_F(PrepareFolderTest, DifferenceNamesFilesThatAreNewChangedAndGone) {
  WriteSmallFolder(source_, 10);
  v1::DecoderRequest request = FolderRequest(source_, cache_);
  request.set_expected_fingerprint(Prepared(request).summary().fingerprint());
  EXPECT_EQ(Prepared(request).difference(), "");
  WriteBelow(source_, "train/cat/7.png", Png(Waves(33, 33, 777)));
  WriteBelow(source_, "val/dog/z.png", Png(Waves(33, 33, 778)));
  std::filesystem::remove(source_.File("train/dog/3.png"));
  EXPECT_EQ(Prepared(request).difference(),
            "train/cat/7.png has changed; val/dog/z.png is new; "
            "train/dog/3.png is gone or unreadable");
  std::filesystem::rename(source_.File("train/dog/4.png"), source_.File("train/cat/4b.png"));
  EXPECT_THAT(Prepared(request).difference(), HasSubstr("train/cat/4b.png is new"));
  for (int i = 0; i < 30; ++i) {
    WriteBelow(source_, absl::StrCat("train/cat/more", i, ".png"), Png(Waves(33, 33, 900 + i)));
  }
  EXPECT_THAT(Prepared(request).difference(), testing::MatchesRegex(".*; and 25 more"));

  request.set_expected_fingerprint(std::string(64, '0'));
  EXPECT_EQ(Prepared(request).difference(), "") << "of a set that was never here";
}

TEST_F(PrepareFolderTest, DifferenceOfRulesAloneIsToldFromOneOfFiles) {
  WriteSmallFolder(source_, 10);
  v1::DecoderRequest request = FolderRequest(source_, cache_);
  request.set_expected_fingerprint(Prepared(request).summary().fingerprint());
  request.mutable_dataset()->set_input_size(17);
  EXPECT_THAT(Prepared(request).difference(), HasSubstr("decoded by other rules"));
}

TEST_F(PrepareFolderTest, ListingALargeFolderIsNotSilent) {
  WriteSmallFolder(source_, 5);
  for (int i = 0; i < 2 * kListedTogether; ++i) {
    source_.Write(absl::StrCat("train/cat/x", i), "");
  }
  int told = 0;
  const auto tell = [&told] { ++told; };
  ASSERT_TRUE(ListImageFolder(source_.path(), tell).ok());
  EXPECT_EQ(told, 2);
  v1::DatasetSpec spec = FolderRequest(source_, cache_).dataset();
  const auto source = OpenAnyPictureSource(spec, source_.path(), tell).value();
  EXPECT_EQ(told, 4);
  ASSERT_TRUE(source->Identity(tell).ok());
  EXPECT_EQ(told, 6);
  // Of a set that is cached nothing else is told.
  v1::DecoderRequest request = FolderRequest(source_, cache_);
  request.mutable_dataset()->mutable_image_folder()->set_maximum_unreadable(1);
  Prepared(request);
  int lines = 0;
  ASSERT_TRUE(PrepareDataset(request, [&lines](double) { ++lines; }, OpenAnyPictureSource).ok());
  EXPECT_EQ(lines, 4);
}

TEST_F(PrepareFolderTest, CheckingALargeCacheIsNotSilent) {
  WriteSmallFolder(source_, 10);
  const v1::DecoderRequest request = FolderRequest(source_, cache_, 1024);  // 72 MB.
  Prepared(request);
  int lines = 0;
  ASSERT_TRUE(PrepareDataset(request, [&lines](double) { ++lines; }, OpenAnyPictureSource).ok());
  EXPECT_GE(lines, 1);
}

// A source that counts what is read of another one.
class CountingSource : public PictureSource {
 public:
  explicit CountingSource(std::unique_ptr<PictureSource> source) : source_(std::move(source)) {}
  const std::vector<std::string>& class_names() const override { return source_->class_names(); }
  int train_images() const override { return source_->train_images(); }
  int val_images() const override { return source_->val_images(); }
  std::string Rules() const override { return source_->Rules(); }
  absl::StatusOr<std::string> Identity(absl::FunctionRef<void()> alive) const override {
    return source_->Identity(alive);
  }
  double maximum_unreadable() const override { return source_->maximum_unreadable(); }
  absl::StatusOr<Picture> Read(int index, MarginRule margin, absl::Span<uint8_t> pixels) override {
    ++reads;
    if (index == fails_at) return absl::InternalError("the disk of the pictures failed");
    return source_->Read(index, margin, pixels);
  }
  std::atomic<int> reads = 0;
  int fails_at = -1;

 private:
  const std::unique_ptr<PictureSource> source_;
};

class ResumeTest : public PrepareFolderTest {
 protected:
  ResumeTest() {
    WriteSmallFolder(source_, 100);  // 204 files: several batches.
    WriteBelow(source_, "train/cat/50.png", "no picture");
  }

  // A maker that works on the cache until `stop_at` of it is done and is then killed: what
  // it leaves is put where the next one finds it. Returns how much of it was done.
  void LeaveUnfinished(const std::string& path, double stop_at) {
    const std::string partial = path + ".partial", journal = partial + ".journal";
    std::string partial_bytes, journal_bytes;
    Make(path, [&](double fraction) {
      if (fraction < stop_at || !partial_bytes.empty()) return;
      partial_bytes = ReadFile(partial).value();
      journal_bytes = ReadFile(journal).value();
    });
    std::filesystem::remove(path);
    std::ofstream(partial, std::ios::binary) << partial_bytes;
    std::ofstream(journal, std::ios::binary) << journal_bytes;
  }

  // Makes the cache; returns the number of pictures that were read.
  int Make(const std::string& path, const std::function<void(double)>& progress = IgnoreProgress) {
    v1::DatasetSpec spec = FolderRequest(source_, cache_).dataset();
    spec.mutable_image_folder()->set_maximum_unreadable(0.01);
    CountingSource source(OpenAnyPictureSource(spec, source_.path()).value());
    const auto slot = CacheSlot::Acquire(path, [] {}).value();
    const auto status = WriteCache(source, 16, "rules", 2, progress, *slot);
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_TRUE(slot->Publish().ok());
    return source.reads;
  }
};

TEST_F(ResumeTest, WhatAKilledMakerDecodedIsNotDecodedAgain) {
  const std::string path = cache_.File("a.cache");
  const int all = Make(path);
  EXPECT_GE(all, 204);
  const std::string whole = ReadFile(path).value();
  LeaveUnfinished(path, 0.5);
  EXPECT_LE(Make(path), all - 102);
  EXPECT_EQ(ReadFile(path).value(), whole);
  EXPECT_THAT(FilesIn(cache_), ElementsAre("a.cache"));
}

TEST_F(ResumeTest, SetThatIsRefusedIsRefusedAtOnceNextTime) {
  WriteBelow(source_, "val/dog/0.png", "no picture");
  const std::string path = cache_.File("a.cache");
  v1::DatasetSpec spec = FolderRequest(source_, cache_).dataset();
  const auto reads = [&](double maximum_unreadable, absl::StatusCode expected) {
    spec.mutable_image_folder()->set_maximum_unreadable(maximum_unreadable);
    CountingSource source(OpenAnyPictureSource(spec, source_.path()).value());
    const auto slot = CacheSlot::Acquire(path, [] {}).value();
    EXPECT_EQ(WriteCache(source, 16, "rules", 2, IgnoreProgress, *slot).code(), expected);
    if (expected == absl::StatusCode::kOk) {
      EXPECT_TRUE(slot->Publish().ok());
    }
    return source.reads.load();
  };
  // The first at fault is in the middle, the second one at the end.
  EXPECT_GT(reads(1.5 / 204, absl::StatusCode::kInvalidArgument), 200);
  EXPECT_EQ(reads(1.5 / 204, absl::StatusCode::kInvalidArgument), 0);
  EXPECT_EQ(reads(0, absl::StatusCode::kInvalidArgument), 0);
  EXPECT_LT(reads(1, absl::StatusCode::kOk), 100) << "what was decoded is there still";
  const std::string whole = ReadFile(path).value();
  std::filesystem::remove(path);
  EXPECT_GT(reads(1, absl::StatusCode::kOk), 200);
  EXPECT_EQ(ReadFile(path).value(), whole);
  EXPECT_THAT(FilesIn(cache_), ElementsAre("a.cache"));
}

TEST_F(ResumeTest, WhatWasDecodedBeforeTheMachineFailedIsNotDecodedAgain) {
  const std::string path = cache_.File("a.cache");
  const int all = Make(path);
  const std::string whole = ReadFile(path).value();
  std::filesystem::remove(path);
  {
    v1::DatasetSpec spec = FolderRequest(source_, cache_).dataset();
    CountingSource source(OpenAnyPictureSource(spec, source_.path()).value());
    source.fails_at = 150;
    const auto slot = CacheSlot::Acquire(path, [] {}).value();
    EXPECT_EQ(WriteCache(source, 16, "rules", 2, IgnoreProgress, *slot),
              absl::InternalError("the disk of the pictures failed"));
  }
  EXPECT_LE(Make(path), all - 100);
  EXPECT_EQ(ReadFile(path).value(), whole);
}

TEST_F(ResumeTest, LeftoversAreTrustedOnlyAsFarAsTheirDigestsGo) {
  const std::string path = cache_.File("a.cache");
  const int all = Make(path);
  const std::string whole = ReadFile(path).value();
  const std::string partial = path + ".partial", journal = partial + ".journal";
  LeaveUnfinished(path, 0.9);
  const std::string pixels = ReadFile(partial).value(), records = ReadFile(journal).value();
  const auto leave = [&](const std::string& some_pixels, const std::string& some_records) {
    std::filesystem::remove(path);
    std::ofstream(partial, std::ios::binary) << some_pixels;
    std::ofstream(journal, std::ios::binary) << some_records;
    const int reads = Make(path);
    EXPECT_EQ(ReadFile(path).value(), whole);
    return reads;
  };
  std::string flipped = pixels;
  flipped[kPicturesPlace + 1000] ^= 1;  // Lost in a power cut: in the first picture or so.
  EXPECT_GE(leave(flipped, records), all - 2);
  EXPECT_EQ(leave("", records), all);
  EXPECT_EQ(leave(pixels, ""), all);
  EXPECT_EQ(leave(pixels, std::string(5000, '\xff')), all);
  const int half = leave(pixels, records.substr(0, records.size() / 2 + 3));
  EXPECT_LT(half, all);
  std::string damaged = records;
  damaged[records.size() / 2] ^= 1;
  EXPECT_NEAR(leave(pixels, damaged), half, 3);
  EXPECT_LT(leave(pixels.substr(0, pixels.size() / 2), records), all);
}

// Every write beyond a file size fails, as on a full disk.
TEST_F(PrepareFolderTest, FullDiskIsOneClearSentenceAndLeavesNothing) {
  WriteSmallFolder(source_, 30);
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit old_limit;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  // In the reservation; in the margins that it does not count; in the index.
  for (const rlim_t bytes : {rlim_t{20'000}, rlim_t{60'000}, rlim_t{75'000}}) {
    struct rlimit limit = old_limit;
    limit.rlim_cur = bytes;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    const std::string refusal = Refusal(FolderRequest(source_, cache_));
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
    EXPECT_THAT(refusal, testing::AnyOf(HasSubstr("cannot reserve"), HasSubstr("cannot write")));
    EXPECT_THAT(refusal, HasSubstr("File too large"));
    EXPECT_TRUE(FilesIn(cache_).empty());
  }
  Prepared(FolderRequest(source_, cache_));
}

TEST_F(PrepareFolderTest, GenuinePhotosArePrepared) {
  SQUISH_SKIP_WITHOUT_SHARED_DATA();
  v1::DecoderRequest request = FolderRequest(source_, cache_, 64);
  request.set_source_dir(JoinPath(SharedDataFolder(), "imagenet10-64"));
  const auto done = Prepared(request);
  EXPECT_EQ(done.summary().train_images() + done.summary().selection_images(), 9469);
  EXPECT_EQ(done.summary().val_images(), 3925);
  EXPECT_EQ(done.summary().unreadable_images(), 0);
  EXPECT_EQ(done.summary().class_names_size(), 10);
  EXPECT_EQ(done.summary().class_names(0), "n01440764");
  // ImageNet's published channel means and deviations, of all of its classes.
  const float mean[] = {0.485f, 0.456f, 0.406f};
  for (int c = 0; c < 3; ++c) {
    EXPECT_NEAR(done.summary().mean(c), mean[c], 0.04);
    EXPECT_NEAR(done.summary().std(c), 0.27, 0.04);
  }
  for (const v1::ClassSummary& one : done.summary().classes()) {
    const int of_class = one.train_images() + one.selection_images();
    EXPECT_GE(of_class, 858);
    EXPECT_LE(of_class, 993);
    // Equal photos go together, so that a few more may be held out.
    EXPECT_NEAR(one.selection_images(), (of_class + 4) / 5, 2);
  }
}

TEST_F(PrepareFolderTest, GenuinePhotosGreyOnesAmongThemAreShrunkWithAMargin) {
  SQUISH_SKIP_WITHOUT_SHARED_DATA();
  v1::DecoderRequest request = FolderRequest(source_, cache_, 64);
  request.set_source_dir(JoinPath(SharedDataFolder(), "imagenet10-224-mini"));
  const auto done = Prepared(request);
  EXPECT_EQ(done.summary().train_images(), 480);
  EXPECT_EQ(done.summary().selection_images(), 120);
  EXPECT_EQ(done.summary().val_images(), 300);
  EXPECT_EQ(done.summary().unreadable_images(), 0);
  const auto cache = DatasetCache::Open(done.cache_path()).value();
  for (int i = 0; i < 480; ++i) EXPECT_EQ(cache->Side(v1::TRAIN, i), 74);
  for (int i = 0; i < 120; ++i) EXPECT_EQ(cache->Side(v1::SELECTION, i), 64);
}

// Wherever a genuine photo is cut, it is refused rather than filled up with grey.
TEST_F(PrepareFolderTest, GenuinePhotosCutShortAreRefused) {
  SQUISH_SKIP_WITHOUT_SHARED_DATA();
  const std::string folder = JoinPath(SharedDataFolder(), "imagenet10-224-mini/val");
  int photos = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file() || photos == 40) continue;
    ++photos;
    const std::string whole = ReadFile(entry.path().string()).value();
    EXPECT_TRUE(ReadPictureHeader(whole).ok());
    for (size_t size = photos; size + 1 < whole.size(); size += 97) {
      EXPECT_FALSE(ReadPictureHeader(whole.substr(0, size)).ok()) << entry.path() << " " << size;
    }
  }
  EXPECT_EQ(photos, 40);
}

}  // namespace
}  // namespace squish
