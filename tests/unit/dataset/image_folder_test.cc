#include "common/dataset/image_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <opencv2/imgproc.hpp>

#include "absl/strings/str_cat.h"
#include "common/base/random.h"
#include "common/base/sha256.h"
#include "tests/unit/dataset/test_pictures.h"

// Of AddressSanitizer: where memory is short, what asks for it is told so, as without it.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }

namespace squish {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

bool NoMargin(absl::string_view) { return false; }
bool Margin(absl::string_view) { return true; }

// The picture as a network of this input size sees it; a failed test where it cannot be
// read.
std::vector<uint8_t> Decoded(const std::string& file, int side,
                             v1::ResizeRule rule = v1::SQUASH) {
  std::vector<uint8_t> pixels(3 * side * side);
  const auto header = ReadPictureHeader(file);
  EXPECT_TRUE(header.ok()) << header.status();
  if (header.ok()) {
    const auto status = DecodePicture(file, *header, rule, side, absl::MakeSpan(pixels));
    EXPECT_TRUE(status.ok()) << status;
  }
  return pixels;
}

// What is wrong with a picture, by its header or by its decoder.
std::string Refusal(const std::string& file) {
  const auto header = ReadPictureHeader(file);
  if (!header.ok()) return std::string(header.status().message());
  std::vector<uint8_t> pixels(3 * 8 * 8);
  return std::string(
      DecodePicture(file, *header, v1::SQUASH, 8, absl::MakeSpan(pixels)).message());
}

std::vector<uint8_t> Pixel(const std::vector<uint8_t>& pixels, int side, int x, int y) {
  const size_t at = 3 * (static_cast<size_t>(y) * side + x);
  return {pixels[at], pixels[at + 1], pixels[at + 2]};
}

// As DecodePicture should, from a decoded picture.
std::vector<uint8_t> ByOpenCv(const cv::Mat& picture, int side) {
  cv::Mat out;
  cv::resize(picture, out, {side, side}, 0, 0, cv::INTER_AREA);
  cv::cvtColor(out, out, cv::COLOR_BGR2RGB);
  return {out.data, out.data + 3 * side * side};
}

TEST(DecodePictureTest, PicturesBecomeRgb) {
  const std::vector<uint8_t> pixels = Decoded(Png(Flat(8, 8, 200, 100, 50)), 8);
  EXPECT_THAT(Pixel(pixels, 8, 3, 4), ElementsAre(200, 100, 50));
  const std::vector<uint8_t> lossy = Decoded(Jpeg(Flat(16, 16, 200, 100, 50)), 8);
  EXPECT_NEAR(lossy[0], 200, 3);
  EXPECT_NEAR(lossy[1], 100, 3);
  EXPECT_NEAR(lossy[2], 50, 3);
}

TEST(DecodePictureTest, GreyIsRepeatedOverTheChannels) {
  const cv::Mat grey(8, 8, CV_8UC1, cv::Scalar(77));
  EXPECT_THAT(Decoded(Png(grey), 8), Each(77));
  EXPECT_THAT(Decoded(Jpeg(grey), 8), Each(77));
}

TEST(DecodePictureTest, AlphaIsDroppedAndHidesNothing) {
  const cv::Mat invisible(8, 8, CV_8UC4, cv::Scalar(50, 100, 200, 0));
  EXPECT_THAT(Pixel(Decoded(Png(invisible), 8), 8, 0, 0), ElementsAre(200, 100, 50));
}

TEST(DecodePictureTest, SixteenBitsAreScaledAndRounded) {
  const cv::Mat deep(8, 8, CV_16UC3, cv::Scalar(65535, 0x80FF, 200));
  EXPECT_THAT(Pixel(Decoded(Png(deep), 8), 8, 0, 0), ElementsAre(1, 128, 255));
  const cv::Mat grey(8, 8, CV_16UC1, cv::Scalar(51 * 257));
  EXPECT_THAT(Decoded(Png(grey), 8), Each(51));
}

TEST(DecodePictureTest, ExifOrientationIsApplied) {
  cv::Mat picture = Flat(32, 32, 0, 0, 0);  // White in the stored picture's top left.
  picture(cv::Rect(0, 0, 16, 16)).setTo(cv::Scalar(255, 255, 255));
  // The corner that each orientation moves it to: x, y in halves.
  const int corners[8][2] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}, {1, 0}, {1, 1}, {0, 1}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const auto pixels = Decoded(WithOrientation(Jpeg(picture), orientation), 32);
    for (int y = 0; y < 2; ++y) {
      for (int x = 0; x < 2; ++x) {
        const bool white = corners[orientation - 1][0] == x && corners[orientation - 1][1] == y;
        EXPECT_NEAR(Pixel(pixels, 32, 8 + 16 * x, 8 + 16 * y)[0], white ? 255 : 0, 8)
            << orientation << ": " << x << " " << y;
      }
    }
  }
}

