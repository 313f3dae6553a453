#include "coordinator/service/dataset_difference.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace squish {
namespace {

v1::DatasetSummary Summary(int classes) {
  v1::DatasetSummary summary;
  for (int c = 0; c < classes; ++c) {
    summary.add_class_names(absl::StrCat("class-", c));
    v1::ClassSummary& one = *summary.add_classes();
    one.set_train_images(40);
    one.set_selection_images(10);
    one.set_val_images(5);
    one.set_content_digest(absl::StrCat("digest ", c));
  }
  return summary;
}

TEST(DatasetDifferenceTest, EqualSummariesTellNone) {
  EXPECT_EQ(DescribeClassDifference(Summary(3), Summary(3)), "");
}

TEST(DatasetDifferenceTest, OtherCountsAreShownBesideTheExperiments) {
  v1::DatasetSummary other = Summary(3);
  other.mutable_classes(1)->set_train_images(41);
  other.mutable_classes(1)->set_content_digest("changed");
  EXPECT_EQ(DescribeClassDifference(Summary(3), other),
            "class 'class-1' has 41 training, 10 selection and 5 val pictures instead of 40, 10 "
            "and 5");
}

TEST(DatasetDifferenceTest, OtherContentWithTheSameCountsIsToldApart) {
  v1::DatasetSummary other = Summary(3);
  other.mutable_classes(2)->set_content_digest("changed");
  EXPECT_EQ(DescribeClassDifference(Summary(3), other), "the pictures of class 'class-2' are others");
}

TEST(DatasetDifferenceTest, OtherClassesAreNotComparedOneByOne) {
  v1::DatasetSummary other = Summary(4);
  EXPECT_EQ(DescribeClassDifference(Summary(3), other),
            "its 4 classes are not the experiment's 3");
  other = Summary(3);
  other.set_class_names(0, "renamed");
  EXPECT_EQ(DescribeClassDifference(Summary(3), other),
            "its 3 classes are not the experiment's 3");
}

TEST(DatasetDifferenceTest, ManyDifferencesAreCountedAndSummariesWithoutClassesSurvived) {
  v1::DatasetSummary other = Summary(9);
  for (v1::ClassSummary& one : *other.mutable_classes()) one.set_content_digest("changed");
  EXPECT_EQ(DescribeClassDifference(Summary(9), other),
            "the pictures of class 'class-0' are others; the pictures of class 'class-1' are "
            "others; the pictures of class 'class-2' are others; and 6 classes more");
  other.clear_classes();
  EXPECT_EQ(DescribeClassDifference(Summary(9), other), "");
}

}  // namespace
}  // namespace squish
