// Pictures, made as tests need them.
#ifndef SQUISH_TESTS_UNIT_DATASET_TEST_PICTURES_H_
#define SQUISH_TESTS_UNIT_DATASET_TEST_PICTURES_H_

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tests/unit/dataset/picture_folder.h"

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

// The picture of WavesPng: smooth, and different for every seed.
cv::Mat Waves(int width, int height, uint64_t seed);

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

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_DATASET_TEST_PICTURES_H_