TEST(DecodePictureTest, OrientationThatTurnsIsAppliedBeforeTheCrop) {
  cv::Mat picture = Flat(96, 32, 0, 0, 0);  // White in the middle third.
  picture(cv::Rect(32, 0, 32, 32)).setTo(cv::Scalar(255, 255, 255));
  for (const int orientation : {1, 3, 6, 8}) {
    const auto pixels = Decoded(WithOrientation(Jpeg(picture), orientation), 16,
                                v1::SHORT_SIDE_CENTER_CROP);
    EXPECT_NEAR(Pixel(pixels, 16, 8, 8)[0], 255, 8);
    EXPECT_NEAR(Pixel(pixels, 16, 2, 2)[0], 255, 20) << orientation;
  }
}

TEST(DecodePictureTest, ResizeRulesDifferForPicturesThatAreNotSquare) {
  cv::Mat wide = Flat(30, 10, 0, 0, 255);
  wide(cv::Rect(10, 0, 10, 10)).setTo(cv::Scalar(0, 0, 255));
  for (const bool turned : {false, true}) {
    cv::Mat picture = wide;
    if (turned) cv::rotate(wide, picture, cv::ROTATE_90_CLOCKWISE);
    const auto cropped = Decoded(Png(picture), 10, v1::SHORT_SIDE_CENTER_CROP);
    for (int i = 0; i < 10; ++i) EXPECT_THAT(Pixel(cropped, 10, i, i), ElementsAre(255, 0, 0));
    const auto squashed = Decoded(Png(picture), 9, v1::SQUASH);
    EXPECT_THAT(Pixel(squashed, 9, 4, 4), ElementsAre(255, 0, 0));
    EXPECT_THAT(Pixel(squashed, 9, 0, 0), ElementsAre(0, 0, 255));
    EXPECT_THAT(Pixel(squashed, 9, 8, 8), ElementsAre(0, 0, 255));
  }
}

TEST(DecodePictureTest, FlatPicturesStayFlatAtEverySizeAndRule) {
  for (const auto& [width, height] : std::vector<std::pair<int, int>>{
           {1, 1}, {1, 50}, {50, 1}, {7, 300}, {100, 100}, {63, 65}}) {
    for (const int side : {8, 64, 100}) {
      for (const auto rule : {v1::SQUASH, v1::SHORT_SIDE_CENTER_CROP}) {
        const auto pixels = Decoded(Png(Flat(width, height, 90, 90, 90)), side, rule);
        EXPECT_THAT(pixels, Each(90)) << width << "x" << height << " to " << side;
      }
    }
  }
}

TEST(DecodePictureTest, LargeJpegsAreDecodedScaledDownAndNeverBelowTheWantedSide) {
  const struct {
    int width, height, mode;
  } cases[] = {{512, 600, cv::IMREAD_REDUCED_COLOR_8}, {511, 600, cv::IMREAD_REDUCED_COLOR_4},
               {256, 256, cv::IMREAD_REDUCED_COLOR_4}, {255, 900, cv::IMREAD_REDUCED_COLOR_2},
               {128, 128, cv::IMREAD_REDUCED_COLOR_2}, {127, 128, cv::IMREAD_COLOR}};
  for (const auto& one : cases) {
    const std::string file = Jpeg(Waves(one.width, one.height, 3));
    const std::vector<uint8_t> bytes(file.begin(), file.end());
    const cv::Mat reduced = cv::imdecode(bytes, one.mode);
    ASSERT_GE(std::min(reduced.cols, reduced.rows), 64);
    EXPECT_EQ(Decoded(file, 64), ByOpenCv(reduced, 64)) << one.width;
  }
}

