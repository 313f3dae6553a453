#include "worker/synthesis/synapses.h"

#include <cmath>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "tests/unit/synthesis/synthesis_fixtures.h"

namespace squish {
namespace {

double Expected(const std::vector<double>& probabilities, double kappa) {
  double sum = 0;
  for (const double p : probabilities) sum += std::min(1.0, kappa * p);
  return sum;
}

TEST(KappaForShareTest, MeetsTheShareWhateverTheProbabilities) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    std::vector<double> probabilities;
    for (int i = 0; i < 1 + round * 7; ++i) {
      probabilities.push_back(std::exp(-0.1 * round * (random() * 0x1p-32)));
    }
    for (const double share : {0.01, 0.3, 0.9, 0.999}) {
      const double kappa = KappaForShare(probabilities, share);
      const double wanted = share * static_cast<double>(probabilities.size());
      EXPECT_NEAR(Expected(probabilities, kappa), wanted, 1e-9 * (1 + wanted));
    }
    EXPECT_DOUBLE_EQ(Expected(probabilities, KappaForShare(probabilities, 1)),
                     static_cast<double>(probabilities.size()));
  }
  EXPECT_EQ(KappaForShare({}, 0.5), 0);
}

TEST(DrawSynapsesTest, KeepTheShareAndTheStrongRather) {
  Network network = TrainedSqueezeNet(0.25);
  v1::SynthesisSpec spec = ChildJob(network).synthesis();
  spec.mutable_synapses()->set_keep(0.6);
  const TensorMap before = network.weights;
  const int64_t all = CountSynapses(network.genome, before);
  DrawSynapses(network.genome, spec, 1, Key(1, 0), network.weights);
  const int64_t kept = CountSynapses(network.genome, network.weights);
  EXPECT_NEAR(static_cast<double>(kept) / static_cast<double>(all), 0.6,
              4 * std::sqrt(0.25 / static_cast<double>(all)));
  double sum_of_kept = 0, sum_of_lost = 0, count_of_lost = 0;
  for (const auto& [name, tensor] : network.weights) {
    const std::vector<float>& old = before.at(name).values;
    for (size_t i = 0; i < old.size(); ++i) {
      if (tensor.values[i] != 0) {
        EXPECT_EQ(tensor.values[i], old[i]) << "who survives stays as it was";
        sum_of_kept += std::fabs(old[i]);
      } else if (old[i] != 0) {
        sum_of_lost += std::fabs(old[i]);
        ++count_of_lost;
      }
    }
  }
  EXPECT_GT(sum_of_kept / static_cast<double>(kept), sum_of_lost / count_of_lost);
}

TEST(DrawSynapsesTest, WhatIsDeadIsNotCountedAgainAndBiasesStay) {
  Network network = TrainedSqueezeNet(0.25);
  v1::SynthesisSpec spec = ChildJob(network).synthesis();
  spec.mutable_synapses()->set_keep(0.5);
  const TensorMap before = network.weights;
  double all = static_cast<double>(CountSynapses(network.genome, before));
  for (int generation = 1; generation <= 3; ++generation) {
    DrawSynapses(network.genome, spec, 1, Key(generation, 0), network.weights);
    all *= 0.5;
    EXPECT_NEAR(static_cast<double>(CountSynapses(network.genome, network.weights)), all,
                0.02 * all);
  }
  for (const auto& [name, tensor] : network.weights) {
    if (name.size() > 5 && name.substr(name.size() - 5) == ".bias") {
      EXPECT_EQ(tensor.values, before.at(name).values);
    }
  }
}

TEST(DrawSynapsesTest, AreAFunctionOfSeedAndName) {
  const Network parent = TrainedSqueezeNet(0.1);
  v1::SynthesizeJob job = ChildJob(parent);
  job.mutable_synthesis()->mutable_synapses()->set_keep(0.8);
  const auto weights = [&](const v1::JobKey& key) {
    return WeightsDigest(SynthesizeChild(job, key, parent)->network.weights);
  };
  EXPECT_EQ(weights(Key(1, 0)), weights(Key(1, 0)));
  EXPECT_NE(weights(Key(1, 0)), weights(Key(1, 1)));
  EXPECT_EQ(weights(Key(1, 0)), "15610301d6a7af6fadf1cd880b99d190481cd828b511de11c4808c60b80fe972");
}

}  // namespace
}  // namespace squish
