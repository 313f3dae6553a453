#include "coordinator/service/fleet.h"

#include "absl/strings/str_cat.h"
#include "coordinator/service/class_speeds.h"
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
  Fleet fleet(Fleet::Limits{.failures = 0});
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

// Boards of one class, each of which has said often enough what its ancestor's speed is.
class DriftTest : public ::testing::Test {
 protected:
  // The same of every measurement; returns whether the board is set aside then.
  bool Say(size_t board, double images_per_second, int times = ClassSpeeds::kSpeeds) {
    EXPECT_TRUE(fleet_.Hear(RequestOf(board), now_).ok());
    for (int i = 0; i < times; ++i) {
      fleet_.NoteAncestorSpeed(RequestOf(board).runner().id(), "ancestor", images_per_second, now_);
    }
    return IsAside(board);
  }
  bool IsAside(size_t board) const {
    return fleet_.Find(RequestOf(board).runner().id())->aside.has_value();
  }
  void Pass(absl::Duration time) {
    now_ += time;
    fleet_.Tend(now_, absl::InfiniteDuration());
  }

  Fleet fleet_{Fleet::Limits{.drift = 0.15}};
  absl::Duration now_;
};

TEST_F(DriftTest, WhoDiffersFromItsClassIsSetAsideAndSaysByHowMuch) {
  EXPECT_FALSE(Say(1, 100));
  EXPECT_FALSE(Say(2, 113));
  EXPECT_FALSE(Say(3, 140, 2));  // That may have been a disturbance.
  EXPECT_TRUE(Say(3, 140, 1));
  const std::string& why = fleet_.Find("worker-3")->aside->why;
  EXPECT_NE(why.find("at 140 images/s"), std::string::npos) << why;
  EXPECT_NE(why.find("3 boards of its class at 113"), std::string::npos) << why;
  EXPECT_FALSE(IsAside(1));
  EXPECT_FALSE(IsAside(2));
}

TEST_F(DriftTest, OfTwoTheOneThatHasMovedOrTheOneThatCameLater) {
  Say(1, 100);
  EXPECT_FALSE(Say(2, 100));
  EXPECT_FALSE(Say(1, 70, 1));
  EXPECT_TRUE(Say(1, 70, 1));  // Two of its last three.
  EXPECT_FALSE(IsAside(2));
  EXPECT_TRUE(Say(3, 70));  // Like the one that is set aside, which is no longer the class.
}

TEST_F(DriftTest, ABoardByItselfIsItsClass) {
  Say(1, 100);
  EXPECT_FALSE(Say(1, 10));
  EXPECT_FALSE(Say(2, 100));  // Now it is not; and what it said first was another speed.
  EXPECT_TRUE(Say(1, 10, 1));
}

TEST_F(DriftTest, EachTimeIsTwiceAsLongUntilItStartsAnew) {
  Say(1, 100);
  for (const absl::Duration term : {Fleet::kFirstAside, 2 * Fleet::kFirstAside}) {
    EXPECT_TRUE(Say(2, 50));
    Pass(term - absl::Seconds(1));
    fleet_.NoteDone("worker-2");  // What it still had in hand.
    EXPECT_TRUE(IsAside(2));
    Pass(absl::Seconds(1));
    EXPECT_FALSE(IsAside(2));
  }
  EXPECT_TRUE(Say(2, 50));
  v1::SynchronizeRequest anew = RequestOf(2);
  anew.mutable_runner()->set_incarnation(2);
  ASSERT_TRUE(fleet_.Hear(anew, now_).ok());
  EXPECT_FALSE(IsAside(2));
}

TEST_F(DriftTest, OtherAncestorsAndSettingsAreAnotherMatter) {
  Say(1, 100);
  ASSERT_TRUE(fleet_.Hear(RequestOf(2), now_).ok());
  for (int i = 0; i < 5; ++i) fleet_.NoteAncestorSpeed("worker-2", "another", 50, now_);
  EXPECT_FALSE(IsAside(2));
}

TEST_F(DriftTest, WhoIsGoneIsNoPartOfTheClass) {
  Say(1, 100);
  now_ = absl::Minutes(5);
  EXPECT_TRUE(fleet_.Hear(RequestOf(2), now_).ok());
  fleet_.Tend(now_, absl::Minutes(1));
  EXPECT_FALSE(Say(2, 50));
}

TEST_F(DriftTest, NobodyIsSetAsideWhereItIsOff) {
  Fleet fleet(Fleet::Limits{.drift = 0});
  for (const size_t board : {1, 2}) {
    ASSERT_TRUE(fleet.Hear(RequestOf(board), now_).ok());
    const std::string id = RequestOf(board).runner().id();
    for (int i = 0; i < 5; ++i) fleet.NoteAncestorSpeed(id, "ancestor", 100.0 * board, now_);
    EXPECT_FALSE(fleet.Find(id)->aside.has_value());
  }
}

TEST(ClassSpeedsTest, TheClassIsTheMedianOfWhatBoardsSaidFirst) {
  ClassSpeeds speeds;
  const auto say = [&speeds](const std::string& board, std::vector<double> values) {
    std::optional<ClassSpeeds::Standing> standing;
    for (const double value : values) standing = speeds.Note("ancestor", board, value);
    return standing;
  };
  EXPECT_FALSE(say("a", {10, 99, 11}).has_value());  // Nobody else.
  EXPECT_FALSE(say("b", {20, 21}).has_value());
  EXPECT_EQ(say("b", {22})->of_class, 11);  // Of two the first.
  EXPECT_EQ(say("c", {30, 31, 32})->of_class, 21);
  const auto later = say("c", {1, 2});
  EXPECT_EQ(later->of_class, 21);
  EXPECT_EQ(later->own, 2);  // Of 32, 1, 2.
  EXPECT_EQ(later->boards, 3);
  speeds.Forget("b");
  EXPECT_EQ(say("c", {3})->of_class, 11);
}

TEST(ClassSpeedsTest, ItsMemoryIsBounded) {
  ClassSpeeds speeds;
  for (size_t i = 0; i < 3; ++i) speeds.Note("kept", "a", 1);
  for (size_t kind = 0; kind < 2 * ClassSpeeds::kMaximumKinds; ++kind) {
    for (int i = 0; i < 3; ++i) speeds.Note(absl::StrCat("kind ", kind), "a", 1);
    speeds.Note("kept", "a", 1);
  }
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(speeds.Note("kept", "b", 1).has_value());
  EXPECT_TRUE(speeds.Note("kept", "b", 1).has_value());
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(speeds.Note("kind 0", "b", 1).has_value());
}

}  // namespace
}  // namespace squish
