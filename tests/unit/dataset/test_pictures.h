// Pictures and folders of them, made as tests need them.
#ifndef SQUISH_TESTS_UNIT_DATASET_TEST_PICTURES_H_
#define SQUISH_TESTS_UNIT_DATASET_TEST_PICTURES_H_

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tests/unit/dataset/test_folder.h"

namespace squish {

inline std::string Encoded(const char* format, const cv::Mat& picture,
                           const std::vector<int>& options = {}) {
  std::vector<uint8_t> bytes;
  EXPECT_TRUE(cv::imencode(format, picture, bytes, options));
  return std::string(bytes.begin(), bytes.end());
}
inline std::string Png(const cv::Mat& picture) { return Encoded(".png", picture); }
inline std::string Jpeg(const cv::Mat& picture, int quality = 95) {
  return Encoded(".jpg", picture, {cv::IMWRITE_JPEG_QUALITY, quality});
}

inline cv::Mat Flat(int width, int height, int red, int green, int blue) {
  return cv::Mat(height, width, CV_8UC3, cv::Scalar(blue, green, red));
}

// Smooth, and different for every seed.
inline cv::Mat Waves(int width, int height, uint64_t seed) {
  cv::Mat picture(height, width, CV_8UC3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      picture.at<cv::Vec3b>(y, x) = cv::Vec3b(static_cast<uint8_t>(3 * x + 40 * seed),
                                              static_cast<uint8_t>(2 * y + 90 * seed),
                                              static_cast<uint8_t>(x + y + 7 * seed));
    }
  }
  return picture;
}

// A JPEG with an APP1 segment that states an EXIF orientation, 1 to 8.
inline std::string WithOrientation(const std::string& jpeg, int orientation) {
  std::string tiff("MM\0*\0\0\0\x08", 8);                       // Big-endian; IFD at 8.
  tiff += std::string("\0\x01\x01\x12\0\x03\0\0\0\x01", 10);     // One entry: 0x0112, short.
  tiff += std::string{'\0', static_cast<char>(orientation), '\0', '\0'};
  tiff += std::string(4, '\0');                                  // No further IFD.
  const std::string body = std::string("Exif\0\0", 6) + tiff;
  const size_t length = body.size() + 2;
  return jpeg.substr(0, 2) + "\xff\xe1" + static_cast<char>(length >> 8) +
         static_cast<char>(length) + body + jpeg.substr(2);
}

inline void WriteBelow(const TestFolder& folder, const std::string& path,
                       absl::string_view content) {
  const std::string parent = std::filesystem::path(folder.File(path)).parent_path().string();
  ASSERT_TRUE(MakeFolder(parent).ok());
  folder.Write(path, content);
}

// Classes cat and dog: so many PNGs of each in train/ and two in val/. Sides differ, from
// `side` up.
inline void WriteSmallFolder(const TestFolder& folder, int train_of_each, int side = 20) {
  uint64_t seed = 0;
  for (const std::string split : {"train", "val"}) {
    for (const std::string name : {"cat", "dog"}) {
      for (int i = 0; i < (split == "train" ? train_of_each : 2); ++i) {
        const int more = static_cast<int>(seed % 7);
        WriteBelow(folder, absl::StrCat(split, "/", name, "/", i, ".png"),
                   Png(Waves(side + more, side + 2 * more, seed++)));
      }
    }
  }
}

inline v1::DecoderRequest FolderRequest(const TestFolder& source, const TestFolder& cache,
                                        int input_size = 16) {
  v1::DecoderRequest request;
  request.mutable_dataset()->set_input_size(input_size);
  request.mutable_dataset()->mutable_image_folder();
  request.set_source_dir(source.path());
  request.set_cache_dir(cache.path());
  return request;
}

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_DATASET_TEST_PICTURES_H_