TEST(DecodePictureTest, JpegsAreDecodedAsOpenCvDecodesThem) {
  const std::string grey = Jpeg(cv::Mat(30, 20, CV_8UC1, cv::Scalar(77)));
  const std::string subsampled = Jpeg(Waves(51, 37, 4), 60);
  const std::string progressive =
      Encoded(".jpg", Waves(40, 30, 1), {cv::IMWRITE_JPEG_PROGRESSIVE, 1});
  for (const std::string& plain : {grey, subsampled, progressive}) {
    for (int orientation = 0; orientation <= 9; ++orientation) {
      const std::string file = orientation == 0 ? plain : WithOrientation(plain, orientation);
      const std::vector<uint8_t> bytes(file.begin(), file.end());
      EXPECT_EQ(Decoded(file, 20), ByOpenCv(cv::imdecode(bytes, cv::IMREAD_COLOR), 20))
          << orientation;
    }
  }
}

TEST(DecodePictureTest, JpegWithPartsThatHadToBeMadeUpIsRefused) {
  const std::string whole = Jpeg(Waves(200, 200, 1));
  const size_t lost = whole.size() * 3 / 4;  // From there on, but for the end's marker.
  const std::string hole = whole.substr(0, lost) + "\xff\xd9";
  EXPECT_EQ(Refusal(hole), "it is damaged");
}

TEST(DecodePictureTest, JpegCutAnywhereIsRefused) {
  for (const int progressive : {0, 1}) {
    const std::string whole =
        Encoded(".jpg", Waves(40, 30, 1), {cv::IMWRITE_JPEG_PROGRESSIVE, progressive});
    EXPECT_EQ(Refusal(whole), "");
    EXPECT_EQ(Refusal(whole + "a photo's trailing bytes"), "");
    for (size_t size = 0; size < whole.size(); ++size) {
      EXPECT_NE(Refusal(whole.substr(0, size)), "") << size << " of " << whole.size();
    }
  }
}

TEST(DecodePictureTest, ThumbnailsEndIsNotThePicturesEnd) {
  const std::string whole = Jpeg(Waves(64, 64, 1));
  std::string with_thumbnail = whole.substr(0, 2);
  const std::string thumbnail = Jpeg(Waves(8, 8, 1), 10);
  const size_t length = thumbnail.size() + 2;
  with_thumbnail += "\xff\xe1";
  with_thumbnail += static_cast<char>(length >> 8);
  with_thumbnail += static_cast<char>(length);
  with_thumbnail += thumbnail + whole.substr(2);
  EXPECT_EQ(Refusal(with_thumbnail), "");
  EXPECT_EQ(ReadPictureHeader(with_thumbnail)->width, 64);
  EXPECT_EQ(Refusal(with_thumbnail.substr(0, with_thumbnail.size() - 100)), "it is cut short");
}

TEST(DecodePictureTest, PngCutInItsPixelsIsRefused) {
  const std::string whole = Png(Waves(40, 30, 1));
  const size_t last_pixels = whole.size() - 12 - 8;  // Before IEND and a check.
  for (size_t size = 0; size < last_pixels; ++size) {
    EXPECT_NE(Refusal(whole.substr(0, size)), "") << size << " of " << whole.size();
  }
}

TEST(DecodePictureTest, FilesThatAreNoPicturesAreRefused) {
  EXPECT_EQ(Refusal(""), "it is empty");
  EXPECT_EQ(Refusal("<html>"), "it is neither JPEG nor PNG");
  EXPECT_EQ(Refusal(Encoded(".bmp", Flat(8, 8, 1, 1, 1))), "it is neither JPEG nor PNG");
  EXPECT_EQ(Refusal("\xff\xd8\xff\xd9"), "it is a JPEG without a picture");
}

