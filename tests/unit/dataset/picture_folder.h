// Folders of pictures, made as tests need them; without OpenCV's headers.
#ifndef SQUISH_TESTS_UNIT_DATASET_PICTURE_FOLDER_H_
#define SQUISH_TESTS_UNIT_DATASET_PICTURE_FOLDER_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "tests/unit/dataset/test_folder.h"

namespace squish {

// A PNG file; different for every seed.
std::string WavesPng(int width, int height, uint64_t seed);

// Makes the folders above the file too.
void WriteBelow(const TestFolder& folder, const std::string& path, absl::string_view content);

// Classes cat and dog: so many PNGs of each in train/ and two in val/. Sides differ, from
// `side` up.
void WriteSmallFolder(const TestFolder& folder, int train_of_each, int side = 20);

v1::DecoderRequest FolderRequest(const TestFolder& source, const TestFolder& cache,
                                 int input_size = 16);

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_DATASET_PICTURE_FOLDER_H_
