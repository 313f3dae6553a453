#include <cmath>
#include <cstdlib>
#include <set>

#include "common/base/clock.h"
#include "common/base/exact_math.h"
#include "common/base/file.h"
#include "common/base/random.h"
#include "common/base/retry.h"
#include "common/base/sha256.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_folder.h"

namespace squish {
namespace {

TEST(ExactMathTest, ExpAgreesWithLibmToFifteenDigits) {
  for (double x = -700; x <= 700; x += 0.37) {
    EXPECT_NEAR(ExactExp(x) / std::exp(x), 1.0, 2e-15) << x;
  }
  EXPECT_EQ(ExactExp(0.0), 1.0);
  EXPECT_EQ(ExactExp(-800.0), 0.0);
  EXPECT_TRUE(std::isinf(ExactExp(710.0)));
  EXPECT_TRUE(std::isnan(ExactExp(std::nan(""))));
}

TEST(ExactMathTest, LogAgreesWithLibmToFifteenDigits) {
  for (double x = 1e-300; x < 1e300; x *= 3.7) {
    EXPECT_NEAR(ExactLog(x), std::log(x), 1e-15 * std::max(1.0, std::abs(std::log(x)))) << x;
  }
  for (double x = 0.5; x < 2.0; x += 0.001) EXPECT_NEAR(ExactLog(x), std::log(x), 1e-15) << x;
  EXPECT_EQ(ExactLog(1.0), 0.0);
  EXPECT_TRUE(std::isinf(ExactLog(0.0)));
  EXPECT_TRUE(std::isnan(ExactLog(-1.0)));
}

// Known answers published with the Random123 library.
TEST(PhiloxTest, KnownAnswers) {
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}),
            (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(RandomStreamTest, NamesAndDomainsGiveDifferentStreams) {
  std::set<uint32_t> seen;
  for (uint64_t a = 0; a < 10; ++a) {
    for (uint64_t b = 0; b < 10; ++b) {
      seen.insert(RandomStream(RandomDomain::kSurvival, {a, b}).Bits(0));
      seen.insert(RandomStream(RandomDomain::kWeights, {a, b}).Bits(0));
    }
  }
  seen.insert(RandomStream(RandomDomain::kSurvival, {0}).Bits(0));
  EXPECT_EQ(seen.size(), 201u);
}

TEST(RandomStreamTest, MomentsAreThoseOfTheDistributions) {
  const RandomStream stream(RandomDomain::kWeights, {42});
  constexpr int kDraws = 200'000;
  double uniform = 0, normal = 0, square = 0, below = 0;
  for (int i = 0; i < kDraws; ++i) {
    uniform += stream.Uniform(i);
    const double x = stream.Normal(i);
    normal += x;
    square += x * x;
    below += stream.Below(i, 7);
  }
  EXPECT_NEAR(uniform / kDraws, 0.5, 4 * 0.289 / std::sqrt(kDraws));
  EXPECT_NEAR(normal / kDraws, 0.0, 4.0 / std::sqrt(kDraws));
  EXPECT_NEAR(square / kDraws, 1.0, 4 * 1.42 / std::sqrt(kDraws));
  EXPECT_NEAR(below / kDraws, 3.0, 4 * 2.0 / std::sqrt(kDraws));
}

TEST(RandomStreamTest, PermutationHoldsEveryIndexOnce) {
  const std::vector<int> order = RandomStream(RandomDomain::kShuffle, {1}).Permutation(100);
  EXPECT_EQ(std::set<int>(order.begin(), order.end()).size(), 100u);
  EXPECT_NE(order, RandomStream(RandomDomain::kShuffle, {2}).Permutation(100));
}

TEST(Sha256Test, KnownAnswersWholeAndInParts) {
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 hash;
  hash.Update("a");
  hash.Update("bc");
  EXPECT_EQ(std::move(hash).HexDigest(), Sha256Hex("abc"));
  Sha256 again;
  again.Update("abc");
  EXPECT_EQ(std::move(again).First64Bits(), 0xba7816bf8f01cfeaULL);
  EXPECT_TRUE(IsSha256Hex(Sha256Hex("")));
  EXPECT_FALSE(IsSha256Hex("ABC"));
}

class FileTest : public testing::Test {
 protected:
  const std::string folder_ = TemporaryFolder();
};

TEST_F(FileTest, DurableWriteReplacesTheWholeContent) {
  const std::string path = JoinPath(folder_, "a");
  ASSERT_TRUE(WriteFileDurably(path, "first, and longer").ok());
  ASSERT_TRUE(WriteFileDurably(path, "second").ok());
  EXPECT_EQ(*ReadFile(path), "second");
}

TEST_F(FileTest, ErrorsNamePathAndReason) {
  const auto missing = ReadFile(JoinPath(folder_, "missing"));
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(missing.status().message().find("missing: No such file"), absl::string_view::npos);
  EXPECT_EQ(ReadFile(folder_).status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(WriteFileDurably(JoinPath(folder_, "big"), std::string(100, 'x')).ok());
  EXPECT_EQ(ReadFile(JoinPath(folder_, "big"), 99).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(BackoffTest, GrowsToItsMaximum) {
  const Backoff backoff{absl::Seconds(1), absl::Seconds(5)};
  EXPECT_EQ(DelayAfter(backoff, 1, 0.0), absl::Seconds(0.5));
  EXPECT_EQ(DelayAfter(backoff, 2, 0.5), absl::Seconds(1.5));
  EXPECT_EQ(DelayAfter(backoff, 30, 0.0), absl::Seconds(2.5));
}

TEST(FakeClockTest, MovesOnlyWhenTold) {
  FakeClock clock;
  const absl::Time start = clock.Now();
  clock.Advance(absl::Seconds(3));
  EXPECT_EQ(clock.Now() - start, absl::Seconds(3));
  EXPECT_EQ(clock.Steady(), absl::Seconds(3));
}

}  // namespace
}  // namespace squish
