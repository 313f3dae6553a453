#include <algorithm>

#include "absl/status/status.h"
#include "common/weights/safetensors.h"
#include "common/weights/strengths.h"
#include "common/weights/tensors.h"
#include "tests/unit/worker/worker_fixture.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

class SynthesizeJobTest : public WorkerFixture {
 protected:
  SynthesizeJobTest() : executor_(MakeExecutor(Options())) {}

  Network Artifact(const std::string& digest) {
    return *Network::FromSafetensors(*ReadFile(JoinPath(Path("artifacts"), digest)));
  }

  const std::unique_ptr<WorkerExecutor> executor_;
};

TEST_F(SynthesizeJobTest, AnAncestorIsMadeStoredAndDescribed) {
  const v1::AttemptResult result = Run(*executor_, AncestorJob());
  ASSERT_TRUE(result.has_synthesize()) << result.DebugString();
  const v1::SynthesizeResult& made = result.synthesize();
  const Network network = Artifact(made.artifact());
  EXPECT_EQ(network.genome, *SqueezeNetV11(2, 0.1));
  EXPECT_EQ(made.genome_digest(), network.genome.Digest());
  EXPECT_EQ(made.architecture_digest(), network.genome.ArchitectureDigest());
  EXPECT_EQ(made.weights_digest(), WeightsDigest(network.weights));
  const Cost cost = *ComputeCost(network.genome, 32);
  EXPECT_EQ(made.parameters(), cost.parameters);
  EXPECT_EQ(made.macs(), cost.macs);
  EXPECT_EQ(made.bytes(), 4 * cost.parameters);
  EXPECT_EQ(made.birth().seed(), 3u);
  EXPECT_EQ(FilesAtWork(), 0);
}

TEST_F(SynthesizeJobTest, AnAncestorFromAFileIsThatNetwork) {
  v1::Job job = AncestorJob();
  job.mutable_synthesize()->mutable_ancestor()->set_network_digest(
      PutArtifact(TwoClasses().ToSafetensors()));
  const v1::AttemptResult result = Run(*executor_, job);
  ASSERT_TRUE(result.has_synthesize()) << result.DebugString();
  EXPECT_EQ(result.synthesize().weights_digest(), WeightsDigest(TwoClasses().weights));
  EXPECT_EQ(result.synthesize().artifact(), job.synthesize().ancestor().network_digest());
}

TEST_F(SynthesizeJobTest, AnImportedAncestorIsThoseWeightsWithAnotherHead) {
  const TensorMap weights = FreshWeights(*SqueezeNetV11(5), 99, 0, 0);
  v1::Job job = AncestorJob();
  v1::ImportedSqueezeNet& imported =
      *job.mutable_synthesize()->mutable_ancestor()->mutable_imported();
  imported.set_digest(PutArtifact(SerializeSafetensors({}, ViewOfTensors(weights))));
  for (int i = 0; i < 3; ++i) {
    imported.add_mean(0.5f);
    imported.add_std(0.2f);
  }
  const v1::AttemptResult result = Run(*executor_, job);
  ASSERT_TRUE(result.has_synthesize()) << result.DebugString();
  const Network network = Artifact(result.synthesize().artifact());
  EXPECT_EQ(network.genome, *SqueezeNetV11(2));
  EXPECT_EQ(network.weights.at("features.0.weight"), weights.at("features.0.weight"));
  EXPECT_EQ(network.preprocessing.std(0), 0.2f);
}

TEST_F(SynthesizeJobTest, ImportedWeightsThatDoNotFitAreABadArtifactNamingTheTensor) {
  TensorMap weights = FreshWeights(*SqueezeNetV11(5), 99, 0, 0);
  weights.erase("features.3.squeeze.bias");
  v1::Job job = AncestorJob();
  job.mutable_synthesize()->mutable_ancestor()->mutable_imported()->set_digest(
      PutArtifact(SerializeSafetensors({}, ViewOfTensors(weights))));
  const v1::AttemptResult result = Run(*executor_, job);
  EXPECT_EQ(result.failure().code(), v1::Failure::BAD_ARTIFACT);
  EXPECT_THAT(result.failure().message(), HasSubstr("features.3.squeeze.bias"));
  job.mutable_synthesize()->mutable_ancestor()->mutable_imported()->set_digest(
      Sha256Hex("nothing"));
  EXPECT_EQ(Run(*executor_, job).failure().code(), v1::Failure::BAD_ARTIFACT);
}

TEST_F(SynthesizeJobTest, AChildIsSmallerThanItsParentAndTheSameEachTime) {
  const v1::AttemptResult result = Run(*executor_, ChildJob());
  ASSERT_TRUE(result.has_synthesize()) << result.DebugString();
  EXPECT_LT(result.synthesize().parameters(), CountParameters(TwoClasses().genome));
  EXPECT_GT(result.synthesize().birth().survival_size(), 20);
  EXPECT_EQ(Run(*executor_, ChildJob()).SerializeAsString(), result.SerializeAsString());
}

