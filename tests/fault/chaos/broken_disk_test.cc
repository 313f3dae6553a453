#include "tests/fault/chaos/broken_disk.h"

#include <cerrno>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/child/child.h"
#include "gtest/gtest.h"
#include "tests/support/checkout.h"
#include "tests/support/temporary_folder.h"

namespace squish {
namespace {

// What a program that changes files on the disk says, and what it leaves.
class BrokenDiskTest : public testing::Test {
 protected:
  BrokenDiskTest() {
    EXPECT_TRUE(MakeFolder(JoinPath(folder_, "disk/spool")).ok());
    EXPECT_TRUE(MakeFolder(JoinPath(folder_, "kept")).ok());
    auto disk = BrokenDisk::Make(JoinPath(folder_, "page"));
    EXPECT_TRUE(disk.ok()) << disk.status();
    disk_ = *std::move(disk);
  }

  std::string Run(const std::string& commands) const {
    ChildOptions options;
    options.command = {"/bin/sh", "-c", commands};
    options.environment = InheritedEnvironment();
    for (const auto& [name, value] :
         disk_->Environment(ProgramPath("libsquish_broken_disk.so"), JoinPath(folder_, "disk"),
                            JoinPath(folder_, "kept"))) {
      options.environment[name] = value;
    }
    auto child = Child::Spawn(options);
    EXPECT_TRUE(child.ok()) << child.status();
    return child.ok() ? (*child)->CloseAndWait(absl::Seconds(20)) : "";
  }
  std::string OnDisk(const std::string& name) const {
    return JoinPath(folder_, absl::StrCat("disk/", name));
  }

  const std::string folder_ = TemporaryFolder();
  std::unique_ptr<BrokenDisk> disk_;
};

TEST_F(BrokenDiskTest, ASoundDiskTakesEverything) {
  EXPECT_EQ(Run(absl::StrCat("truncate -s 4 ", OnDisk("file"))), "exit status 0");
  EXPECT_EQ(ReadFile(OnDisk("file")).value_or("").size(), 4u);
  EXPECT_EQ(disk_->failed(), 0);
}

TEST_F(BrokenDiskTest, AFullDiskTakesNothingAndOtherPlacesDo) {
  disk_->Break(ENOSPC, 0);
  EXPECT_NE(Run(absl::StrCat("truncate -s 4 ", OnDisk("file"))), "exit status 0");
  EXPECT_EQ(disk_->failed(), 1);
  EXPECT_EQ(Run(absl::StrCat("truncate -s 4 ", folder_, "/elsewhere")), "exit status 0");
  disk_->Mend();
  EXPECT_EQ(Run(absl::StrCat("truncate -s 4 ", OnDisk("file"))), "exit status 0");
}

TEST_F(BrokenDiskTest, SoManyWritesSucceedFirst) {
  disk_->Break(EIO, 1);
  EXPECT_NE(Run(absl::StrCat("truncate -s 4 ", OnDisk("a"), "; truncate -s 4 ", OnDisk("b"))),
            "exit status 0");
  EXPECT_EQ(ReadFile(OnDisk("a")).value_or("").size(), 4u);
  EXPECT_EQ(ReadFile(OnDisk("b")).value_or("?"), "");
}

TEST_F(BrokenDiskTest, AResultThatLeavesASpoolIsKept) {
  ASSERT_TRUE(WriteFileDurably(OnDisk("spool/abc.pb"), "result").ok());
  ASSERT_TRUE(WriteFileDurably(OnDisk("abc.pb"), "no result").ok());
  EXPECT_EQ(Run(absl::StrCat("unlink ", OnDisk("spool/abc.pb"))), "exit status 0");
  EXPECT_EQ(Run(absl::StrCat("unlink ", OnDisk("abc.pb"))), "exit status 0");
  EXPECT_TRUE(absl::IsNotFound(ReadFile(OnDisk("spool/abc.pb")).status()));
  EXPECT_EQ(ReadFile(JoinPath(folder_, "kept/abc.pb")).value_or(""), "result");
  EXPECT_TRUE(absl::IsNotFound(ReadFile(JoinPath(folder_, "kept/no.pb")).status()));
}

}  // namespace
}  // namespace squish
