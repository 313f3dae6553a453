#include "coordinator/population/file_system.h"

#include "gtest/gtest.h"
#include "tests/support/temporary_folder.h"

namespace squish {
namespace {

TEST(FileSystemTest, OfANetworkIsNamed) {
  EXPECT_STREQ(NetworkFileSystem(0x6969), "NFS");
  // As a signed word has it, which f_type is on some machines.
  EXPECT_STREQ(NetworkFileSystem(static_cast<int32_t>(0xff534d42)), "CIFS");
  EXPECT_STREQ(NetworkFileSystem(0x0bd00bd0), "Lustre");
}

TEST(FileSystemTest, OfThisMachineIsNot) {
  for (const int64_t type : {0xef53LL, 0x01021994LL, 0x58465342LL, 0x9123683eLL, 0x794c7630LL}) {
    EXPECT_STREQ(NetworkFileSystem(type), "") << "ext4, tmpfs, xfs, btrfs, overlay";
  }
}

TEST(FileSystemTest, TestsRunOnALocalOne) {
  EXPECT_TRUE(CheckIsLocal(TemporaryFolder() + "/not-there-yet").ok());
  EXPECT_TRUE(CheckIsLocal("relative").ok());
  EXPECT_TRUE(CheckIsLocal("/no/such/folder/file").ok()) << "which is said by whoever opens it";
}

}  // namespace
}  // namespace squish