TEST_F(SynthesizeJobTest, AParentsStrengthsDecideWhoStays) {
  v1::Job job = ChildJob();
  v1::SynthesizeJob& work = *job.mutable_synthesize();
  work.set_strategy(v1::ExperimentSpec::TAYLOR_PRUNE);
  work.mutable_synthesis()->set_strength(v1::SynthesisSpec::TAYLOR);
  work.mutable_synthesis()->set_ranking(v1::SynthesisSpec::GLOBAL);
  // Of every layer the last filters are the strongest.
  const Genome genome = TwoClasses().genome;
  TensorMap strengths;
  for (const int conv : genome.convs()) {
    const int filters = genome.conv(conv).filters();
    Tensor& taylor = strengths[TaylorName(genome.layer(conv).name)];
    taylor.shape = {filters};
    for (int i = 0; i < filters; ++i) taylor.values.push_back(static_cast<float>(i + 1) / filters);
    strengths[ActivationName(genome.layer(conv).name)] = taylor;
  }
  work.mutable_parents(0)->set_strengths(PutArtifact(SerializeStrengths(strengths)));
  const v1::AttemptResult result = Run(*executor_, job);
  ASSERT_TRUE(result.has_synthesize()) << result.DebugString();
  const Genome child = Artifact(result.synthesize().artifact()).genome;
  bool fewer = false;
  for (const int conv : child.convs()) {
    if (conv == child.head()) continue;
    const auto& kept = child.conv(conv).lineage;
    const auto& all = genome.conv(conv).lineage;
    EXPECT_TRUE(std::equal(kept.rbegin(), kept.rend(), all.rbegin())) << child.layer(conv).name;
    fewer = fewer || kept.size() < all.size();
  }
  EXPECT_TRUE(fewer);
}

TEST_F(SynthesizeJobTest, StrengthsThatAreMissingOrOfAnotherNetworkAreNamed) {
  v1::Job job = ChildJob();
  v1::SynthesizeJob& work = *job.mutable_synthesize();
  work.mutable_synthesis()->set_strength(v1::SynthesisSpec::TAYLOR);
  v1::AttemptResult result = Run(*executor_, job);
  EXPECT_EQ(result.failure().code(), v1::Failure::INTERNAL);
  EXPECT_THAT(result.failure().message(), HasSubstr("strengths are missing"));
  work.mutable_parents(0)->set_strengths(PutArtifact(SerializeStrengths({})));
  result = Run(*executor_, job);
  EXPECT_EQ(result.failure().code(), v1::Failure::BAD_ARTIFACT);
  EXPECT_THAT(result.failure().message(), HasSubstr("the filter strengths of parent 0:4: "));
}

TEST_F(SynthesizeJobTest, AParentThatIsMissingOrNoNetworkIsABadArtifactNamedByTheIndividual) {
  v1::Job job = ChildJob();
  job.mutable_synthesize()->mutable_parents(0)->set_artifact(Sha256Hex("nothing"));
  v1::AttemptResult result = Run(*executor_, job);
  EXPECT_EQ(result.failure().code(), v1::Failure::BAD_ARTIFACT);
  EXPECT_THAT(result.failure().message(), HasSubstr("parent 0:4: no artifact"));

  job.mutable_synthesize()->mutable_parents(0)->set_artifact(PutArtifact("no network at all"));
  result = Run(*executor_, job);
  EXPECT_EQ(result.failure().code(), v1::Failure::BAD_ARTIFACT);
  EXPECT_THAT(result.failure().message(), HasSubstr("parent 0:4: "));
}

TEST_F(SynthesizeJobTest, AJobThatCannotBeDoneSaysWhy) {
  v1::Job job = ChildJob();
  job.mutable_synthesize()->set_target_budget(1);
  v1::AttemptResult result = Run(*executor_, job);
  EXPECT_EQ(result.failure().code(), v1::Failure::INTERNAL);
  EXPECT_THAT(result.failure().message(), HasSubstr("minimum_filters"));

  job = AncestorJob();
  job.mutable_synthesize()->set_macs_input_size(3);
  result = Run(*executor_, job);
  EXPECT_EQ(result.failure().code(), v1::Failure::INTERNAL);
}

TEST_F(SynthesizeJobTest, AFullDiskIsAFailureOfThisWorker) {
  FakeAttempt attempt(Path("artifacts"), AncestorJob());
  attempt.store_error = absl::ResourceExhaustedError("no space left");
  const v1::AttemptResult result = executor_->Execute(attempt);
  EXPECT_EQ(result.failure().code(), v1::Failure::LOCAL_RESOURCES);
  EXPECT_THAT(result.failure().message(), HasSubstr("no space left"));
  EXPECT_EQ(FilesAtWork(), 0);
}

TEST_F(SynthesizeJobTest, AMeasurementIsNoJobForAWorker) {
  v1::Job job;
  job.mutable_measure();
  EXPECT_EQ(Run(*executor_, job).failure().code(), v1::Failure::INTERNAL);
  EXPECT_EQ(Run(*executor_, v1::Job()).failure().code(), v1::Failure::INTERNAL);
}

}  // namespace
}  // namespace squish