// Only the header is looked at: the rest is not there.
TEST(DecodePictureTest, BombsAreTurnedAwayByTheirHeader) {
  std::string png = Png(Flat(8, 8, 1, 1, 1));
  png.replace(16, 8, std::string("\0\0\xff\xff\0\0\xff\xff", 8));
  EXPECT_THAT(Refusal(png), HasSubstr("65535 x 65535 pixels; at most 32768 a side"));
  png.replace(16, 8, std::string("\0\0\x20\x01\0\0\x20\0", 8));  // 8193 x 8192
  EXPECT_THAT(Refusal(png), HasSubstr("8193 x 8192 pixels; at most 32768 a side and 67108864"));
  png.replace(16, 8, std::string("\xff\xff\xff\xff\xff\xff\xff\xff", 8));
  EXPECT_THAT(Refusal(png), HasSubstr("at most"));

  std::string jpeg = Jpeg(Flat(8, 8, 1, 1, 1));
  const size_t frame = jpeg.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  jpeg.replace(frame + 5, 4, "\xff\xdc\xff\xdc");
  EXPECT_THAT(Refusal(jpeg), HasSubstr("65500 x 65500 pixels"));
}

std::string WithScans(int count) {
  const std::string jpeg = Jpeg(Flat(8, 8, 1, 1, 1));
  const size_t scan = jpeg.find("\xff\xda");
  const std::string once = jpeg.substr(scan, jpeg.size() - 2 - scan);
  std::string file = jpeg.substr(0, scan);
  for (int i = 0; i < count; ++i) file += once;
  return file + "\xff\xd9";
}

TEST(DecodePictureTest, JpegsOfManyScansAreTurnedAwayByTheirHeader) {
  EXPECT_TRUE(ReadPictureHeader(WithScans(100)).ok());
  EXPECT_EQ(Refusal(WithScans(101)), "it has more than 100 scans");
}

TEST(DecodePictureTest, PicturesTooNarrowToCropAreRefusedBeforeTheyAreDecoded) {
  for (const bool turned : {false, true}) {
    const std::string file = Png(turned ? Flat(1, 16'384, 9, 9, 9) : Flat(16'384, 1, 9, 9, 9));
    std::vector<uint8_t> pixels(3 * 65 * 65);
    const auto decode = [&](int side, v1::ResizeRule rule) {
      return DecodePicture(file, *ReadPictureHeader(file), rule, side,
                           absl::MakeSpan(pixels).first(3 * side * side));
    };
    EXPECT_TRUE(decode(64, v1::SHORT_SIDE_CENTER_CROP).ok()) << "64 Mi pixels, and no more";
    const absl::Status refused = decode(65, v1::SHORT_SIDE_CENTER_CROP);
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(refused.message()), HasSubstr("it is too narrow"));
    EXPECT_TRUE(decode(65, v1::SQUASH).ok());
  }
}

// For the time of a test at most so many more bytes of memory, or descriptors.
class Limited {
 public:
  Limited(__rlimit_resource resource, rlim_t limit) : resource_(resource) {
    EXPECT_EQ(getrlimit(resource_, &was_), 0);
    struct rlimit now = was_;
    now.rlim_cur = limit;
    EXPECT_EQ(setrlimit(resource_, &now), 0);
  }
  ~Limited() { EXPECT_EQ(setrlimit(resource_, &was_), 0); }

 private:
  const __rlimit_resource resource_;
  struct rlimit was_;
};

rlim_t BytesOfMemory() {
  rlim_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
}

