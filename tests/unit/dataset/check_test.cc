#include <filesystem>

#include "common/dataset/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "absl/strings/str_cat.h"
#include "tests/unit/dataset/test_pictures.h"

namespace squish {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CheckTest : public testing::Test {
 protected:
  FolderCheck Check(int threads = 2) const {
    v1::DatasetSpec spec;
    spec.set_input_size(16);
    spec.mutable_image_folder();
    auto check = CheckImageFolder(spec, folder_.path(), threads, [](double fraction) {
      EXPECT_GE(fraction, 0.0);
      EXPECT_LE(fraction, 1.0);
    });
    EXPECT_TRUE(check.ok()) << check.status();
    return check.ok() ? *std::move(check) : FolderCheck();
  }
  const TestFolder folder_;
};

TEST_F(CheckTest, GoodFolderHasNeitherProblemsNorWarnings) {
  WriteSmallFolder(folder_, 20);
  const FolderCheck check = Check();
  EXPECT_THAT(check.problems, IsEmpty());
  EXPECT_THAT(check.warnings, IsEmpty());
  ASSERT_EQ(check.classes.size(), 2u);
  for (const FolderCheck::Class& one : check.classes) {
    EXPECT_EQ(one.train, 16);
    EXPECT_EQ(one.selection, 4);
    EXPECT_EQ(one.val, 2);
  }
  EXPECT_EQ(check.classes[0].name, "cat");
  EXPECT_EQ(check.files, 44);
  EXPECT_EQ(check.pngs, 44);
  EXPECT_EQ(check.jpegs, 0);
  EXPECT_EQ(check.width.least, 20);
  EXPECT_EQ(check.width.most, 26);
  EXPECT_EQ(check.height.most, 32);
  EXPECT_EQ(check.width.median, 23);
}

TEST_F(CheckTest, ResultDoesNotDependOnTheNumberOfThreads) {
  WriteSmallFolder(folder_, 20);
  WriteBelow(folder_, "train/cat/x1", "no picture");
  WriteBelow(folder_, "train/cat/x2", "");
  for (const int threads : {1, 5}) {
    EXPECT_THAT(Check(threads).unreadable,
                ElementsAre("train/cat/x1: it is neither JPEG nor PNG",
                            "train/cat/x2: it is empty"));
  }
}

TEST_F(CheckTest, EqualFilesAreSortedByWhatIsWrongWithThem) {
  WriteSmallFolder(folder_, 20);
  const auto copy = [this](const char* from, const char* to) {
    WriteBelow(folder_, to, folder_.Read(from));
  };
  copy("train/cat/0.png", "train/cat/again.png");
  copy("train/cat/1.png", "val/cat/seen.png");
  copy("train/dog/2.png", "train/cat/a dog.png");
  copy("train/dog/3.png", "val/cat/both.png");
  const FolderCheck check = Check();
  EXPECT_THAT(check.duplicates, ElementsAre(ElementsAre("train/cat/0.png", "train/cat/again.png")));
  EXPECT_THAT(check.leaks, ElementsAre(ElementsAre("train/cat/1.png", "val/cat/seen.png"),
                                       ElementsAre("train/dog/3.png", "val/cat/both.png")));
  EXPECT_THAT(check.mislabelled,
              ElementsAre(ElementsAre("train/cat/a dog.png", "train/dog/2.png"),
                          ElementsAre("train/dog/3.png", "val/cat/both.png")));
  EXPECT_THAT(check.problems, IsEmpty());
  EXPECT_THAT(check.warnings,
              ElementsAre(HasSubstr("2 pictures are in train/ and in val/"),
                          HasSubstr("2 pictures are in two classes"),
                          HasSubstr("1 picture is there more than once")));
}

TEST_F(CheckTest, TooFewSmallAndStrayPicturesAreWarnedOf) {
  WriteSmallFolder(folder_, 10);
  WriteBelow(folder_, "train/cat/small.png", Png(Waves(40, 15, 99)));
  WriteBelow(folder_, "train/notes.txt", "x");
  EXPECT_THAT(Check().warnings,
              ElementsAre(HasSubstr("class 'cat' has only 8 pictures to train on"),
                          HasSubstr("class 'dog' has only 8 pictures"),
                          HasSubstr("1 picture is smaller than the input of 16 pixels"),
                          HasSubstr("such as train/notes.txt")));
}

TEST_F(CheckTest, ClassesThatDifferBetweenSplitsAreProblemsAndCountedAllTheSame) {
  WriteSmallFolder(folder_, 20);
  WriteBelow(folder_, "train/emu/0.png", Png(Waves(20, 20, 500)));
  ASSERT_TRUE(MakeFolder(folder_.File("val/fox")).ok());
  const FolderCheck check = Check();
  EXPECT_THAT(check.problems, Contains(HasSubstr("'emu'")));
  EXPECT_THAT(check.problems, Contains(HasSubstr("'fox'")));
  EXPECT_THAT(check.problems, Contains(HasSubstr("val/fox of " + folder_.path() + " is empty")));
  ASSERT_EQ(check.classes.size(), 4u);
  EXPECT_EQ(check.classes[2].name, "emu");
  EXPECT_EQ(check.classes[2].train + check.classes[2].selection, 1);
  EXPECT_EQ(check.classes[0].val, 2);
}

TEST_F(CheckTest, TooManyUnreadableFilesAreAProblemAndFewAWarning) {
  WriteSmallFolder(folder_, 60);  // 124 files.
  WriteBelow(folder_, "val/cat/x", "no picture");
  EXPECT_THAT(Check().problems, IsEmpty());
  EXPECT_THAT(Check().warnings, ElementsAre(HasSubstr("1 file cannot be read")));
  WriteBelow(folder_, "val/cat/y", "no picture");
  EXPECT_THAT(Check().problems, ElementsAre(HasSubstr("2 files of 126 cannot be read")));
}

TEST_F(CheckTest, ClassThatCannotBeSplitIsAProblem) {
  WriteSmallFolder(folder_, 20);
  for (int i = 0; i < 20; ++i) std::filesystem::remove(folder_.File(absl::StrCat("train/cat/", i, ".png")));
  WriteBelow(folder_, "train/cat/only.png", Png(Waves(20, 20, 500)));
  EXPECT_THAT(Check().problems, ElementsAre(HasSubstr("class 'cat' has 1 training pictures")));
}

TEST_F(CheckTest, PictureTooNarrowToCropIsUnreadableToo) {
  WriteSmallFolder(folder_, 20);
  WriteBelow(folder_, "train/cat/line.png", Png(Flat(32'768, 1, 9, 9, 9)));
  v1::DatasetSpec spec;
  spec.set_input_size(64);
  spec.set_resize(v1::SHORT_SIDE_CENTER_CROP);
  const FolderCheck check = CheckImageFolder(spec, folder_.path(), 2, [](double) {}).value();
  EXPECT_THAT(check.unreadable, ElementsAre(HasSubstr("train/cat/line.png: it is too narrow")));
}

TEST_F(CheckTest, PicturesAreDecodedSideBySideAndNotInStripes) {
  WriteSmallFolder(folder_, 20);
  cv::setNumThreads(2);
  Check();
  EXPECT_EQ(cv::getNumThreads(), 1);
}

TEST_F(CheckTest, MachineThatFailsIsAnErrorAndNoProblemOfTheFolder) {
  WriteSmallFolder(folder_, 100);
  v1::DatasetSpec spec;
  spec.set_input_size(16);
  struct rlimit was, none;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &was), 0);
  none = was;
  none.rlim_cur = 0;
  // The folder is listed, and no file of it can be opened.
  const auto check = CheckImageFolder(spec, folder_.path(), 1, [&](double) {
    setrlimit(RLIMIT_NOFILE, &none);
  });
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &was), 0);
  EXPECT_EQ(check.status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(CheckTest, FolderThatIsNotThereIsAnError) {
  v1::DatasetSpec spec;
  spec.set_input_size(16);
  EXPECT_EQ(CheckImageFolder(spec, folder_.File("none"), 1, [](double) {}).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace squish
