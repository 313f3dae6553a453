#include "common/base/sha256.h"
#include "tests/unit/ctl/demo_fixture.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

class DemoSpecTest : public DemoFixture {};

TEST_F(DemoSpecTest, ExampleAsItIs) {
  const auto spec = MakeDemoSpec(options_, "");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->name(), "demo");
  EXPECT_EQ(spec->generations(), 4);
  options_.quick = true;
  EXPECT_EQ(MakeDemoSpec(options_, "")->name(), "demo-quick");
}

TEST_F(DemoSpecTest, OptionsReplaceWhatTheExampleSays) {
  options_.generations = 3;
  options_.offspring = 5;
  options_.seed = 42;
  options_.data = "/somewhere";
  const auto spec = MakeDemoSpec(options_, Sha256Hex("network"));
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->generations(), 3);
  EXPECT_EQ(spec->offspring(), 5);
  EXPECT_EQ(spec->seed(), 42u);
  EXPECT_EQ(spec->dataset().name(), "cifar10");
  EXPECT_TRUE(spec->dataset().has_cifar10());
  EXPECT_EQ(spec->ancestor().network_digest(), Sha256Hex("network"));
}

TEST_F(DemoSpecTest, ImpossibleOptionIsRefusedAndNamed) {
  options_.generations = -1;
  const auto spec = MakeDemoSpec(options_, "");
  EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(spec.status().message()), HasSubstr("generations"));
}

TEST_F(DemoSpecTest, MissingExampleSaysWhereItWasLookedFor) {
  options_.examples = root_;
  const auto spec = MakeDemoSpec(options_, "");
  EXPECT_EQ(spec.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(spec.status().message()), HasSubstr(root_));
  EXPECT_THAT(std::string(spec.status().message()), HasSubstr("--examples DIR"));
}

}  // namespace
}  // namespace squish
