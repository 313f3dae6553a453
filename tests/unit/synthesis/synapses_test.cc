#include "worker/synthesis/synapses.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/random_genome.h"
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

// Of a network that is small enough for one bisection by hand: min(1, κ · exp((|w| / z − 1) / T)).
TEST(DrawSynapsesTest, SurviveAsOftenAsTheFormulaSays) {
  constexpr int kDraws = 4000;
  const Genome genome = *Genome::Create({{"input", {}, Input{1}},
                                         {"a", {0}, Conv2d{1, 1, 0, {0, 1, 2}}},
                                         {"head", {1}, Conv2d{1, 1, 0, {0, 1}}},
                                         {"pool", {2}, GlobalAveragePool{}}});
  Network network = RandomNetwork(genome, 1);
  network.weights.at("a.weight").values = {-2, 1, 0.5};
  network.weights.at("head.weight").values = {3, -1.5, 0, 0.3, 2.4, -0.9};
  v1::SynthesisSpec spec;
  spec.set_selectivity(0.4);
  spec.mutable_synapses()->set_keep(0.75);
  const std::map<std::string, double> largest = {{"a.weight", 2}, {"head.weight", 3}};
  const auto expected = [&](const std::string& name, float w, double kappa) {
    const double relative = std::fabs(w) / largest.at(name);
    return w == 0 ? 0 : std::min(1.0, kappa * std::exp((relative - 1) / 0.4));
  };
  double low = 0, high = 100;  // κ
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    double sum = 0;
    for (const auto& [name, z] : largest) {
      for (const float w : network.weights.at(name).values) sum += expected(name, w, middle);
    }
    (sum < 0.75 * 8 ? low : high) = middle;
  }
  std::map<std::string, std::vector<int>> survived = {{"a.weight", std::vector<int>(3)},
                                                      {"head.weight", std::vector<int>(6)}};
  for (int i = 0; i < kDraws; ++i) {
    TensorMap weights = network.weights;
    DrawSynapses(genome, spec, 7, Key(2, i), weights);
    for (auto& [name, counts] : survived) {
      for (size_t j = 0; j < counts.size(); ++j) counts[j] += weights.at(name).values[j] != 0;
    }
  }
  for (const auto& [name, counts] : survived) {
    for (size_t j = 0; j < counts.size(); ++j) {
      const double p = expected(name, network.weights.at(name).values[j], low);
      EXPECT_NEAR(counts[j] / double{kDraws}, p, 4.5 * std::sqrt(p * (1 - p) / kDraws) + 1e-9)
          << name << "[" << j << "]";
    }
  }
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
