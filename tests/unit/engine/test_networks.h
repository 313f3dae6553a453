// Network files for tests of engines.
#ifndef SQUISH_TESTS_UNIT_ENGINE_TEST_NETWORKS_H_
#define SQUISH_TESTS_UNIT_ENGINE_TEST_NETWORKS_H_

#include <gtest/gtest.h>

#include <string>

#include "common/base/file.h"
#include "common/base/sha256.h"
#include "common/genome/ancestors.h"
#include "common/weights/network.h"

namespace squish {

struct TestNetwork {
  std::string path;
  std::string artifact;      // SHA-256 of the file.
  std::string architecture;  // Digest.
};

// SqueezeNet v1.1 of a width, for ten classes and 64 pixels.
inline Network MakeNetwork(double width) {
  Genome genome = SqueezeNetV11(10, width).value();
  TensorMap weights = FreshWeights(genome, 1, 0, 0);
  Network network{std::move(genome), std::move(weights), {}, {}};
  for (int i = 0; i < 10; ++i) network.class_names.push_back("class " + std::to_string(i));
  network.preprocessing.set_input_size(64);
  network.preprocessing.set_resize(v1::SQUASH);
  for (int i = 0; i < 3; ++i) {
    network.preprocessing.add_mean(0.5f);
    network.preprocessing.add_std(0.25f);
  }
  return network;
}

inline TestNetwork WriteNetwork(const std::string& folder, const Network& network) {
  const std::string file = network.ToSafetensors();
  TestNetwork result;
  result.artifact = Sha256Hex(file);
  result.architecture = network.genome.ArchitectureDigest();
  result.path = JoinPath(folder, result.artifact);
  EXPECT_TRUE(WriteFileDurably(result.path, file).ok());
  return result;
}

inline TestNetwork WriteNetwork(const std::string& folder, double width) {
  return WriteNetwork(folder, MakeNetwork(width));
}

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_ENGINE_TEST_NETWORKS_H_
