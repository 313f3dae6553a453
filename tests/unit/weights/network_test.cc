#include "common/weights/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/genome/ancestors.h"
#include "common/weights/safetensors.h"
#include "tests/support/random_genome.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

Network TenClasses() {
  Network network{*SqueezeNetV11(10), {}, {}, {}};
  network.weights = FreshWeights(network.genome, 1, 0, 0);
  for (int i = 0; i < 10; ++i) network.class_names.push_back("class " + std::to_string(i));
  network.preprocessing.set_input_size(64);
  network.preprocessing.set_resize(v1::SHORT_SIDE_CENTER_CROP);
  for (const float mean : {0.485f, 0.456f, 0.406f}) network.preprocessing.add_mean(mean);
  for (const float std : {0.229f, 0.224f, 1.0f}) network.preprocessing.add_std(std);
  return network;
}

void ExpectEqual(const Network& a, const Network& b) {
  EXPECT_EQ(a.genome, b.genome);
  EXPECT_EQ(a.weights, b.weights);
  EXPECT_EQ(a.class_names, b.class_names);
  EXPECT_EQ(a.preprocessing.SerializeAsString(), b.preprocessing.SerializeAsString());
}

// --- Round trips ------------------------------------------------------------

TEST(NetworkTest, FileRoundTripsBitForBit) {
  const Network network = TenClasses();
  const std::string file = network.ToSafetensors();
  const auto read = Network::FromSafetensors(file);
  ASSERT_TRUE(read.ok()) << read.status();
  ExpectEqual(*read, network);
  EXPECT_EQ(read->ToSafetensors(), file);
}

TEST(NetworkTest, RandomNetworksAndTheirOffspringRoundTrip) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    const Genome genome = RandomGenome(seed);
    for (const Genome& each : {genome, *genome.Prune(RandomKeep(genome, seed))}) {
      const Network network = RandomNetwork(each, seed);
      const auto read = Network::FromSafetensors(network.ToSafetensors());
      ASSERT_TRUE(read.ok()) << read.status();
      ExpectEqual(*read, network);
    }
  }
}

TEST(NetworkTest, AwkwardValuesSurvive) {
  Network network = TenClasses();
  const float awkward[] = {-0.0f, std::numeric_limits<float>::denorm_min(),
                           std::numeric_limits<float>::max(), 0.1f, 1.0f / 3};
  std::copy(std::begin(awkward), std::end(awkward),
            network.weights.at("features.0.bias").values.begin());
  for (int i = 0; i < 3; ++i) network.preprocessing.set_mean(i, awkward[i + 1]);
  network.class_names[0] = "köter \"\\\n\t";
  network.class_names[1] = "";
  const auto read = Network::FromSafetensors(network.ToSafetensors());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(std::signbit(read->weights.at("features.0.bias").values[0]));
  ExpectEqual(*read, network);
}

TEST(NetworkTest, MetadataIsWhatTheDesignSays) {
  const std::string file = TenClasses().ToSafetensors();
  const auto view = ParseSafetensors(file);
  ASSERT_TRUE(view.ok()) << view.status();
  std::map<std::string, std::string> metadata = view->metadata;
  EXPECT_EQ(metadata["squish.genome"], SqueezeNetV11(10)->Json());
  EXPECT_EQ(metadata["squish.class_names"],
            "[\"class 0\",\"class 1\",\"class 2\",\"class 3\",\"class 4\",\"class 5\",\"class 6\","
            "\"class 7\",\"class 8\",\"class 9\"]");
  EXPECT_EQ(metadata["squish.input_size"], "64");
  EXPECT_EQ(metadata["squish.resize"], "SHORT_SIDE_CENTER_CROP");
  EXPECT_EQ(metadata["squish.mean"], "[0.485,0.456,0.406]");
  EXPECT_EQ(metadata["squish.std"], "[0.229,0.224,1.0]");
  EXPECT_EQ(metadata["squish.channel_order"], "RGB");
  EXPECT_EQ(metadata["format"], "pt");
  EXPECT_EQ(metadata.size(), 8);
}

TEST(NetworkTest, AnUnspecifiedResizeRuleIsWrittenAsSquash) {
  Network network = TenClasses();
  network.preprocessing.set_resize(v1::RESIZE_RULE_UNSPECIFIED);
  EXPECT_EQ(Network::FromSafetensors(network.ToSafetensors())->preprocessing.resize(), v1::SQUASH);
}

TEST(NetworkTest, EqualNetworksGiveEqualBytes) {
  EXPECT_EQ(TenClasses().ToSafetensors(), TenClasses().ToSafetensors());
}

// --- Refusals ---------------------------------------------------------------

using Metadata = std::map<std::string, std::string>;
using Tensors = std::map<std::string, TensorView>;

// The file of a small network after a change to what it holds.
std::string Changed(const std::function<void(Metadata&, Tensors&)>& change) {
  const std::string file = RandomNetwork(RandomGenome(5), 5).ToSafetensors();
  SafetensorsView view = *ParseSafetensors(file);
  change(view.metadata, view.tensors);
  return SerializeSafetensors(view.metadata, view.tensors);
}

void ExpectRefused(absl::string_view file, const std::string& why) {
  const auto network = Network::FromSafetensors(file);
  ASSERT_FALSE(network.ok()) << "accepted, though " << why;
  EXPECT_EQ(network.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(network.status().message()), HasSubstr(why));
}