TEST(DecodePictureTest, ShortageOfMemoryIsNotThePicturesFault) {
  const cv::Mat large = Flat(6000, 6000, 9, 9, 9);
  std::vector<uint8_t> pixels(3 * 4096 * 4096);
  for (const std::string& file :
       {Png(large), Jpeg(large), Encoded(".jpg", large, {cv::IMWRITE_JPEG_PROGRESSIVE, 1})}) {
    const PictureHeader header = *ReadPictureHeader(file);
    absl::Status status;
    {
      const Limited memory(RLIMIT_AS, BytesOfMemory() + (rlim_t{16} << 20));
      status = DecodePicture(file, header, v1::SQUASH, 4096, absl::MakeSpan(pixels));
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  }
}

TEST(DecodePictureTest, DamagedBytesNeverDoMoreThanBeRefused) {
  const RandomStream random(RandomDomain::kShuffle, {7});
  uint64_t drawn = 0;
  for (const std::string& whole :
       {Jpeg(Waves(24, 24, 1)), Png(Waves(24, 24, 1)), WithOrientation(Jpeg(Waves(16, 16, 2)), 6)}) {
    for (int round = 0; round < 1500; ++round) {
      std::string damaged = whole;
      for (int flips = 0; flips <= round % 4; ++flips) {
        const size_t place = random.Bits(drawn++) % damaged.size();
        damaged[place] = static_cast<char>(random.Bits(drawn++));
      }
      if (round % 5 == 0) damaged.resize(random.Bits(drawn++) % damaged.size());
      (void)Refusal(damaged);
    }
  }
}

// Root may list every folder: somebody else for the time of a test.
class AsNobody {
 public:
  AsNobody() : was_(geteuid()) {
    EXPECT_EQ(was_ == 0 ? seteuid(65534) : 0, 0);
  }
  ~AsNobody() { EXPECT_EQ(seteuid(was_), 0); }

 private:
  const uid_t was_;
};

class ImageFolderTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<PictureSource>> Open(int input_size = 16) const {
    v1::DatasetSpec spec;
    spec.set_input_size(input_size);
    spec.mutable_image_folder();
    return OpenAnyPictureSource(spec, folder_.path());
  }
  std::string WhyNot() const { return std::string(Open().status().message()); }

  const TestFolder folder_;
};

TEST_F(ImageFolderTest, ClassesAndFilesComeInByteOrder) {
  for (const char* path : {"train/dog/b.png", "train/dog/B.png", "train/cat/sub/x.png",
                           "train/cat/sub.png", "val/dog/1.png", "val/cat/1.png"}) {
    WriteBelow(folder_, path, Png(Flat(20, 20, 1, 2, 3)));
  }
  const auto source = Open().value();
  EXPECT_THAT(source->class_names(), ElementsAre("cat", "dog"));
  EXPECT_EQ(source->train_images(), 4);
  EXPECT_EQ(source->val_images(), 2);
  std::vector<uint8_t> pixels(3 * 19 * 19);
  std::vector<std::string> names;
  std::vector<int> labels;
  for (int i = 0; i < 6; ++i) {
    const auto picture = source->Read(i, NoMargin, absl::MakeSpan(pixels)).value();
    names.push_back(picture.name);
    labels.push_back(picture.label);
    EXPECT_EQ(picture.content, Sha256Hex(Png(Flat(20, 20, 1, 2, 3))));
  }
  EXPECT_THAT(names, ElementsAre("train/cat/sub.png", "train/cat/sub/x.png", "train/dog/B.png",
                                 "train/dog/b.png", "val/cat/1.png", "val/dog/1.png"));
  EXPECT_THAT(labels, ElementsAre(0, 0, 1, 1, 0, 1));
}

TEST_F(ImageFolderTest, ContentAndNotTheNameSaysWhatAFileIs) {
  WriteSmallFolder(folder_, 2);
  WriteBelow(folder_, "train/cat/0.png", Jpeg(Flat(30, 30, 9, 9, 9)));
  WriteBelow(folder_, "train/cat/1.png", "no picture");
  const auto source = Open().value();
  std::vector<uint8_t> pixels(3 * 19 * 19);
  EXPECT_TRUE(source->Read(0, NoMargin, absl::MakeSpan(pixels)).ok());
  const auto status = source->Read(1, NoMargin, absl::MakeSpan(pixels)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "train/cat/1.png: it is neither JPEG nor PNG");
}

