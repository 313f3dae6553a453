#include "ctl/branch_command.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

TEST(BranchTest, IndividualsAreNamedByGenerationAndIndex) {
  const auto name = ParseIndividualName("3:12");
  ASSERT_TRUE(name.ok());
  EXPECT_EQ(name->generation(), 3);
  EXPECT_EQ(name->index(), 12);
  for (const char* wrong : {"", "3", "3:", ":1", "a:b", "1:2:3", "-1:0", "1.5:0"}) {
    EXPECT_EQ(ParseIndividualName(wrong).status().code(), absl::StatusCode::kInvalidArgument)
        << wrong;
  }
}

v1::Experiment Origin() {
  v1::Experiment origin;
  origin.set_id("pets-1");
  v1::ExperimentSpec& spec = *origin.mutable_spec();
  spec.set_name("pets");
  spec.set_generations(15);
  spec.mutable_ancestor()->mutable_squeezenet_v1_1();
  spec.mutable_training()->mutable_ancestor()->set_epochs(8);
  spec.mutable_environment()->set_resource_factor(0.93);
  spec.mutable_environment()->add_constraints()->set_max_megabytes(0.95);
  spec.mutable_environment()->add_constraints()->set_min_accuracy(0.5);
  return origin;
}

TEST(BranchTest, GoesOnAsItsOriginUnlessSaidOtherwise) {
  v1::IndividualName name;
  name.set_generation(3);
  const v1::ExperimentSpec spec = BranchSpec(Origin(), name, {});
  EXPECT_EQ(spec.ancestor().branch().experiment(), "pets-1");
  EXPECT_EQ(spec.ancestor().branch().individual().generation(), 3);
  EXPECT_EQ(spec.generations(), 15);
  EXPECT_EQ(spec.training().ancestor().epochs(), 0) << "the individual is trained already";
  EXPECT_EQ(spec.environment().constraints_size(), 2);
}

TEST(BranchTest, ChangesTakeThePlaceOfWhatWas) {
  const v1::ExperimentSpec spec =
      BranchSpec(Origin(), v1::IndividualName(),
                 {.name = "pets-small",
                  .seed = 9,
                  .generations = 5,
                  .resource_factor = 0.8,
                  .max_megabytes = 0.3,
                  .min_ratio = 2});
  EXPECT_EQ(spec.name(), "pets-small");
  EXPECT_EQ(spec.seed(), 9u);
  EXPECT_EQ(spec.generations(), 5);
  EXPECT_EQ(spec.environment().resource_factor(), 0.8);
  ASSERT_EQ(spec.environment().constraints_size(), 3);
  EXPECT_EQ(spec.environment().constraints(0).min_accuracy(), 0.5) << "which nobody changed";
  EXPECT_EQ(spec.environment().constraints(1).max_megabytes(), 0.3);
  EXPECT_EQ(spec.environment().constraints(2).min_ratio_to_ancestor(), 2);
}

TEST(BranchTest, WithoutAnIndividualTheCoordinatorChooses) {
  EXPECT_FALSE(BranchSpec(Origin(), std::nullopt, {}).ancestor().branch().has_individual());
}

}  // namespace
}  // namespace squish
