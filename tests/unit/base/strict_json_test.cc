#include "common/base/strict_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace squish {
namespace {

using ::testing::HasSubstr;

void ExpectRefused(absl::string_view text, const std::string& why,
                   const StrictJsonLimits& limits = {}) {
  const auto json = ParseStrictJson(text, limits);
  ASSERT_FALSE(json.ok()) << "accepted: " << text.substr(0, 100);
  EXPECT_EQ(json.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(json.status().message()), HasSubstr(why));
}

TEST(StrictJsonTest, ReadsEveryKindOfValue) {
  const auto json =
      ParseStrictJson(" {\"a\":[1,-2,3.5,true,false,null,\"x\"],\"b\":{\"a\":{}}}\n", {});
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(json->dump(), "{\"a\":[1,-2,3.5,true,false,null,\"x\"],\"b\":{\"a\":{}}}");
}

TEST(StrictJsonTest, WhatIsNotJsonIsRefusedWithItsPlace) {
  for (const char* text : {"", " ", "{", "[1,]", "{\"a\"}", "nul", "01", "1 2", "[1]]", "'a'",
                           "// c\n1", "\"\t\"", "NaN", "\"\xFF\"", "\"\\ud800\"", "1e999"}) {
    ExpectRefused(text, "not JSON in UTF-8 (byte ");
  }
}

TEST(StrictJsonTest, TheSameKeyInOneObjectIsRefusedAndInTwoIsFine) {
  ExpectRefused("{\"a\":1,\"b\":2,\"a\":3}", "the key \"a\" occurs twice");
  ExpectRefused("{\"a\":1,\"\\u0061\":3}", "the key \"a\" occurs twice");
  ExpectRefused("[{\"k\\n\":1,\"k\\n\":3}]", "the key \"k\\n\" occurs twice");
  EXPECT_TRUE(ParseStrictJson("[{\"a\":1},{\"a\":{\"a\":1}}]", {}).ok());
}

TEST(StrictJsonTest, LimitsAreExact) {
  StrictJsonLimits limits;
  limits.maximum_bytes = 7;
  limits.maximum_depth = 2;
  limits.maximum_values = 3;
  EXPECT_TRUE(ParseStrictJson("[[111]]", limits).ok());
  ExpectRefused("[[1111]]", "8 bytes; at most 7", limits);
  ExpectRefused("[[[]]]", "nested deeper than 2", limits);
  EXPECT_TRUE(ParseStrictJson("[1,1]", limits).ok());
  ExpectRefused("[1,1,1]", "more than 3 values", limits);
}

TEST(StrictJsonTest, DepthIsRefusedBeforeTheRestIsLookedAt) {
  std::string deep(10'000'000, '[');
  StrictJsonLimits limits;
  limits.maximum_bytes = deep.size();
  ExpectRefused(deep, "nested deeper than 8", limits);
}

}  // namespace
}  // namespace squish