TEST_F(ImageFolderTest, OnlyPicturesThatAreLargeEnoughHaveAMargin) {
  WriteSmallFolder(folder_, 2);
  const int margin = MarginSide(16);
  ASSERT_EQ(margin, 19);
  WriteBelow(folder_, "train/cat/0.png", Png(Flat(19, 40, 9, 9, 9)));
  WriteBelow(folder_, "train/cat/1.png", Png(Flat(40, 18, 9, 9, 9)));
  const auto source = Open().value();
  std::vector<uint8_t> pixels(3 * margin * margin);
  EXPECT_EQ(source->Read(0, Margin, absl::MakeSpan(pixels))->side, margin);
  EXPECT_EQ(source->Read(0, NoMargin, absl::MakeSpan(pixels))->side, 16);
  EXPECT_TRUE(source->Read(0, NoMargin, absl::MakeSpan(pixels))->has_margin);
  EXPECT_EQ(source->Read(1, Margin, absl::MakeSpan(pixels))->side, 16);
  EXPECT_FALSE(source->Read(1, Margin, absl::MakeSpan(pixels))->has_margin);
}

TEST_F(ImageFolderTest, LinksAreFollowedAndLoopsSurvived) {
  WriteSmallFolder(folder_, 2);
  const TestFolder elsewhere;
  elsewhere.Write("far.png", Png(Flat(20, 20, 1, 1, 1)));
  std::filesystem::create_symlink(elsewhere.path(), folder_.File("train/cat/linked"));
  std::filesystem::create_symlink("..", folder_.File("train/cat/loop"));
  std::filesystem::create_symlink(folder_.path(), folder_.File("train/dog/root"));
  const auto source = Open();
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_GT((*source)->train_images(), 4);
  EXPECT_LT((*source)->train_images(), 200);
  std::vector<uint8_t> pixels(3 * 19 * 19);
  std::vector<std::string> names;
  for (int i = 0; i < (*source)->train_images(); ++i) {
    names.push_back((*source)->Read(i, NoMargin, absl::MakeSpan(pixels))->name);
  }
  EXPECT_THAT(names, testing::Contains("train/cat/linked/far.png"));
}

TEST_F(ImageFolderTest, WhatIsNoRegularFileIsUnreadableAndNotWaitedFor) {
  WriteSmallFolder(folder_, 2);
  ASSERT_EQ(mkfifo(folder_.File("train/cat/9.png").c_str(), 0600), 0);
  std::filesystem::create_symlink("nowhere", folder_.File("train/cat/99.png"));
  const auto source = Open().value();
  ASSERT_EQ(source->train_images(), 6);
  std::vector<uint8_t> pixels(3 * 19 * 19);
  EXPECT_EQ(source->Read(2, NoMargin, absl::MakeSpan(pixels)).status().message(),
            "train/cat/9.png: it is no regular file");
  EXPECT_EQ(source->Read(3, NoMargin, absl::MakeSpan(pixels)).status().message(),
            "train/cat/99.png: it cannot be read: No such file or directory");
}

