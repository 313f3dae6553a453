#include "jetson-agent/selftest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "tests/support/checkout.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/engine/test_networks.h"

namespace squish {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::MeasureResult Valid(double ratio, double half_width) {
  v1::MeasureResult result;
  result.set_verdict(v1::MeasureResult::VALID);
  result.set_ratio(ratio);
  result.set_ratio_half_width(half_width);
  return result;
}

v1::MeasureResult Invalid() {
  v1::MeasureResult result;
  result.set_verdict(v1::MeasureResult::INVALID);
  result.add_reasons("the spread is 7 %");
  return result;
}

TEST(FaultsOfSameTest, ARatioOfOneWithinItsIntervalOrNearlySoIsNone) {
  EXPECT_THAT(FaultsOfSame(Valid(1, 0)), IsEmpty());
  EXPECT_THAT(FaultsOfSame(Valid(1.009, 0.001)), IsEmpty());
  EXPECT_THAT(FaultsOfSame(Valid(0.992, 0.001)), IsEmpty());
  EXPECT_THAT(FaultsOfSame(Valid(1.03, 0.04)), IsEmpty());
}

TEST(FaultsOfSameTest, AnotherRatioIsNamed) {
  EXPECT_THAT(FaultsOfSame(Valid(1.05, 0.02)), ElementsAre(HasSubstr("1.0500")));
  EXPECT_THAT(FaultsOfSame(Valid(0.95, 0.02)), ElementsAre(HasSubstr("0.9500")));
}

TEST(FaultsOfSameTest, AnInvalidMeasurementComesWithItsReasons) {
  EXPECT_THAT(FaultsOfSame(Invalid()), ElementsAre(HasSubstr("INVALID"), "the spread is 7 %"));
}

TEST(FaultsOfSmallerTest, MustBeFasterBeyondItsInterval) {
  EXPECT_THAT(FaultsOfSmaller(Valid(1.5, 0.05)), IsEmpty());
  EXPECT_THAT(FaultsOfSmaller(Valid(1.04, 0.05)), ElementsAre(HasSubstr("1.0400")));
  EXPECT_THAT(FaultsOfSmaller(Valid(0.8, 0.01)), ElementsAre(HasSubstr("0.8000")));
  EXPECT_THAT(FaultsOfSmaller(Invalid()), ElementsAre(HasSubstr("INVALID"), "the spread is 7 %"));
}

class SelfTestTest : public ::testing::Test {
 protected:
  SelfTestTest() { ::setenv("TMPDIR", folder_.c_str(), /*overwrite=*/1); }
  ~SelfTestTest() override { ::unsetenv("TMPDIR"); }

  absl::StatusOr<bool> Run(std::vector<std::string> engine) {
    LocalEngineOptions options;
    options.engine.child.command = std::move(engine);
    options.device_class = "board-x/1";
    return SelfTest(options, Clock::System(), out_);
  }

  const std::string folder_ = TemporaryFolder();
  std::ostringstream out_;
};

TEST_F(SelfTestTest, SaysWhoMeasuresWhatCameOutAndLeavesNothing) {
  const absl::StatusOr<bool> passed = Run({ProgramPath("jetson-agent"), "engine", "simulated"});
  ASSERT_TRUE(passed.ok()) << passed.status();
  EXPECT_TRUE(*passed) << out_.str();
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("engine simulated"), HasSubstr("board-x/1"),
                    HasSubstr("this engine is synthetic"),
                    HasSubstr("against itself: passed\n"), HasSubstr("ratio 1.0000 ± 0.0 %"),
                    HasSubstr("half as wide against it: passed\n")));
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(SelfTestTest, AnEngineToWhichAllNetworksAreAlikeFails) {
  const std::string speeds = JoinPath(TemporaryFolder(), "speeds.csv");
  std::string csv = "architecture_digest,images_per_second\n";
  for (const double width : {1.0, 0.5}) {
    absl::StrAppend(&csv, SqueezeNetV11(10, width)->ArchitectureDigest(), ",100\n");
  }
  ASSERT_TRUE(WriteFileDurably(speeds, csv).ok());
  const absl::StatusOr<bool> passed =
      Run({ProgramPath("jetson-agent"), "engine", "replay", speeds});
  ASSERT_TRUE(passed.ok()) << passed.status();
  EXPECT_FALSE(*passed);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("against itself: passed\n"),
                                HasSubstr("half as wide against it: FAILED\n"),
                                HasSubstr("must be faster, its ratio is 1.0000")));
}

TEST_F(SelfTestTest, AnEngineThatDiesIsAnErrorAndLeavesNothing) {
  EXPECT_EQ(Run({TestProgramPath("fake_engine"), "run", "crash"}).status().code(),
            absl::StatusCode::kAborted);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

}  // namespace
}  // namespace squish
