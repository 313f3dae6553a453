// What tests of the demo share: a folder with an example and stand-ins for programs.
#ifndef SQUISH_TESTS_UNIT_CTL_DEMO_FIXTURE_H_
#define SQUISH_TESTS_UNIT_CTL_DEMO_FIXTURE_H_

#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "ctl/demo_spec.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_folder.h"

namespace squish {

class DemoFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    Write("examples/demo.txtpb",
          "name: 'demo' dataset { name: 'shapes' input_size: 32 built_in { seed: 1 train_images: "
          "1000 val_images: 100 } } ancestor { squeezenet_v1_1 {} } generations: 4");
    Write("examples/demo-quick.txtpb",
          "name: 'demo-quick' dataset { name: 'shapes' input_size: 32 built_in { seed: 1 "
          "train_images: 1000 val_images: 100 } } ancestor { squeezenet_v1_1 {} } generations: 2");
    WriteProgram("worker", "exec sleep 1000");
    WriteProgram("jetson-agent", "exec sleep 1000");
    options_.examples = JoinPath(root_, "examples");
    options_.out = JoinPath(root_, "out");
  }

  void Write(const std::string& name, const std::string& content) {
    const std::string path = JoinPath(root_, name);
    ASSERT_TRUE(MakeFolder(std::filesystem::path(path).parent_path().string()).ok());
    ASSERT_TRUE(WriteFileDurably(path, content).ok());
  }
  void WriteProgram(const std::string& name, const std::string& script) {
    Write(absl::StrCat("bin/", name), absl::StrCat("#!/bin/sh\n", script, "\n"));
    ASSERT_EQ(::chmod(JoinPath(root_, absl::StrCat("bin/", name)).c_str(), 0755), 0);
  }

  const std::string root_ = TemporaryFolder();
  DemoOptions options_;
};

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_CTL_DEMO_FIXTURE_H_