TEST_F(ImageFolderTest, FilesAtFaultAreToldFromAMachineAtFault) {
  WriteSmallFolder(folder_, 4);
  const auto remove = [&](const char* name) { std::filesystem::remove(folder_.File(name)); };
  remove("train/cat/0.png");
  std::filesystem::create_symlink("0.png", folder_.File("train/cat/0.png"));  // To itself.
  std::filesystem::resize_file(folder_.File("train/cat/1.png"), (int64_t{256} << 20) + 1);
  chmod(folder_.File("train/cat/2.png").c_str(), 0);
  const auto source = Open().value();
  remove("train/cat/3.png");
  std::vector<uint8_t> pixels(3 * 19 * 19);
  const auto read = [&](int index) {
    return source->Read(index, NoMargin, absl::MakeSpan(pixels)).status();
  };
  EXPECT_EQ(read(0), absl::InvalidArgumentError("train/cat/0.png: it cannot be read: Too many "
                                                "levels of symbolic links"));
  EXPECT_EQ(read(1), absl::InvalidArgumentError("train/cat/1.png: it has 268435457 bytes; at "
                                                "most 268435456 are read"));
  {
    const AsNobody nobody;
    EXPECT_EQ(read(2), absl::InvalidArgumentError("train/cat/2.png: it cannot be read: "
                                                  "Permission denied"));
  }
  EXPECT_EQ(read(3), absl::InvalidArgumentError("train/cat/3.png: it cannot be read: No such "
                                                "file or directory"));
  const Limited descriptors(RLIMIT_NOFILE, 0);
  EXPECT_EQ(read(4).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(ImageFolderTest, HiddenAndStrayFilesArePassedOver) {
  WriteSmallFolder(folder_, 2);
  WriteBelow(folder_, "train/cat/.DS_Store", "x");
  WriteBelow(folder_, "train/.cache/1.png", "x");
  WriteBelow(folder_, "train/labels.txt", "x");
  WriteBelow(folder_, "README", "x");
  EXPECT_EQ(Open().value()->train_images(), 4);
  EXPECT_THAT(ListImageFolder(folder_.path())->stray, ElementsAre("train/labels.txt"));
}

TEST_F(ImageFolderTest, NamesThatAreNoUtf8AreShownEscaped) {
  WriteSmallFolder(folder_, 2);
  WriteBelow(folder_, "train/cat/\xff.png", "x");
  WriteBelow(folder_, "train/cat/K\xc3\xa4tzchen.png", "x");
  const auto source = Open().value();
  std::vector<uint8_t> pixels(3 * 19 * 19);
  EXPECT_THAT(std::string(source->Read(2, NoMargin, absl::MakeSpan(pixels)).status().message()),
              HasSubstr("train/cat/K\xc3\xa4tzchen.png: it is"));
  EXPECT_THAT(std::string(source->Read(3, NoMargin, absl::MakeSpan(pixels)).status().message()),
              HasSubstr("train/cat/\\xff.png: it is"));
  for (const char* bad : {"\x80", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                          "\xc3", "a\nb", "\x7f"}) {
    EXPECT_NE(PrintableName(bad), bad);
  }
  for (const char* good : {"", "a b", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\x88"}) {
    EXPECT_EQ(PrintableName(good), good);
  }
}

TEST_F(ImageFolderTest, IdentityFollowsNamesSizesAndTimes) {
  WriteSmallFolder(folder_, 2);
  const std::string before = Open().value()->Identity([] {}).value();
  EXPECT_EQ(Open().value()->Identity([] {}).value(), before);
  std::filesystem::last_write_time(
      folder_.File("val/dog/1.png"),
      std::filesystem::last_write_time(folder_.File("val/dog/1.png")) + std::chrono::seconds(2));
  EXPECT_NE(Open().value()->Identity([] {}).value(), before);
  const auto source = Open().value();
  WriteBelow(folder_, "train/cat/new.png", "x");
  EXPECT_EQ(source->Identity([] {}).status().code(), absl::StatusCode::kAborted);
}

TEST_F(ImageFolderTest, IdentityFollowsRights) {
  WriteSmallFolder(folder_, 2);
  const std::string file = folder_.File("train/cat/0.png");
  const std::string before = Open().value()->Identity([] {}).value();
  struct stat was, now;
  ASSERT_EQ(stat(file.c_str(), &was), 0);
  do {  // Until the file system's clock has moved on.
    ASSERT_EQ(chmod(file.c_str(), 0400), 0);
    ASSERT_EQ(stat(file.c_str(), &now), 0);
  } while (now.st_ctim.tv_sec == was.st_ctim.tv_sec && now.st_ctim.tv_nsec == was.st_ctim.tv_nsec);
  EXPECT_NE(Open().value()->Identity([] {}).value(), before);
}

TEST_F(ImageFolderTest, IdentityIsTheSameHoweverTheFolderIsNamed) {
  WriteSmallFolder(folder_, 2);
  const TestFolder elsewhere;
  std::filesystem::create_directory_symlink(folder_.path(), elsewhere.File("link"));
  v1::DatasetSpec spec;
  spec.set_input_size(16);
  spec.mutable_image_folder();
  const auto identity = [&](const std::string& name) {
    return OpenAnyPictureSource(spec, name).value()->Identity([] {}).value();
  };
  const std::string plain = identity(folder_.path());
  EXPECT_EQ(identity(folder_.path() + "/"), plain);
  EXPECT_EQ(identity(folder_.File("train/..")), plain);
  EXPECT_EQ(identity(elsewhere.File("link")), plain);
}

TEST_F(ImageFolderTest, FoldersThatCannotBeTrainedOnSayWhy) {
  EXPECT_THAT(WhyNot(), HasSubstr("has no folder train/"));
  WriteBelow(folder_, "train/cat/1.png", "x");
  EXPECT_THAT(WhyNot(), HasSubstr("has no folder val/"));
  WriteBelow(folder_, "val/cat/1.png", "x");
  EXPECT_THAT(WhyNot(), HasSubstr("one class only"));
  WriteBelow(folder_, "train/dog/1.png", "x");
  EXPECT_THAT(WhyNot(), HasSubstr("class 'dog' of " + folder_.path() +
                                  " is in train/ and not in val/; both need"));
  WriteBelow(folder_, "val/dog/1.png", "x");
  EXPECT_EQ(WhyNot(), "");
  WriteBelow(folder_, "val/emu/1.png", "x");
  EXPECT_THAT(WhyNot(), HasSubstr("'emu'"));
  ASSERT_TRUE(MakeFolder(folder_.File("train/emu")).ok());
  EXPECT_THAT(WhyNot(), HasSubstr("train/emu of " + folder_.path() + " is empty"));
}

TEST_F(ImageFolderTest, FolderWithoutClassesSaysSo) {
  ASSERT_TRUE(MakeFolder(folder_.File("train")).ok());
  ASSERT_TRUE(MakeFolder(folder_.File("val")).ok());
  EXPECT_THAT(WhyNot(), HasSubstr("has no class in train/"));
}

TEST_F(ImageFolderTest, TooManyClassesAndUnprintableOnesAreRefused) {
  for (int i = 0; i < 257; ++i) {
    WriteBelow(folder_, absl::StrCat("train/c", i, "/1.png"), "x");
    WriteBelow(folder_, absl::StrCat("val/c", i, "/1.png"), "x");
  }
  EXPECT_THAT(WhyNot(), HasSubstr("257 classes; at most 256"));
  WriteBelow(folder_, "train/\xff/1.png", "x");
  WriteBelow(folder_, "val/\xff/1.png", "x");
  EXPECT_THAT(WhyNot(), HasSubstr("train/\\xff of " + folder_.path() + " has a name that is no"));
}

TEST_F(ImageFolderTest, MissingFolderIsNamed) {
  v1::DatasetSpec spec;
  spec.set_input_size(16);
  spec.mutable_image_folder();
  EXPECT_THAT(std::string(OpenAnyPictureSource(spec, "").status().message()),
              HasSubstr("--data NAME=DIR"));
  const auto status = OpenAnyPictureSource(spec, folder_.File("none")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr(folder_.File("none")));
  EXPECT_EQ(OpenPictureSource(spec, folder_.path()).status().code(),
            absl::StatusCode::kUnimplemented);
  folder_.Write("file", "x");
  EXPECT_FALSE(OpenAnyPictureSource(spec, folder_.File("file")).ok());
}

TEST_F(ImageFolderTest, FolderThatMayNotBeListedIsNamed) {
  WriteSmallFolder(folder_, 2);
  chmod(folder_.File("train/dog").c_str(), 0);
  {
    const AsNobody nobody;
    EXPECT_EQ(Open().status().code(), absl::StatusCode::kPermissionDenied);
    EXPECT_THAT(WhyNot(), HasSubstr("train/dog"));
  }
  chmod(folder_.File("train/dog").c_str(), 0700);
}

}  // namespace
}  // namespace squish
