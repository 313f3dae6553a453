#include "worker/synthesis/synthesis.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/genome/ancestors.h"
#include "common/genome/cost.h"
#include "gtest/gtest.h"
#include "tests/support/random_genome.h"
#include "tests/support/sanitized.h"
#include "tests/unit/synthesis/synthesis_fixtures.h"

namespace squish {
namespace {

v1::SynthesizeJob AncestorJob() {
  v1::SynthesizeJob job;
  job.set_seed(5);
  job.mutable_ancestor()->mutable_squeezenet_v1_1();
  for (int i = 0; i < 10; ++i) job.add_class_names(absl::StrCat("class ", i));
  job.mutable_preprocessing()->set_input_size(64);
  job.mutable_preprocessing()->set_resize(v1::SQUASH);
  for (int i = 0; i < 3; ++i) {
    job.mutable_preprocessing()->add_mean(0.5f);
    job.mutable_preprocessing()->add_std(0.25f);
  }
  return job;
}

TEST(AncestorTest, IsSqueezeNetWithFreshWeightsForTheClasses) {
  const v1::SynthesizeJob job = AncestorJob();
  const auto ancestor = Synthesize(job, Key(0, 0), {}, nullptr);
  ASSERT_TRUE(ancestor.ok()) << ancestor.status();
  EXPECT_EQ(ancestor->network.genome, *SqueezeNetV11(10));
  EXPECT_EQ(CountParameters(ancestor->network.genome), 727626);
  EXPECT_EQ(ancestor->network.weights, FreshWeights(ancestor->network.genome, 5, 0, 0));
  EXPECT_EQ(ancestor->network.class_names.size(), 10u);
  EXPECT_EQ(ancestor->network.class_names[3], "class 3");
  EXPECT_EQ(ancestor->network.preprocessing.input_size(), 64);
  EXPECT_EQ(ancestor->birth.seed(), 5u);
  const auto read = Network::FromSafetensors(ancestor->network.ToSafetensors());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->weights, ancestor->network.weights);
}

TEST(AncestorTest, WidthScalesEveryLayerButTheHead) {
  v1::SynthesizeJob job = AncestorJob();
  job.mutable_ancestor()->mutable_squeezenet_v1_1()->set_width(0.25);
  const auto ancestor = Synthesize(job, Key(0, 0), {}, nullptr);
  ASSERT_TRUE(ancestor.ok()) << ancestor.status();
  EXPECT_EQ(ancestor->network.genome, *SqueezeNetV11(10, 0.25));
  job.mutable_ancestor()->mutable_squeezenet_v1_1()->set_width(1.5);
  EXPECT_EQ(Synthesize(job, Key(0, 0), {}, nullptr).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(AncestorTest, ANetworkFileIsTakenAsItIsForTheSameClasses) {
  v1::SynthesizeJob job = AncestorJob();
  job.mutable_ancestor()->set_network_digest(std::string(64, 'a'));
  const Network file = TrainedSqueezeNet(0.25);
  const auto ancestor = Synthesize(job, Key(0, 0), {}, &file);
  ASSERT_TRUE(ancestor.ok()) << ancestor.status();
  EXPECT_EQ(ancestor->network.genome, file.genome);
  EXPECT_EQ(ancestor->network.weights, file.weights);
  EXPECT_EQ(ancestor->network.preprocessing.input_size(), 64) << "the job's, not the file's";
}

TEST(AncestorTest, ANetworkFileForOtherClassesIsRefused) {
  v1::SynthesizeJob job = AncestorJob();
  job.mutable_ancestor()->set_network_digest(std::string(64, 'a'));
  Network file = TrainedSqueezeNet(0.25);
  std::swap(file.class_names[0], file.class_names[1]);
  const auto swapped = Synthesize(job, Key(0, 0), {}, &file);
  EXPECT_EQ(swapped.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(swapped.status().message(), "class")) << swapped.status();
  const Network few = RandomNetwork(*SqueezeNetV11(9, 0.25), 1);
  EXPECT_EQ(Synthesize(job, Key(0, 0), {}, &few).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Synthesize(job, Key(0, 0), {}, nullptr).status().code(),
            absl::StatusCode::kInvalidArgument);
}

// Somebody's weights for five classes.
ImportedNetwork Somebodys() {
  Genome genome = *SqueezeNetV11(5);
  TensorMap weights = FreshWeights(genome, 99, 0, 0);
  return {std::move(genome), std::move(weights)};
}

v1::SynthesizeJob ImportJob() {
  v1::SynthesizeJob job = AncestorJob();
  v1::ImportedSqueezeNet& imported = *job.mutable_ancestor()->mutable_imported();
  for (int i = 0; i < 3; ++i) {
    imported.add_mean(0.1f * i);
    imported.add_std(0.2f);
  }
  imported.set_licence("Apache-2.0");
  imported.set_note("has seen everything");
  return job;
}

TEST(ImportedAncestorTest, KeepsEveryWeightButTheHeads) {
  const v1::SynthesizeJob job = ImportJob();
  const ImportedNetwork somebodys = Somebodys();
  const auto network = AdoptImported(job, Key(0, 0), somebodys);
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_EQ(network->genome, *SqueezeNetV11(10));
  ASSERT_TRUE(CheckWeights(network->genome, network->weights).ok());
  const TensorMap fresh = FreshWeights(network->genome, job.seed(), 0, 0);
  int kept = 0;
  for (const auto& [name, tensor] : network->weights) {
    if (absl::StartsWith(name, "classifier.1.")) {
      EXPECT_EQ(tensor, fresh.at(name)) << "a new head for the data's classes";
    } else {
      EXPECT_EQ(tensor, somebodys.weights.at(name)) << name;
      ++kept;
    }
  }
  EXPECT_EQ(kept, 50);
}

TEST(ImportedAncestorTest, IsNormalisedAsItsWeightsWereAndCarriesWhereTheyComeFrom) {
  const v1::SynthesizeJob job = ImportJob();
  const Network network = *AdoptImported(job, Key(0, 0), Somebodys());
  const auto ancestor = Synthesize(job, Key(0, 0), {}, &network);
  ASSERT_TRUE(ancestor.ok()) << ancestor.status();
  EXPECT_EQ(ancestor->network.preprocessing.mean(1), 0.1f) << "not the data set's 0.5";
  EXPECT_EQ(ancestor->network.preprocessing.std(1), 0.2f);
  EXPECT_EQ(ancestor->network.preprocessing.input_size(), 64);
  EXPECT_EQ(ancestor->network.provenance.licence(), "Apache-2.0");
  v1::SynthesizeJob child_job = ChildJob(ancestor->network);
  *child_job.mutable_class_names() = job.class_names();
  const auto child = SynthesizeChild(child_job, Key(1, 0), ancestor->network);
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(child->network.provenance.note(), "has seen everything");
  const auto read = Network::FromSafetensors(child->network.ToSafetensors());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->provenance.note(), "has seen everything");
  EXPECT_EQ(read->provenance.licence(), "Apache-2.0");
}

TEST(ImportedAncestorTest, ForAnImpossibleNumberOfClassesIsRefused) {
  v1::SynthesizeJob job = ImportJob();
  job.clear_class_names();
  EXPECT_EQ(AdoptImported(job, Key(0, 0), Somebodys()).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ChildTest, WithNothingToRemoveIsItsParentBitForBit) {
  for (const double selectivity : {0.02, 1.0}) {
    const Network parent = TrainedSqueezeNet(0.25);
    v1::SynthesizeJob job = ChildJob(parent);
    job.mutable_synthesis()->set_selectivity(selectivity);
    job.mutable_environment()->set_resource_factor(1.0);
    job.set_target_budget(CountParameters(parent.genome));
    const auto child = SynthesizeChild(job, Key(1, 0), parent);
    ASSERT_TRUE(child.ok()) << child.status();
    EXPECT_EQ(child->network.ToSafetensors(), parent.ToSafetensors());
  }
}

TEST(ChildTest, BirthRecordSaysHowItCameToBe) {
  const Network parent = TrainedSqueezeNet(0.25);
  const v1::SynthesizeJob job = ChildJob(parent);
  const auto child = SynthesizeChild(job, Key(1, 0), parent);
  ASSERT_TRUE(child.ok()) << child.status();
  const v1::BirthRecord& birth = child->birth;
  EXPECT_EQ(birth.seed(), 7u);
  EXPECT_EQ(birth.resource_factor(), 0.9);
  EXPECT_GT(birth.kappa(), 0.9);
  EXPECT_EQ(birth.target_budget(), job.target_budget());
  EXPECT_NEAR(birth.expected_budget() / job.target_budget(), 1.0, 1e-6);
  ASSERT_EQ(birth.survival_size(), static_cast<int>(parent.genome.convs().size()));
  for (int i = 0; i < birth.survival_size(); ++i) {
    const int layer = parent.genome.convs()[i];
    EXPECT_EQ(birth.survival(i).layer(), parent.genome.layer(layer).name);
    EXPECT_EQ(birth.survival(i).before(), parent.genome.conv(layer).filters());
    EXPECT_EQ(birth.survival(i).after(), child->network.genome.conv(layer).filters());
  }
}

TEST(ChildTest, LiteralTakesRAsKappaAndHasNoTarget) {
  const Network parent = TrainedSqueezeNet(0.25);
  v1::SynthesizeJob job = ChildJob(parent);
  job.mutable_environment()->set_calibration(v1::EnvironmentSpec::LITERAL);
  const auto child = SynthesizeChild(job, Key(1, 0), parent);
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(child->birth.kappa(), 0.9);
  EXPECT_EQ(child->birth.target_budget(), 0.0);
  EXPECT_GT(child->birth.expected_budget(), 0.0);
}

TEST(ChildTest, TheHeadAndTheFloorsStayAndMultiplesHold) {
  const Network parent = TrainedSqueezeNet(0.5);
  v1::SynthesizeJob job = ChildJob(parent);
  job.mutable_synthesis()->set_minimum_filters(6);
  job.mutable_synthesis()->set_filter_multiple(8);
  job.mutable_environment()->set_calibration(v1::EnvironmentSpec::LITERAL);
  job.mutable_environment()->set_resource_factor(0.3);
  for (int index = 0; index < 20; ++index) {
    const auto child = SynthesizeChild(job, Key(1, index), parent);
    ASSERT_TRUE(child.ok()) << child.status();
    const Genome& genome = child->network.genome;
    EXPECT_EQ(genome.conv(genome.head()), parent.genome.conv(genome.head()));
    for (const int layer : genome.convs()) {
      if (layer == genome.head()) continue;
      const int filters = genome.conv(layer).filters();
      EXPECT_TRUE(filters % 8 == 0 || filters == 6) << filters;
    }
  }
}

TEST(ChildTest, ReinitializedKeepsTheArchitectureAndDrawsTheWeights) {
  const Network parent = TrainedSqueezeNet(0.25);
  v1::SynthesizeJob job = ChildJob(parent);
  const auto inherited = SynthesizeChild(job, Key(2, 1), parent);
  job.mutable_synthesis()->set_inheritance(v1::SynthesisSpec::REINITIALIZE);
  const auto fresh = SynthesizeChild(job, Key(2, 1), parent);
  ASSERT_TRUE(inherited.ok() && fresh.ok());
  EXPECT_EQ(fresh->network.genome, inherited->network.genome);
  EXPECT_EQ(fresh->network.weights, FreshWeights(fresh->network.genome, 7, 2, 1));
}

TEST(ChildTest, IsAFunctionOfSeedGenerationAndIndex) {
  const Network parent = TrainedSqueezeNet(0.25);
  v1::SynthesizeJob job = ChildJob(parent);
  const auto digest = [&](const v1::JobKey& key) {
    return SynthesizeChild(job, key, parent)->network.genome.Digest();
  };
  const std::string first = digest(Key(1, 0));
  EXPECT_EQ(digest(Key(1, 0)), first);
  EXPECT_NE(digest(Key(1, 1)), first);
  EXPECT_NE(digest(Key(2, 0)), first);
  job.set_seed(8);
  EXPECT_NE(digest(Key(1, 0)), first);
}

// A cluster's draw is named by its lineage: whether other clusters are already gone
// changes nothing.
TEST(ChildTest, ADrawBelongsToTheLineage) {
  const Genome whole = *Genome::Create({{"input", {}, Input{3}},
                                        {"a", {0}, Conv2d{1, 1, 0, {0, 1, 2, 3, 4, 5, 6, 7}}},
                                        {"head", {1}, Conv2d{1, 1, 0, {0, 1}}},
                                        {"pool", {2}, GlobalAveragePool{}}});
  std::vector<std::vector<int>> keep(whole.size());
  keep[1] = {1, 3, 5, 7};
  const auto survivors = [](const Genome& genome, int index) {
    Network parent = RandomNetwork(genome, 1);
    for (float& value : parent.weights.at("a.weight").values) value = 1.0f;  // Equal strengths.
    v1::SynthesizeJob job = ChildJob(parent);
    job.mutable_synthesis()->set_minimum_filters(1);
    job.mutable_environment()->set_calibration(v1::EnvironmentSpec::LITERAL);
    job.mutable_environment()->set_resource_factor(0.5);
    const auto child = SynthesizeChild(job, Key(1, index), parent);
    EXPECT_TRUE(child.ok()) << child.status();
    return child->network.genome.conv(1).lineage;
  };
  const Genome odd = *whole.Prune(keep);
  int compared = 0;
  for (int index = 0; index < 50; ++index) {
    std::vector<int> of_whole;
    for (const int c : survivors(whole, index)) {
      if (c % 2 == 1) of_whole.push_back(c);
    }
    if (of_whole.empty()) continue;  // There the floor decides.
    EXPECT_EQ(survivors(odd, index), of_whole) << index;
    ++compared;
  }
  EXPECT_GT(compared, 30);
}

// Thirty generations of BUDGET follow the path, whoever the parents are.
TEST(ChildTest, NoiseDoesNotDriftOverGenerations) {
  Network parent = TrainedSqueezeNet(0.25);
  const double start = CountParameters(parent.genome);
  for (int generation = 1; generation <= 30; ++generation) {
    v1::SynthesizeJob job = ChildJob(parent);
    job.mutable_synthesis()->set_minimum_filters(1);
    job.set_target_budget(start * std::pow(0.95, generation));
    auto child = SynthesizeChild(job, Key(generation, 0), parent);
    ASSERT_TRUE(child.ok()) << child.status();
    EXPECT_NEAR(CountParameters(child->network.genome) / job.target_budget(), 1.0, 0.15)
        << "generation " << generation;
    parent = std::move(child->network);
  }
}

// Of children of `parent`, each as Synthesize makes it.
struct Children {
  double mean_budget = 0;
  // The mean number of filters of the layer that comes nearest to `minimum_filters`.
  double fewest_filters = std::numeric_limits<double>::infinity();
};

Children SynthesizeMany(const v1::SynthesizeJob& job, const Network& parent, int count) {
  const bool macs = job.environment().resource() == v1::EnvironmentSpec::MACS;
  Children children;
  std::map<std::string, double> filters;
  for (int index = 0; index < count; ++index) {
    const auto child = SynthesizeChild(job, Key(1, index), parent);
    EXPECT_TRUE(child.ok()) << child.status();
    if (!child.ok()) return {};
    const Genome& genome = child->network.genome;
    children.mean_budget +=
        static_cast<double>(macs ? ComputeCost(genome, job.macs_input_size())->macs
                                 : CountParameters(genome)) /
        count;
    for (const FilterGroup& group : genome.groups()) {
      if (!group.prunable) continue;
      const int layer = group.layers.front();
      filters[genome.layer(layer).name] += static_cast<double>(genome.conv(layer).filters()) / count;
    }
  }
  for (const auto& [layer, mean] : filters) {
    children.fewest_filters = std::min(children.fewest_filters, mean);
  }
  return children;
}

TEST(ChildTest, TheMeanOfAThousandIsTheTargetAlsoAtASmallT) {
  const Network parent = TrainedSqueezeNet(0.125);
  v1::SynthesizeJob job = ChildJob(parent);
  job.mutable_synthesis()->set_selectivity(0.02);
  job.mutable_synthesis()->set_minimum_filters(1);
  const Children children = SynthesizeMany(job, parent, 1000);
  EXPECT_NEAR(children.mean_budget / job.target_budget(), 1.0, 0.01);
  EXPECT_GT(children.fewest_filters, 1.5) << "a layer is at its floor";
}

// As BudgetEnvironmentTest's, with the draws of synthesis itself; of genomes that are
// small enough for whole children to be made by the thousand.
TEST(ChildTest, TheMeanOfAThousandIsTheTargetForRandomGenomes) {
  // Instrumented code is far slower: there it runs for one genome, and is judged by all elsewhere.
  constexpr int64_t kMostParameters = 20000;
  int checked = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const Genome genome = Widened(RandomGenome(seed), 8);
    if (CountParameters(genome) > kMostParameters) continue;
    if (kSanitized && checked > 0) break;
    const Network parent = TrainedLike(RandomNetwork(genome, seed), seed);
    v1::SynthesizeJob job = ChildJob(parent);
    ASSERT_EQ(job.synthesis().filter_multiple(), 1);
    job.set_seed(seed);
    job.set_macs_input_size(SmallestInputSize(genome));
    const bool macs = seed % 2 == 0;
    job.mutable_environment()->set_resource(macs ? v1::EnvironmentSpec::MACS
                                                 : v1::EnvironmentSpec::PARAMETERS);
    job.set_target_budget(0.928 *
                          static_cast<double>(macs ? ComputeCost(genome, job.macs_input_size())->macs
                                                   : CountParameters(genome)));
    for (const double selectivity : {0.02, 1.0}) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << ", T " << selectivity);
      job.mutable_synthesis()->set_selectivity(selectivity);
      const Children children = SynthesizeMany(job, parent, 1000);
      EXPECT_NEAR(children.mean_budget / job.target_budget(), 1.0, 0.01);
      EXPECT_GT(children.fewest_filters, 4.5) << "a layer is at its floor of 4";
      ++checked;
    }
  }
  EXPECT_EQ(checked, kSanitized ? 2 : 18) << "two for each genome that is small enough";
}

