#include "benchmarks/swarm/answers.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/artifacts/blob_store.h"
#include "common/base/sha256.h"
#include "common/spec/experiment_spec.h"
#include "coordinator/evolution/plan.h"
#include "coordinator/service/result_check.h"
#include "tests/support/temporary_folder.h"

namespace squish {
namespace {

class AnswersTest : public testing::Test {
 protected:
  AnswersTest() {
    store_ = *BlobStore::Open(folder_);
    stand_in_ = {*store_->Put("network"), 7};
  }

  // What is wrong with the answer, as the coordinator sees it; empty: nothing.
  std::string Complaint(const v1::Job& job) {
    const v1::RunnerInfo runner =
        SwarmRunner(job.has_measure() ? v1::RunnerInfo::AGENT : v1::RunnerInfo::WORKER, 1);
    return JudgeResult(job, AnswerJob(job, runner, stand_in_), dataset_, nullptr, *store_).error;
  }

  const std::string folder_ = TemporaryFolder();
  std::unique_ptr<BlobStore> store_;
  StandIn stand_in_;
  const v1::ExperimentSpec spec_ = *CompleteExperimentSpec(SwarmSpec("swarm", 1000, 250));
  const v1::DatasetSummary dataset_ = SwarmDataset(spec_.dataset()).summary();
};

TEST_F(AnswersTest, AreAcceptedUntilTheGenerationIsClosed) {
  v1::EvolutionSummary summary;
  summary.set_closed_generation(-1);
  OpenGeneration open;
  open.individuals.resize(1);
  IndividualFacts& facts = open.individuals[0];
  while (true) {
    const Plan plan = MakePlan(spec_, dataset_, summary, open);
    ASSERT_EQ(plan.failed, "");
    if (plan.closing.has_value()) break;
    const size_t known = facts.synthesize.has_value() + facts.train.has_value();
    ASSERT_LT(known, plan.wanted.size());
    const v1::Job& job = plan.wanted[known];
    ASSERT_EQ(Complaint(job), "") << job.ShortDebugString();
    const v1::AttemptResult answer =
        AnswerJob(job, SwarmRunner(v1::RunnerInfo::AGENT, 1), stand_in_);
    if (answer.has_synthesize()) facts.synthesize = answer.synthesize();
    if (answer.has_train()) facts.train = answer.train();
    if (answer.has_measure()) facts.measure = answer.measure();
  }
}

TEST_F(AnswersTest, OfChampionsAreAcceptedToo) {
  v1::Job evaluate, hand_out;
  evaluate.mutable_key()->set_kind(v1::JobKey::EVALUATE);
  evaluate.mutable_evaluate()->set_network(stand_in_.digest);
  hand_out.mutable_key()->set_kind(v1::JobKey::EXPORT);
  hand_out.mutable_export_files()->set_network(stand_in_.digest);
  hand_out.mutable_export_files()->add_batches(8);
  EXPECT_EQ(Complaint(evaluate), "");
  EXPECT_EQ(Complaint(hand_out), "");
}

TEST_F(AnswersTest, ArePaddedToTheByte) {
  for (const int bytes : {300, 400, 1024, 4096}) {
    v1::AttemptResult result;
    result.set_attempt_id("0123456789abcdef");
    PadResult(bytes, result);
    EXPECT_EQ(static_cast<int>(result.ByteSizeLong()), bytes);
    v1::AttemptResult parsed;
    ASSERT_TRUE(parsed.ParseFromString(result.SerializeAsString()));
    EXPECT_EQ(parsed.SerializeAsString(), result.SerializeAsString());
  }
}

TEST_F(AnswersTest, LongerOnesAreLeftAlone) {
  v1::AttemptResult result;
  result.set_attempt_id(std::string(64, 'a'));
  PadResult(20, result);
  EXPECT_EQ(result.ByteSizeLong(), 66u);
}

}  // namespace
}  // namespace squish
