#include <filesystem>

#include "tests/unit/dataset/picture_folder.h"

#include "absl/strings/str_cat.h"
#include "tests/unit/dataset/test_pictures.h"

namespace squish {

cv::Mat Waves(int width, int height, uint64_t seed) {
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

std::string WavesPng(int width, int height, uint64_t seed) {
  return Png(Waves(width, height, seed));
}

void WriteBelow(const TestFolder& folder, const std::string& path, absl::string_view content) {
  const std::string parent = std::filesystem::path(folder.File(path)).parent_path().string();
  ASSERT_TRUE(MakeFolder(parent).ok());
  folder.Write(path, content);
}

void WriteSmallFolder(const TestFolder& folder, int train_of_each, int side) {
  uint64_t seed = 0;
  for (const std::string split : {"train", "val"}) {
    for (const std::string name : {"cat", "dog"}) {
      for (int i = 0; i < (split == "train" ? train_of_each : 2); ++i) {
        const int more = static_cast<int>(seed % 7);
        WriteBelow(folder, absl::StrCat(split, "/", name, "/", i, ".png"),
                   WavesPng(side + more, side + 2 * more, seed++));
      }
    }
  }
}

v1::DecoderRequest FolderRequest(const TestFolder& source, const TestFolder& cache,
                                 int input_size) {
  v1::DecoderRequest request;
  request.mutable_dataset()->set_input_size(input_size);
  request.mutable_dataset()->mutable_image_folder();
  request.set_source_dir(source.path());
  request.set_cache_dir(cache.path());
  return request;
}

}  // namespace squish
