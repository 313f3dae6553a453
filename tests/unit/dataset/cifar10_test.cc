#include <filesystem>

#include "common/dataset/cifar10.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/sha256.h"
#include "tests/unit/dataset/test_folder.h"

namespace squish {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

bool NoMargin(absl::string_view) { return false; }
bool Margin(absl::string_view) { return true; }

class Cifar10Test : public testing::Test {
 protected:
  Cifar10Test() { WriteSmallCifar(folder_); }

  // The message of a refusal to open or, if that goes well, to read.
  std::string Refusal() const {
    auto source = OpenCifar10(folder_.path(), 32);
    if (!source.ok()) return std::string(source.status().message());
    std::vector<uint8_t> pixels(3 * 32 * 32);
    for (int i = 0; i < (*source)->train_images() + (*source)->val_images(); ++i) {
      const auto picture = (*source)->Read(i, NoMargin, absl::MakeSpan(pixels));
      if (!picture.ok()) return std::string(picture.status().message());
    }
    return "";
  }

  const TestFolder folder_;
};

TEST_F(Cifar10Test, RowsBecomeInterleavedPicturesInOrder) {
  const auto source = OpenCifar10(folder_.path(), 32).value();
  EXPECT_EQ(source->train_images(), 60);
  EXPECT_EQ(source->val_images(), 10);
  const std::string rows = CifarRows(30, 1) + CifarRows(30, 2) + CifarRows(10, 3);
  std::vector<uint8_t> pixels(3 * 32 * 32);
  for (int i = 0; i < 70; ++i) {
    const auto picture = source->Read(i, NoMargin, absl::MakeSpan(pixels)).value();
    const std::string row = rows.substr(3073 * i, 3073);
    EXPECT_EQ(picture.label, row[0]);
    EXPECT_EQ(picture.content, Sha256Hex(row.substr(1)));
    for (int p = 0; p < 1024; ++p) {
      for (int c = 0; c < 3; ++c) {
        ASSERT_EQ(pixels[3 * p + c], static_cast<uint8_t>(row[1 + 1024 * c + p])) << i;
      }
    }
  }
}

TEST_F(Cifar10Test, BatchesComeInNaturalOrder) {
  folder_.Write("data_batch_10.bin", CifarRow(7, 1));
  const auto source = OpenCifar10(folder_.path(), 32).value();
  std::vector<uint8_t> pixels(3 * 32 * 32);
  EXPECT_EQ(source->Read(60, NoMargin, absl::MakeSpan(pixels))->label, 7);

  EXPECT_TRUE(NaturallyBefore("b2", "b10"));
  EXPECT_FALSE(NaturallyBefore("b10", "b2"));
  EXPECT_TRUE(NaturallyBefore("b2", "b2.bin"));
  EXPECT_TRUE(NaturallyBefore("b9a", "b10"));
  EXPECT_TRUE(NaturallyBefore("b99999999999999999998", "b99999999999999999999"));
  EXPECT_TRUE(NaturallyBefore("b2", "b02"));
  EXPECT_FALSE(NaturallyBefore("b02", "b2"));
  EXPECT_FALSE(NaturallyBefore("same1", "same1"));
}

TEST_F(Cifar10Test, PicturesAreResizedToTheInput) {
  folder_.Write("data_batch_1.bin", std::string(1, '\0') + std::string(3072, '\x40'));
  for (const int size : {8, 33, 64}) {
    const auto source = OpenCifar10(folder_.path(), size).value();
    std::vector<uint8_t> pixels(3 * size * size);
    ASSERT_TRUE(source->Read(0, NoMargin, absl::MakeSpan(pixels)).ok());
    EXPECT_THAT(pixels, testing::Each(0x40));
  }
}

TEST_F(Cifar10Test, MarginIsTakenOnlyFromPicturesThatAreLargerThanTheInput) {
  for (const int size : {8, 28, 29, 32, 64}) {
    const auto source = OpenCifar10(folder_.path(), size).value();
    std::vector<uint8_t> pixels(3 * MarginSide(size) * MarginSide(size));
    const auto without = source->Read(3, NoMargin, absl::MakeSpan(pixels)).value();
    const auto with = source->Read(3, Margin, absl::MakeSpan(pixels)).value();
    EXPECT_EQ(without.side, size);
    EXPECT_EQ(with.side, size <= 28 ? MarginSide(size) : size);
    EXPECT_EQ(with.has_margin, size <= 28);
    EXPECT_EQ(without.has_margin, size <= 28);
    EXPECT_EQ(with.name, "data_batch_1.bin row 3");
  }
}

TEST_F(Cifar10Test, ClassNamesComeFromTheFileOrAreTheStandardOnes) {
  EXPECT_EQ(OpenCifar10(folder_.path(), 32).value()->class_names()[6], "frog");
  folder_.Write("batches.meta.txt", "a\nb\nc\nd\ne\r\nf\n g \nh\ni\nj k\n\n");
  EXPECT_THAT(OpenCifar10(folder_.path(), 32).value()->class_names(),
              ElementsAre("a", "b", "c", "d", "e", "f", "g", "h", "i", "j k"));
}

TEST_F(Cifar10Test, WrongClassNamesAreRefused) {
  folder_.Write("batches.meta.txt", "a\nb\nc\n");
  EXPECT_THAT(Refusal(), HasSubstr("batches.meta.txt names 3 classes"));
  folder_.Write("batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\n\xff\n");
  EXPECT_THAT(Refusal(), HasSubstr("batches.meta.txt: a class name is not printable ASCII"));
}

TEST_F(Cifar10Test, FilesOfOddSizeAreRefusedWithNameAndSize) {
  folder_.Write("data_batch_2.bin", CifarRows(30, 2).substr(0, 90000));
  EXPECT_THAT(Refusal(), HasSubstr("data_batch_2.bin has 90000 bytes"));
  EXPECT_THAT(Refusal(), HasSubstr("copy or download it again"));
  folder_.Write("data_batch_2.bin", "");
  EXPECT_THAT(Refusal(), HasSubstr("data_batch_2.bin has 0 bytes"));
  folder_.Write("data_batch_2.bin", CifarRows(30, 2));
  folder_.Write("test_batch.bin", CifarRows(1, 2) + "x");
  EXPECT_THAT(Refusal(), HasSubstr("test_batch.bin has 3074 bytes"));
}

TEST_F(Cifar10Test, LabelsAboveNineAreRefusedWithFileAndRow) {
  folder_.Write("data_batch_2.bin", CifarRows(4, 2) + CifarRow(10, 1));
  EXPECT_THAT(Refusal(), HasSubstr("data_batch_2.bin: row 4 of 5 has label 10"));
  folder_.Write("data_batch_2.bin", CifarRow(255, 1));
  EXPECT_THAT(Refusal(), HasSubstr("label 255"));
}

TEST_F(Cifar10Test, FoldersWithoutBatchesAreRefused) {
  const TestFolder empty;
  EXPECT_THAT(std::string(OpenCifar10(empty.path(), 32).status().message()),
              HasSubstr("has no data_batch_*.bin"));
  EXPECT_EQ(OpenCifar10(empty.File("no"), 32).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(OpenCifar10("", 32).status().message()), HasSubstr("--data NAME=DIR"));
  empty.Write("data_batch_1.bin", CifarRows(10, 1));
  EXPECT_THAT(std::string(OpenCifar10(empty.path(), 32).status().message()),
              HasSubstr("has no test_batch.bin"));
}

TEST_F(Cifar10Test, FolderInPlaceOfABatchIsRefused) {
  ASSERT_TRUE(MakeFolder(folder_.File("data_batch_3.bin")).ok());
  EXPECT_THAT(Refusal(), HasSubstr("data_batch_3.bin is not a regular file"));
}

TEST_F(Cifar10Test, BatchThatShrinksWhileItIsReadIsRefused) {
  const auto source = OpenCifar10(folder_.path(), 32).value();
  std::filesystem::resize_file(folder_.File("data_batch_1.bin"), 3073);
  std::vector<uint8_t> pixels(3 * 32 * 32);
  EXPECT_TRUE(source->Read(0, NoMargin, absl::MakeSpan(pixels)).ok());
  EXPECT_THAT(std::string(source->Read(1, NoMargin, absl::MakeSpan(pixels)).status().message()),
              HasSubstr("became shorter"));
}

}  // namespace
}  // namespace squish
