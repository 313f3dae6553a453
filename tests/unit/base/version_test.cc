#include "common/base/version.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

TEST(VersionTest, ProgramsOfOneMajorVersionWorkTogether) {
  for (const char* theirs : {"2.1.0", "2.0.0", "2.99.7", "2", "2.1.0-rc.1"}) {
    EXPECT_TRUE(CheckSameMajorVersion("2.1.0", theirs).ok()) << theirs;
  }
  EXPECT_TRUE(CheckSameMajorVersion(kVersion, kVersion).ok());
}

TEST(VersionTest, AnotherMajorVersionIsRefusedNamingBoth) {
  for (const char* theirs : {"1.9.9", "3.1.0", "22.1.0", "0.2.1"}) {
    const absl::Status status = CheckSameMajorVersion("2.1.0", theirs);
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << theirs;
    EXPECT_THAT(std::string(status.message()), HasSubstr("2.1.0"));
    EXPECT_THAT(std::string(status.message()), HasSubstr(theirs));
  }
}

TEST(VersionTest, WhatIsNoVersionFitsNone) {
  for (const char* theirs : {"", ".", "x.1", "-1.0", "99999999999.0"}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(CheckSameMajorVersion("2.1.0", theirs))) << theirs;
  }
}

}  // namespace
}  // namespace squish
