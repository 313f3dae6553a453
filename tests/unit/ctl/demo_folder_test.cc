#include <filesystem>

#include "ctl/demo_folder.h"

#include "tests/unit/ctl/demo_fixture.h"

namespace squish {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class DemoFolderTest : public DemoFixture {};

TEST_F(DemoFolderTest, MakesAFolderOrTakesAnEmptyOne) {
  EXPECT_TRUE(DemoFolder::Take(JoinPath(root_, "a/b")).ok());
  ASSERT_TRUE(MakeFolder(JoinPath(root_, "empty")).ok());
  EXPECT_TRUE(DemoFolder::Take(JoinPath(root_, "empty")).ok());
}

TEST_F(DemoFolderTest, ReplacesWhatAnEarlierDemoMadeAndNothingElse) {
  ASSERT_TRUE(DemoFolder::Take(options_.out).ok());
  for (const char* ours : {"population.db", "population.db-wal", "population.db.artifacts/ab/abc",
                           "individuals.csv", "worker-1.log", "networks/knee.safetensors",
                           "state/worker-1/lock"}) {
    Write(absl::StrCat("out/", ours), "x");
  }
  Write("out/my-notes.txt", "keep me");
  ASSERT_TRUE(DemoFolder::Take(options_.out).ok());
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(options_.out)) {
    files += entry.is_regular_file() ? 1 : 0;
  }
  EXPECT_EQ(files, 3) << "the mark, the lock, the notes";
  EXPECT_TRUE(fs::exists(JoinPath(options_.out, "my-notes.txt")));
}

TEST_F(DemoFolderTest, LeavesAStrangersFolderAlone) {
  Write("out/population.db", "precious");
  const auto folder = DemoFolder::Take(options_.out);
  EXPECT_EQ(folder.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(folder.status().message()), HasSubstr("--out DIR"));
  EXPECT_EQ(ReadFile(JoinPath(options_.out, "population.db")).value(), "precious");
  Write("file", "x");
  EXPECT_EQ(DemoFolder::Take(JoinPath(root_, "file")).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(DemoFolderTest, IsForOneDemoAtATime) {
  const auto first = DemoFolder::Take(options_.out);
  ASSERT_TRUE(first.ok());
  Write("out/population.db", "in use");
  const auto second = DemoFolder::Take(options_.out);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("a demo is running"));
  EXPECT_TRUE(fs::exists(JoinPath(options_.out, "population.db")));
}

}  // namespace
}  // namespace squish
