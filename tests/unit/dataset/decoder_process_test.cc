// squish-decoder as its parents see it.
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "common/child/child.h"
#include "common/dataset/cache.h"
#include "tests/support/checkout.h"
#include "tests/unit/dataset/picture_folder.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kLong = absl::Seconds(60);

class DecoderProcessTest : public testing::Test {
 protected:
  static std::unique_ptr<Child> Start() {
    ChildOptions options;
    options.command = {ProgramPath("squish-decoder")};
    options.environment = InheritedEnvironment();
    return Child::Spawn(options).value();
  }

  static v1::DecoderEvent Next(Child& child) {
    v1::DecoderEvent event;
    const auto line = child.ReadLine(kLong);
    EXPECT_TRUE(line.ok()) << line.status();
    if (line.ok()) {
      EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(*line, &event).ok()) << *line;
    }
    return event;
  }

  // The answer to a request: the first event that is no progress.
  static v1::DecoderEvent Answer(Child& child, const std::string& line) {
    EXPECT_TRUE(child.WriteLine(line).ok());
    while (true) {
      v1::DecoderEvent event = Next(child);
      if (!event.has_progress()) return event;
      EXPECT_GE(event.progress().fraction(), 0.0);
      EXPECT_LE(event.progress().fraction(), 1.0);
    }
  }

  static std::string Line(const v1::DecoderRequest& request) {
    std::string line;
    EXPECT_TRUE(google::protobuf::util::MessageToJsonString(request, &line).ok());
    return line;
  }

  const TestFolder cache_;
};

TEST_F(DecoderProcessTest, AnswersWithTheCache) {
  const auto child = Start();
  EXPECT_TRUE(Next(*child).has_ready());
  const v1::DecoderEvent event = Answer(*child, Line(BuiltInRequest(cache_)));
  ASSERT_TRUE(event.has_done()) << event.ShortDebugString();
  const auto cache = DatasetCache::Open(event.done().cache_path()).value();
  EXPECT_EQ(cache->summary().SerializeAsString(), event.done().summary().SerializeAsString())
      << "a number changed on its way through JSON";
  EXPECT_EQ(child->CloseAndWait(kLong), "exit status 0");
}

TEST_F(DecoderProcessTest, SaysWhatIsWrongAndServesTheNextRequest) {
  const auto child = Start();
  EXPECT_TRUE(Next(*child).has_ready());
  for (const char* babble : {"", "{", "[]", "{\"dataset\": 7}", "{\"unknown\": 1}", "\xff"}) {
    const v1::DecoderEvent event = Answer(*child, babble);
    EXPECT_THAT(event.failed().message(), HasSubstr("the request is no DecoderRequest"));
  }
  const TestFolder empty;
  EXPECT_THAT(Answer(*child, Line(CifarRequest(empty, cache_))).failed().message(),
              HasSubstr("has no data_batch_*.bin"));
  EXPECT_TRUE(Answer(*child, Line(BuiltInRequest(cache_))).has_done());
}

TEST_F(DecoderProcessTest, KilledInMidWorkItLeavesNothingInTheWay) {
  v1::DecoderRequest request = BuiltInRequest(cache_);
  request.mutable_dataset()->mutable_built_in()->set_train_images(20'000);
  {
    const auto child = Start();
    EXPECT_TRUE(Next(*child).has_ready());
    ASSERT_TRUE(child->WriteLine(Line(request)).ok());
    EXPECT_TRUE(Next(*child).has_progress());
    child->Kill();
    EXPECT_THAT(child->CloseAndWait(kLong), HasSubstr("signal 9"));
  }
  const auto child = Start();
  EXPECT_TRUE(Next(*child).has_ready());
  EXPECT_TRUE(Answer(*child, Line(request)).has_done());
}

TEST_F(DecoderProcessTest, PicturesOfAKilledDecoderAreNotDecodedAgain) {
  const TestFolder source, other_cache;
  WriteSmallFolder(source, 400, 60);
  v1::DecoderRequest request = FolderRequest(source, cache_, 64);
  {
    const auto child = Start();
    EXPECT_TRUE(Next(*child).has_ready());
    ASSERT_TRUE(child->WriteLine(Line(request)).ok());
    double fraction = 0.0;
    while (fraction < 0.3) {
      const v1::DecoderEvent event = Next(*child);
      ASSERT_TRUE(event.has_progress()) << "it was done before it could be killed";
      fraction = event.progress().fraction();
    }
    child->Kill();
    EXPECT_THAT(child->CloseAndWait(kLong), HasSubstr("signal 9"));
  }
  const auto child = Start();
  EXPECT_TRUE(Next(*child).has_ready());
  ASSERT_TRUE(child->WriteLine(Line(request)).ok());
  const v1::DecoderEvent first = Next(*child);
  ASSERT_TRUE(first.has_progress());
  EXPECT_GE(first.progress().fraction(), 0.3) << "it begins where the other one was";
  v1::DecoderEvent event;
  while (!event.has_done()) {
    event = Next(*child);
    ASSERT_FALSE(event.has_failed()) << event.failed().message();
  }
  request.set_cache_dir(other_cache.path());
  const v1::DecoderEvent at_once = Answer(*child, Line(request));
  ASSERT_TRUE(at_once.has_done());
  EXPECT_EQ(ReadFile(event.done().cache_path()).value(),
            ReadFile(at_once.done().cache_path()).value());
}

TEST_F(DecoderProcessTest, FileNamesOfAnyBytesAreAnswered) {
  const TestFolder source;
  WriteSmallFolder(source, 5);
  WriteBelow(source, "train/cat/\xff\xfe.png", "no picture");
  v1::DecoderRequest request = FolderRequest(source, cache_);
  const auto child = Start();
  EXPECT_TRUE(Next(*child).has_ready());
  EXPECT_THAT(Answer(*child, Line(request)).failed().message(), HasSubstr("\\xff\\xfe.png"));
  request.mutable_dataset()->mutable_image_folder()->set_maximum_unreadable(0.5);
  const v1::DecoderEvent event = Answer(*child, Line(request));
  ASSERT_TRUE(event.has_done()) << event.ShortDebugString();
  EXPECT_EQ(event.done().summary().unreadable_images(), 1);
}

}  // namespace
}  // namespace squish