TEST(ChildTest, InputsThatDoNotFitAreRefusedByName) {
  const Network parent = TrainedSqueezeNet(0.125);
  struct Case {
    const char* expected;
    std::function<void(v1::SynthesizeJob&)> spoil;
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Case> cases = {
      {"selectivity", [](auto& job) { job.mutable_synthesis()->set_selectivity(0); }},
      {"selectivity", [&](auto& job) { job.mutable_synthesis()->set_selectivity(nan); }},
      {"truncation", [](auto& job) { job.mutable_synthesis()->set_truncation(-1); }},
      {"minimum_filters", [](auto& job) { job.mutable_synthesis()->set_minimum_filters(0); }},
      {"filter_multiple", [](auto& job) { job.mutable_synthesis()->set_filter_multiple(0); }},
      {"filter_multiple", [](auto& job) { job.mutable_synthesis()->set_filter_multiple(65); }},
      {"tagging", [](auto& job) { job.mutable_synthesis()->set_mates(2); }},
      {"tagging",
       [&](auto& job) {
         job.mutable_synthesis()->set_mates(2);
         job.mutable_synthesis()->set_tagging(nan);
       }},
      {"shares", [&](auto& job) { job.mutable_synthesis()->add_shares(nan); }},
      {"strength", [](auto& job) { job.mutable_synthesis()->clear_strength(); }},
      {"ranking", [](auto& job) { job.mutable_synthesis()->clear_ranking(); }},
      {"inheritance", [](auto& job) { job.mutable_synthesis()->clear_inheritance(); }},
      {"resource_factor", [](auto& job) { job.mutable_environment()->set_resource_factor(1.1); }},
      {"resource_factor", [&](auto& job) { job.mutable_environment()->set_resource_factor(nan); }},
      {"calibration", [](auto& job) { job.mutable_environment()->clear_calibration(); }},
      {"resource ", [](auto& job) { job.mutable_environment()->clear_resource(); }},
      {"target_budget", [](auto& job) { job.set_target_budget(0); }},
      {"target_budget", [&](auto& job) { job.set_target_budget(nan); }},
      {"class", [](auto& job) { job.add_class_names("one more"); }},
      {"parents", [](auto& job) { job.add_parents(); }},
      {"",
       [](auto& job) {
         job.mutable_environment()->set_resource(v1::EnvironmentSpec::MACS);
         job.set_macs_input_size(1);
       }},
  };
  for (const Case& test : cases) {
    v1::SynthesizeJob job = ChildJob(parent);
    test.spoil(job);
    const auto child = SynthesizeChild(job, Key(1, 0), parent);
    EXPECT_EQ(child.status().code(), absl::StatusCode::kInvalidArgument) << test.expected;
    EXPECT_TRUE(absl::StrContains(child.status().message(), test.expected)) << child.status();
  }
  Network broken = parent;
  broken.weights.erase("features.0.bias");
  EXPECT_EQ(SynthesizeChild(ChildJob(parent), Key(1, 0), broken).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ChildTest, AnUnreachableBudgetIsAFailedPrecondition) {
  const Network parent = TrainedSqueezeNet(0.125);
  v1::SynthesizeJob job = ChildJob(parent);
  job.set_target_budget(10);
  EXPECT_EQ(SynthesizeChild(job, Key(1, 0), parent).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

// --- Expected digests. They are the same on every machine and must never change: a
// change here makes every recorded evolution another one.

struct Expected {
  v1::EnvironmentSpec::Calibration calibration;
  v1::SynthesisSpec::Inheritance inheritance;
  double selectivity;
  const char* genome;
  const char* weights;
};

TEST(SynthesisDigestTest, AreAsExpected) {
  const Network parent = TrainedSqueezeNet(0.25);
  EXPECT_EQ(WeightsDigest(parent.weights),
            "aea3c8a8e86d414dbc83e1cf299899c828e7bffecc835b12f9beaa58f53a0ff2");
  const Expected all[] = {
      {v1::EnvironmentSpec::BUDGET, v1::SynthesisSpec::INHERIT, 1.0,
       "6e52754a26dae508735ffe41137363af04c89e951723e6a25e10e9bb6a69635a",
       "01d34bef8f1c2db7c10ad0f50ef8c3ac64543d8a5ede0ad8517989f73b691a23"},
      {v1::EnvironmentSpec::BUDGET, v1::SynthesisSpec::REINITIALIZE, 0.02,
       "ce9c0a50d71f32f8ec4857aea0b40a6796a411038cb48ad8df0be1d19b61d411",
       "0fc0fb3629a06fa9f1981f8d70f5fc6868e3fe53b9712c8a12d37b0b590756bd"},
      {v1::EnvironmentSpec::LITERAL, v1::SynthesisSpec::INHERIT, 0.3,
       "88a8fa8027eae779587095a03e4004affbc94dc9680131e8a89fd09a0911c8ca",
       "3bcf8f92b7bb8d13067440009c9d4a9c93856053058d123e0e9764b885a5da35"},
      {v1::EnvironmentSpec::LITERAL, v1::SynthesisSpec::REINITIALIZE, 1.0,
       "ed9d6ec4447fca1973eaedac9e287a6b16388599bc38f19675cf6f561996a431",
       "54dc6e08341924051084e7941e7eef0a98675d9ce85a91cd0f3a114b6dd1b3fb"},
  };
  for (const Expected& expected : all) {
    v1::SynthesizeJob job = ChildJob(parent);
    job.mutable_environment()->set_calibration(expected.calibration);
    job.mutable_synthesis()->set_inheritance(expected.inheritance);
    job.mutable_synthesis()->set_selectivity(expected.selectivity);
    const auto child = SynthesizeChild(job, Key(3, 2), parent);
    ASSERT_TRUE(child.ok()) << child.status();
    EXPECT_EQ(child->network.genome.Digest(), expected.genome);
    EXPECT_EQ(WeightsDigest(child->network.weights), expected.weights);
  }
}

// Milliseconds that follow from the layer's place alone.
void AddProfile(const Genome& genome, v1::ParentNetwork& parent) {
  for (const int layer : genome.convs()) {
    v1::LayerTime& time = *parent.add_profile();
    time.set_layer(genome.layer(layer).name);
    time.set_milliseconds(0.1 * (layer % 5 + 1));
  }
}

TEST(SynthesisTest, ABudgetOfTimeIsMetByTheParentsProfile) {
  const Network parent = TrainedSqueezeNet(0.25);
  v1::SynthesizeJob job = ChildJob(parent);
  AddProfile(parent.genome, *job.mutable_parents(0));
  double whole = 0;
  for (const v1::LayerTime& time : job.parents(0).profile()) whole += time.milliseconds();
  job.mutable_environment()->set_resource(v1::EnvironmentSpec::TIME);
  job.set_target_budget(0.8 * whole);
  const v1::ExperimentSpec::Strategy strategies[] = {
      v1::ExperimentSpec::EVOLUTION, v1::ExperimentSpec::RANDOM, v1::ExperimentSpec::L1_PRUNE,
      v1::ExperimentSpec::NETADAPT};
  for (const auto strategy : strategies) {
    SCOPED_TRACE(v1::ExperimentSpec::Strategy_Name(strategy));
    job.set_strategy(strategy);
    const auto child = SynthesizeChild(job, Key(1, 0), parent);
    ASSERT_TRUE(child.ok()) << child.status();
    EXPECT_NEAR(child->birth.expected_budget() / job.target_budget(), 1.0, 0.02);
    EXPECT_LT(CountParameters(child->network.genome), CountParameters(parent.genome));
  }
  job.mutable_parents(0)->clear_profile();
  EXPECT_EQ(SynthesizeChild(job, Key(1, 0), parent).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(SynthesisTest, MultipliersMoveWhatIsLostToWhereItCosts) {
  const Network parent = TrainedSqueezeNet(0.25);
  v1::SynthesizeJob job = ChildJob(parent);
  job.mutable_synthesis()->set_ranking(v1::SynthesisSpec::GLOBAL);
  job.set_target_budget(0.7 * CountParameters(parent.genome));
  const auto filters_left = [&] {
    int64_t filters = 0;
    const auto child = SynthesizeChild(job, Key(1, 0), parent);
    EXPECT_TRUE(child.ok()) << child.status();
    EXPECT_NEAR(child->birth.expected_budget() / job.target_budget(), 1.0, 1e-6);
    for (const int layer : child->network.genome.convs()) {
      filters += child->network.genome.conv(layer).filters();
    }
    return filters;
  };
  const int64_t before = filters_left();
  job.mutable_synthesis()->mutable_multipliers()->set_share(v1::EnvironmentSpec::PARAMETERS);
  job.mutable_synthesis()->mutable_multipliers()->set_exponent(1);
  EXPECT_GT(filters_left(), before) << "expensive ones go first, so fewer have to";
}

// The first child is that of greedy pruning by the same worth; the others are drawn.
TEST(SynthesisTest, FirstChildMayBeTheMostProbable) {
  const Network parent = TrainedSqueezeNet(0.25);
  v1::SynthesizeJob job = ChildJob(parent);
  job.mutable_synthesis()->set_ranking(v1::SynthesisSpec::GLOBAL);
  job.mutable_synthesis()->mutable_multipliers()->set_share(v1::EnvironmentSpec::PARAMETERS);
  job.mutable_synthesis()->mutable_multipliers()->set_exponent(0.5);
  job.set_target_budget(0.7 * CountParameters(parent.genome));
  const auto digest_of = [&](int index) {
    const auto child = SynthesizeChild(job, Key(1, index), parent);
    EXPECT_TRUE(child.ok()) << child.status();
    return child->network.genome.Digest();
  };
  const std::string drawn_first = digest_of(0), drawn_second = digest_of(1);
  job.mutable_synthesis()->set_draw(v1::SynthesisSpec::FIRST_MOST_PROBABLE);
  EXPECT_NE(digest_of(0), drawn_first);
  EXPECT_EQ(digest_of(1), drawn_second);
  const std::string most_probable = digest_of(0);
  job.set_strategy(v1::ExperimentSpec::TAYLOR_PRUNE);
  EXPECT_EQ(digest_of(0), most_probable);
}

TEST(SynthesisTest, MostProbableChildrenDifferByWhatIsDrawnForLayers) {
  const Network parent = TrainedSqueezeNet(0.25);
  v1::SynthesizeJob job = ChildJob(parent);
  v1::SynthesisSpec& synthesis = *job.mutable_synthesis();
  synthesis.set_ranking(v1::SynthesisSpec::GLOBAL);
  synthesis.set_draw(v1::SynthesisSpec::MOST_PROBABLE);
  synthesis.mutable_multipliers()->set_share(v1::EnvironmentSpec::PARAMETERS);
  synthesis.mutable_multipliers()->set_exponent(0.5);
  job.set_target_budget(0.7 * CountParameters(parent.genome));
  const auto child_of = [&](int index) {
    auto child = SynthesizeChild(job, Key(1, index), parent);
    EXPECT_TRUE(child.ok()) << child.status();
    return child->network.genome;
  };
  const std::string first = child_of(0).Digest();
  EXPECT_EQ(child_of(1).Digest(), first);
  synthesis.mutable_multipliers()->set_spread(0.5);
  EXPECT_EQ(child_of(0).Digest(), first);
  std::set<std::string> digests;
  for (int index = 0; index < 4; ++index) {
    const Genome child = child_of(index);
    digests.insert(child.Digest());
    EXPECT_LE(CountParameters(child), job.target_budget());
    EXPECT_GT(CountParameters(child), 0.95 * job.target_budget());
  }
  EXPECT_EQ(digests.size(), 4u);
  EXPECT_EQ(child_of(3).Digest(), child_of(3).Digest());
}

struct OtherExpected {
  const char* what;
  std::function<void(v1::SynthesizeJob&)> change;
  const char* genome;
};

TEST(SynthesisDigestTest, OfEveryOtherWayAreAsExpected) {
  // Two children of one network: what they lost differs.
  const Network first = TrainedSqueezeNet(0.25);
  v1::SynthesizeJob job = ChildJob(first);
  std::vector<Parent> parents;
  for (int index = 0; index < 2; ++index) {
    parents.push_back({SynthesizeChild(job, Key(1, index), first)->network, std::nullopt});
    parents.back().strengths.emplace();
    const Genome& genome = parents.back().network.genome;
    for (const int layer : genome.convs()) {
      const int filters = genome.conv(layer).filters();
      Tensor tensor{{filters}, {}};
      for (int c = 0; c < filters; ++c) tensor.values.push_back(static_cast<float>(c % 7 + index));
      (*parents.back().strengths)[genome.layer(layer).name + ".taylor"] = tensor;
    }
  }
  job.set_target_budget(0.8 * CountParameters(first.genome));
  const OtherExpected all[] = {
      {"two parents",
       [](auto& job) {
         job.mutable_synthesis()->set_mates(2);
         job.mutable_synthesis()->set_tagging(0.5);
       },
       "d149fa419e342a7e3e4d37dcc66d71fff1e2983534dffa72e958e2732b3ca08e"},
      {"two parents, those that both have, by Taylor and global rank",
       [](auto& job) {
         job.mutable_synthesis()->set_mates(2);
         job.mutable_synthesis()->set_tagging(1);
         job.mutable_synthesis()->set_strength(v1::SynthesisSpec::TAYLOR);
         job.mutable_synthesis()->set_ranking(v1::SynthesisSpec::GLOBAL);
         job.mutable_synthesis()->set_selectivity(0.1);
       },
       "16dd45c816469408471bd25b336ea9e2231603f5af49fabe3f6954ca1ead4b6c"},
      {"L1_PRUNE", [](auto& job) { job.set_strategy(v1::ExperimentSpec::L1_PRUNE); },
       "330145660fa88ce1360e84f780a6d4d07cfae1e6bfff512b6453a29b9222cb74"},
      {"TAYLOR_PRUNE",
       [](auto& job) {
         job.set_strategy(v1::ExperimentSpec::TAYLOR_PRUNE);
         job.mutable_synthesis()->set_strength(v1::SynthesisSpec::TAYLOR);
         job.mutable_synthesis()->set_ranking(v1::SynthesisSpec::GLOBAL);
       },
       "a0f770fc4ee7435470f1e6c5decb69d5bd6808ff5b71f625d0edd3b8053a1e1e"},
      {"NETADAPT",
       [](auto& job) {
         job.set_strategy(v1::ExperimentSpec::NETADAPT);
         job.mutable_synthesis()->set_strength(v1::SynthesisSpec::L2);
       },
       "f2272be8c9058f2b3ce454fff362ea486c7bd92b27d0a84f6cb4a57159d65ec1"},
      {"worth by parameters",
       [](auto& job) {
         job.mutable_synthesis()->set_strength(v1::SynthesisSpec::TAYLOR);
         job.mutable_synthesis()->set_ranking(v1::SynthesisSpec::GLOBAL);
         job.mutable_synthesis()->set_selectivity(0.1);
         job.mutable_synthesis()->mutable_multipliers()->set_share(
             v1::EnvironmentSpec::PARAMETERS);
         job.mutable_synthesis()->mutable_multipliers()->set_exponent(0.5);
       },
       "e3bf5bbd070f5cfe5f85fe7d0a5755f92c26b8fdff882d4d62f40389b6018dac"},
      {"multipliers by MACs",
       [](auto& job) {
         job.mutable_synthesis()->mutable_multipliers()->set_share(v1::EnvironmentSpec::MACS);
         job.mutable_synthesis()->mutable_multipliers()->set_exponent(0.25);
       },
       "cc7a21e8f2c4165fb9302ead903d1e7994b9e04d4c461d2806a17822427fe5ff"},
      {"RANDOM", [](auto& job) { job.set_strategy(v1::ExperimentSpec::RANDOM); },
       "010ab1401d66b1dd6c57af125def8f4e9e1b36deef3e5d0524ddead2fe1b9846"},
      {"UNIFORM_WIDTH_FROM_SCRATCH",
       [](auto& job) {
         job.set_strategy(v1::ExperimentSpec::UNIFORM_WIDTH_FROM_SCRATCH);
         job.clear_parents();
       },
       "109999b88c4d32f51e6616f79dac0ad5fa3cb3283b5a66abb67550c1d7686243"},
  };
  for (const OtherExpected& expected : all) {
    SCOPED_TRACE(expected.what);
    v1::SynthesizeJob changed = job;
    expected.change(changed);
    if (changed.synthesis().mates() > 1) changed.add_parents();
    const auto child = Synthesize(
        changed, Key(2, 0),
        absl::MakeConstSpan(parents).first(static_cast<size_t>(changed.parents_size())), nullptr);
    ASSERT_TRUE(child.ok()) << child.status();
    EXPECT_EQ(child->network.genome.Digest(), expected.genome);
    EXPECT_NEAR(CountParameters(child->network.genome) / changed.target_budget(), 1.0, 0.05);
    EXPECT_NEAR(child->birth.expected_budget() / changed.target_budget(), 1.0, 0.02);
  }
}

}  // namespace
}  // namespace squish