void ExpectMetadataRefused(const std::string& key, const std::string& value,
                           const std::string& why) {
  ExpectRefused(Changed([&](Metadata& metadata, Tensors&) { metadata.at(key) = value; }), why);
}

TEST(NetworkRefusalTest, TheUnchangedFileIsFine) {
  EXPECT_TRUE(Network::FromSafetensors(Changed([](auto&, auto&) {})).ok());
}

TEST(NetworkRefusalTest, MetadataOfOthersIsIgnored) {
  const auto network = Network::FromSafetensors(
      Changed([](Metadata& metadata, Tensors&) { metadata["author"] = "somebody"; }));
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_EQ(network->ToSafetensors(), Changed([](auto&, auto&) {}));
}

TEST(NetworkRefusalTest, FilesThatAreNoSafetensors) {
  ExpectRefused("", "not a safetensors file");
  ExpectRefused("PK\3\4 a pickle in a zip archive", "not a safetensors file");
}

TEST(NetworkRefusalTest, EveryKeyOfOursIsNeeded) {
  for (const char* key : {"squish.genome", "squish.class_names", "squish.input_size",
                          "squish.resize", "squish.mean", "squish.std", "squish.channel_order"}) {
    ExpectRefused(Changed([&](Metadata& metadata, Tensors&) { metadata.erase(key); }),
                  absl::StrCat("its metadata has no ", key));
  }
}

TEST(NetworkRefusalTest, BadGenomes) {
  ExpectMetadataRefused("squish.genome", "", "genome JSON: it is not JSON");
  ExpectMetadataRefused("squish.genome", std::string(100'000, '['), "nested deeper");
  ExpectMetadataRefused("squish.genome", RandomGenome(6).Json(), "tensor ");
}

TEST(NetworkRefusalTest, BadClassNames) {
  ExpectMetadataRefused("squish.class_names", "", "squish.class_names: it is not JSON");
  ExpectMetadataRefused("squish.class_names", "[]", "one for each class");
  ExpectMetadataRefused("squish.class_names", "{}", "one for each class");
  ExpectMetadataRefused("squish.class_names", "[[[[", "nested deeper than 1");
  std::string numbers = "[0";
  for (int i = 1; i < RandomGenome(5).classes(); ++i) numbers += ",0";
  ExpectMetadataRefused("squish.class_names", numbers + "]", "no string");
}

TEST(NetworkRefusalTest, BadPreprocessing) {
  for (const char* size : {"", "0", "-1", "8193", "64.0", "x", "99999999999999999999"}) {
    ExpectMetadataRefused("squish.input_size", size, "squish.input_size");
  }
  for (const char* rule : {"", "squash", "STRETCH", "RESIZE_RULE_UNSPECIFIED", "1"}) {
    ExpectMetadataRefused("squish.resize", rule, "squish.resize");
  }
  ExpectMetadataRefused("squish.channel_order", "BGR", "squish.channel_order is not RGB");
  for (const char* key : {"squish.mean", "squish.std"}) {
    for (const char* values : {"", "[]", "{}", "[1]", "[1,1,1,1,1]", "[1,1,\"1\"]", "[1,1,null]",
                               "[1,1,1e99]", "[1,1,NaN]", "[1,1,1]]", "[[[1,1,1]]]", "1"}) {
      ExpectMetadataRefused(key, values, key);
    }
    ExpectMetadataRefused(key, std::string(5000, '['), "too long");
  }
  ExpectMetadataRefused("squish.std", "[1,0,1]", "not above 0");
  ExpectMetadataRefused("squish.std", "[1,-1,1]", "not above 0");
}

TEST(NetworkRefusalTest, TensorsThatAreMissingExtraOrOfAnotherShape) {
  ExpectRefused(Changed([](Metadata&, Tensors& tensors) { tensors.erase("head.bias"); }),
                "tensor head.bias is missing");
  ExpectRefused(
      Changed([](Metadata&, Tensors& tensors) { tensors["more"] = tensors.at("head.bias"); }),
      "tensor more belongs to no layer");
  ExpectRefused(
      Changed([](Metadata&, Tensors& tensors) { tensors.at("head.bias").shape.push_back(1); }),
      "tensor head.bias is ");
  ExpectRefused(
      Changed([](Metadata&, Tensors& tensors) { tensors.at("head.weight").shape.pop_back(); }),
      "tensor head.weight is ");
}

TEST(NetworkRefusalTest, TensorsOfAnotherType) {
  for (const char* dtype : {"I32", "U32"}) {
    ExpectRefused(
        Changed([&](Metadata&, Tensors& tensors) { tensors.at("head.bias").dtype = dtype; }),
        absl::StrCat("tensor head.bias is ", dtype, ", not F32"));
  }
}

TEST(NetworkRefusalTest, ValuesThatAreNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::signaling_NaN()}) {
    Network network = RandomNetwork(RandomGenome(5), 5);
    network.weights.at("head.weight").values.back() = bad;
    ExpectRefused(network.ToSafetensors(), "tensor head.weight has a value that is not finite");
  }
}

TEST(NetworkRefusalTest, EveryTruncation) {
  const std::string file = RandomNetwork(RandomGenome(5), 5).ToSafetensors();
  for (size_t size = 0; size < file.size(); size += 1 + size / 64) {
    EXPECT_FALSE(Network::FromSafetensors(absl::string_view(file).substr(0, size)).ok()) << size;
  }
}

}  // namespace
}  // namespace squish
