// The demo with a fake coordinator and with scripts for workers and agent, all of them
// real processes.
#include "ctl/demo.h"

#include <signal.h>

#include <filesystem>
#include <sstream>
#include <streambuf>

#include "ctl/process_table.h"
#include "tests/support/checkout.h"
#include "tests/unit/ctl/demo_fixture.h"
#include "tests/unit/ctl/fake_experiments.h"

namespace squish {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

// Collects, and raises a signal when a text came by.
class TriggerStream : public std::stringbuf {
 public:
  void RaiseAfter(std::string text, int signal) {
    text_ = std::move(text);
    signal_ = signal;
  }

 protected:
  int sync() override {
    if (signal_ != 0 && str().find(text_) != std::string::npos) ::raise(std::exchange(signal_, 0));
    return 0;
  }

 private:
  std::string text_;
  int signal_ = 0;
};

class DemoTest : public DemoFixture {
 protected:
  void SetUp() override {
    DemoFixture::SetUp();
    WriteProgram("coordinator", absl::StrCat("exec ", TestProgramPath("fake_coordinator")));
    options_.seed = FakeExperiments::kSucceeds;
  }
  int Run() {
    std::ostream out(&out_);
    std::ostringstream errors;
    const int status = RunDemo(options_, JoinPath(root_, "bin"), out, errors);
    errors_ = errors.str();
    EXPECT_TRUE(DescendantsOf(::getpid()).empty()) << "a process was left behind";
    return status;
  }
  bool Has(const std::string& name) const { return fs::exists(JoinPath(options_.out, name)); }

  TriggerStream out_;
  std::string errors_;
};

TEST_F(DemoTest, RunsToTheEndAndWritesEverything) {
  EXPECT_EQ(Run(), 0) << errors_;
  EXPECT_EQ(errors_, "");
  const std::string out = out_.str();
  EXPECT_THAT(out, HasSubstr("         1      1  0:0           680,000   2.720    80.0 %"));
  EXPECT_THAT(out, HasSubstr("champion"));
  EXPECT_THAT(out, HasSubstr("Speeds were measured on"));
  for (const char* name : {"individuals.csv", "speeds.csv", "experiment.txtpb", "coordinator.log",
                           "worker-1.log", "worker-2.log", "agent.log"}) {
    EXPECT_TRUE(Has(name)) << name;
    EXPECT_TRUE(Has("networks"));
  }
  EXPECT_EQ(ReadFile(JoinPath(options_.out, "networks/smallest.safetensors")).value(),
            FakeExperiments::ChampionNetwork().ToSafetensors());
  EXPECT_EQ(ReadFile(JoinPath(options_.out, "networks/most-accurate.safetensors")).value(),
            "network 727626");
  EXPECT_THAT(ReadFile(JoinPath(options_.out, "individuals.csv")).value(),
              HasSubstr("fake-1,EVOLUTION,1,1,0,0:0,700000,2.800000,"));
  EXPECT_THAT(ReadFile(JoinPath(options_.out, "experiment.txtpb")).value(),
              HasSubstr("generations: 4"));
}

TEST_F(DemoTest, MayBeRunAgain) {
  EXPECT_EQ(Run(), 0) << errors_;
  EXPECT_EQ(Run(), 0) << errors_;
}

TEST_F(DemoTest, SignalsStopEverythingAndKeepWhatWasFound) {
  options_.seed = FakeExperiments::kHangs;
  for (const int signal : {SIGINT, SIGTERM}) {
    out_.str("");
    out_.RaiseAfter("727,626", signal);
    EXPECT_EQ(Run(), 128 + signal);
    EXPECT_THAT(errors_, HasSubstr("stopped by signal"));
    EXPECT_TRUE(Has("individuals.csv"));
  }
}

TEST_F(DemoTest, ProcessThatDiesEndsTheDemoAndIsNamed) {
  options_.seed = FakeExperiments::kHangs;
  WriteProgram("jetson-agent", "echo 'no such engine' >&2; exit 3");
  EXPECT_EQ(Run(), 1);
  EXPECT_THAT(errors_, HasSubstr("the agent has ended (exit status 3)"));
  EXPECT_THAT(errors_, HasSubstr("    no such engine"));
}

TEST_F(DemoTest, CoordinatorThatDiesEndsTheDemoAndIsNamed) {
  options_.seed = FakeExperiments::kCrashes;
  EXPECT_EQ(Run(), 1);
  EXPECT_THAT(errors_, HasSubstr("the coordinator has ended (exit status 9)"));
}

TEST_F(DemoTest, ExperimentThatNeedsAttentionEndsTheDemo) {
  options_.seed = FakeExperiments::kAttention;
  EXPECT_EQ(Run(), 1);
  EXPECT_THAT(errors_, HasSubstr("1:0 TRAIN is out of retries"));
}

TEST_F(DemoTest, ExperimentThatFailsEndsTheDemoWithItsReason) {
  options_.seed = FakeExperiments::kFails;
  EXPECT_EQ(Run(), 1);
  EXPECT_THAT(errors_, HasSubstr("the ancestor diverged"));
  EXPECT_TRUE(Has("individuals.csv"));
}

TEST_F(DemoTest, WrongArgumentsTouchNothing) {
  Write("not-a-network", "hello");
  options_.ancestor_weights = JoinPath(root_, "not-a-network");
  EXPECT_EQ(Run(), 1);
  EXPECT_THAT(errors_, HasSubstr("not-a-network"));
  EXPECT_FALSE(fs::exists(options_.out));
  options_.ancestor_weights = "";
  options_.offspring = 0;
  EXPECT_EQ(Run(), 1);
  EXPECT_THAT(errors_, HasSubstr("offspring"));
  EXPECT_FALSE(fs::exists(options_.out));
}

TEST_F(DemoTest, FolderWithoutWholeBatchesTouchesNothing) {
  Write("data/readme", "no batches here");
  options_.data = JoinPath(root_, "data");
  EXPECT_EQ(Run(), 1);
  EXPECT_THAT(errors_, HasSubstr("data_batch_*.bin"));
  Write("data/data_batch_1.bin", std::string(3073 + 100, 'x'));
  Write("data/test_batch.bin", std::string(3073, '\0'));
  EXPECT_EQ(Run(), 1);
  EXPECT_THAT(errors_, HasSubstr("data_batch_1.bin"));
  EXPECT_FALSE(fs::exists(options_.out));
}

TEST_F(DemoTest, WaitingThatLastsIsSaid) {
  options_.seed = FakeExperiments::kWaits;
  out_.RaiseAfter("-- WAITING_FOR_WORKER, generation 0 of 4", SIGTERM);
  EXPECT_EQ(Run(), 128 + SIGTERM);
}

TEST_F(DemoTest, MissingProgramIsNamed) {
  fs::remove(JoinPath(root_, "bin/worker"));
  EXPECT_EQ(Run(), 1);
  EXPECT_THAT(errors_, HasSubstr("bin/worker"));
}

}  // namespace
}  // namespace squish
