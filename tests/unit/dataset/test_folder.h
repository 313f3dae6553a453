// Folders and CIFAR-10 files for the tests of data sets.
#ifndef SQUISH_TESTS_UNIT_DATASET_TEST_FOLDER_H_
#define SQUISH_TESTS_UNIT_DATASET_TEST_FOLDER_H_

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "absl/strings/string_view.h"
#include "common/base/file.h"
#include "common/base/random.h"
#include "squish/v1/trainer.pb.h"
#include "tests/support/temporary_folder.h"

namespace squish {

// A fresh folder, removed at the end.
class TestFolder {
 public:
  TestFolder() : path_(TemporaryFolder()) {}

  const std::string& path() const { return path_; }
  std::string File(absl::string_view name) const { return JoinPath(path_, name); }
  void Write(absl::string_view name, absl::string_view content) const {
    std::ofstream(File(name), std::ios::binary) << content;
  }
  std::string Read(absl::string_view name) const { return ReadFile(File(name)).value(); }

 private:
  const std::string path_;
};

// One row: a label byte, then pixels that follow from `seed`.
inline std::string CifarRow(int label, uint64_t seed) {
  const RandomStream stream(RandomDomain::kShuffle, {seed});
  std::string row(1, static_cast<char>(label));
  for (int i = 0; i < 3072; ++i) row.push_back(static_cast<char>(stream.Bits(i)));
  return row;
}

// `count` rows with labels 0, 1, … 9, 0, … and pixels of their own.
inline std::string CifarRows(int count, uint64_t seed) {
  std::string rows;
  for (int i = 0; i < count; ++i) rows += CifarRow(i % 10, 1000 * seed + i);
  return rows;
}

// Two training batches of 30 pictures and ten for val.
inline void WriteSmallCifar(const TestFolder& folder) {
  folder.Write("data_batch_1.bin", CifarRows(30, 1));
  folder.Write("data_batch_2.bin", CifarRows(30, 2));
  folder.Write("test_batch.bin", CifarRows(10, 3));
}

inline v1::DecoderRequest CifarRequest(const TestFolder& source, const TestFolder& cache,
                                       int input_size = 32) {
  v1::DecoderRequest request;
  request.mutable_dataset()->set_input_size(input_size);
  request.mutable_dataset()->mutable_cifar10();
  request.set_source_dir(source.path());
  request.set_cache_dir(cache.path());
  return request;
}

inline v1::DecoderRequest BuiltInRequest(const TestFolder& cache, uint64_t seed = 1) {
  v1::DecoderRequest request;
  request.mutable_dataset()->set_input_size(16);
  request.mutable_dataset()->mutable_built_in()->set_seed(seed);
  request.mutable_dataset()->mutable_built_in()->set_train_images(200);
  request.mutable_dataset()->mutable_built_in()->set_val_images(100);
  request.set_cache_dir(cache.path());
  return request;
}

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_DATASET_TEST_FOLDER_H_
