#include "coordinator/service/fleet.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace squish {
namespace {

v1::SynchronizeRequest RequestOf(size_t runner) {
  v1::SynchronizeRequest request;
  request.mutable_runner()->set_id(absl::StrCat("worker-", runner));
  request.mutable_runner()->set_incarnation(1);
  return request;
}

TEST(FleetTest, OneRunnerTooManyIsRefusedAndTheOthersAreStillHeard) {
  Fleet fleet(/*failures_until_aside=*/0);
  for (size_t i = 0; i < Fleet::kMaximumRunners; ++i) {
    ASSERT_TRUE(fleet.Hear(RequestOf(i), absl::ZeroDuration()).ok());
  }
  const v1::SynchronizeRequest another = RequestOf(Fleet::kMaximumRunners);
  EXPECT_TRUE(absl::IsResourceExhausted(fleet.Hear(another, absl::Seconds(1)).status()));
  EXPECT_EQ(fleet.runners().size(), Fleet::kMaximumRunners);
  EXPECT_TRUE(fleet.Hear(RequestOf(0), absl::Seconds(20)).ok());
  // Those that fall silent make room.
  EXPECT_TRUE(fleet.Tend(absl::Seconds(31), absl::Seconds(30)));
  EXPECT_TRUE(fleet.Hear(another, absl::Seconds(31)).ok());
  EXPECT_EQ(fleet.runners().size(), 2u);
}

}  // namespace
}  // namespace squish
