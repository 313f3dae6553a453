#include "ctl/dataset_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/child/child.h"
#include "tests/support/checkout.h"
#include "tests/unit/dataset/picture_folder.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

class DatasetCommandTest : public testing::Test {
 protected:
  DatasetCommandTest() { WriteSmallFolder(folder_, 20); }

  absl::Status Run(Format format = Format::kTable) {
    std::ostringstream out, terminal;
    DatasetCheckOptions options;
    options.folder = folder_.path();
    options.input_size = 16;
    options.format = format;
    const absl::Status status = DatasetCheckCommand(options, out, &terminal);
    out_ = out.str();
    terminal_ = terminal.str();
    return status;
  }

  const TestFolder folder_;
  std::string out_, terminal_;
};

TEST_F(DatasetCommandTest, GoodFolderIsShownByClassAndSplit) {
  EXPECT_TRUE(Run().ok());
  EXPECT_THAT(out_, HasSubstr("class  train  selection  val\n"
                              "cat       16          4    2\n"
                              "dog       16          4    2\n"
                              "all       32          8    4\n"));
  EXPECT_THAT(out_, HasSubstr("44 files: 0 JPEG, 44 PNG, 0 unreadable"));
  EXPECT_THAT(out_, HasSubstr("no problems, no warnings"));
}

TEST_F(DatasetCommandTest, EverythingThatIsWrongIsShown) {
  WriteBelow(folder_, "train/cat/x\x01.png", "no picture");
  WriteBelow(folder_, "val/dog/copy.png", folder_.Read("train/dog/0.png"));
  const absl::Status status = Run();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("a run would refuse " + folder_.path()));
  EXPECT_THAT(out_, HasSubstr("train/cat/x\\x01.png: it is neither JPEG nor PNG"));
  EXPECT_THAT(out_, HasSubstr("in train/ and in val/:\n  train/dog/0.png = val/dog/copy.png"));
  EXPECT_THAT(out_, HasSubstr("problem: 1 file of 46 cannot be read"));
  EXPECT_THAT(out_, HasSubstr("warning: 1 picture is in train/ and in val/"));
}

TEST_F(DatasetCommandTest, WarningsAloneAreNoFailure) {
  WriteBelow(folder_, "val/dog/copy.png", folder_.Read("train/dog/0.png"));
  EXPECT_TRUE(Run().ok());
  EXPECT_THAT(out_, HasSubstr("warning:"));
}

TEST_F(DatasetCommandTest, LongListsAreCutInTablesOnly) {
  for (int i = 0; i < 20; ++i) {
    WriteBelow(folder_, absl::StrCat("val/dog/t", i), folder_.Read(absl::StrCat("train/dog/", i, ".png")));
    WriteBelow(folder_, absl::StrCat("val/cat/t", i), folder_.Read(absl::StrCat("train/cat/", i, ".png")));
  }
  EXPECT_TRUE(Run().ok());
  EXPECT_THAT(out_, HasSubstr("and 20 more (--format json shows all)"));
  EXPECT_TRUE(Run(Format::kJson).ok());
  EXPECT_EQ(nlohmann::json::parse(out_)["in_train_and_val"].size(), 40u);
}

TEST_F(DatasetCommandTest, JsonHasTheSame) {
  EXPECT_TRUE(Run(Format::kJson).ok());
  const nlohmann::json json = nlohmann::json::parse(out_);
  EXPECT_EQ(json["classes"][1]["name"], "dog");
  EXPECT_EQ(json["classes"][1]["selection"], 4);
  EXPECT_EQ(json["files"], 44);
  EXPECT_EQ(json["width"]["min"], 20);
  EXPECT_TRUE(json["problems"].empty());
}

TEST_F(DatasetCommandTest, CsvHasTheClassesOneALine) {
  EXPECT_TRUE(Run(Format::kCsv).ok());
  EXPECT_EQ(out_, "class,train,selection,val\ncat,16,4,2\ndog,16,4,2\n");
  std::filesystem::remove_all(folder_.File("val/dog"));
  EXPECT_EQ(Run(Format::kCsv).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(out_, HasSubstr("dog,16,4,0\n"));
}

TEST_F(DatasetCommandTest, BarGrowsOnATerminalAndIsWipedAway) {
  EXPECT_TRUE(Run().ok());
  EXPECT_THAT(terminal_, HasSubstr(Bar(1, 30) + " 100 %"));
  EXPECT_THAT(terminal_, testing::EndsWith("\r\x1b[K"));
  EXPECT_THAT(out_, testing::Not(HasSubstr("[#")));
}

// Of the program: status and what is said where.
TEST_F(DatasetCommandTest, ProgramNeedsNoCoordinator) {
  const auto run = [this](std::vector<std::string> arguments, std::string* out) {
    ChildOptions options;
    options.command = {ProgramPath("squishctl"), "dataset", "check"};
    options.command.insert(options.command.end(), arguments.begin(), arguments.end());
    options.environment = InheritedEnvironment();
    options.stdout_path = folder_.File("out");
    options.stderr_path = folder_.File("err");
    const auto child = Child::Spawn(options).value();
    const std::string status = child->CloseAndWait(absl::Seconds(60));
    *out = folder_.Read("out") + folder_.Read("err");
    return status;
  };
  std::string out;
  EXPECT_EQ(run({folder_.path(), "--input-size", "16", "--resize", "short_side_center_crop"}, &out),
            "exit status 0");
  EXPECT_THAT(out, HasSubstr("no problems"));
  EXPECT_THAT(out, testing::Not(HasSubstr("[#"))) << "stderr is a file";
  EXPECT_EQ(run({folder_.path(), "--input-size", "16", "--format", "csv"}, &out), "exit status 0");
  EXPECT_THAT(out, HasSubstr("dog,16,4,2\n"));
  EXPECT_EQ(run({folder_.File("none")}, &out), "exit status 1");
  EXPECT_THAT(out, HasSubstr("squishctl: cannot open the folder " + folder_.File("none")));
  EXPECT_EQ(run({folder_.path(), "--input-size", "7"}, &out), "exit status 2");
  EXPECT_EQ(run({folder_.path(), "--resize", "stretch"}, &out), "exit status 2");
  EXPECT_EQ(run({folder_.path(), "--format", "yaml"}, &out), "exit status 2");
  EXPECT_EQ(run({}, &out), "exit status 2");
}

}  // namespace
}  // namespace squish
