// The genome's only serialised form: what it looks like, and that nothing else is read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/sha256.h"
#include "common/genome/ancestors.h"
#include "common/genome/genome.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

constexpr char kEveryOperation[] =
    R"({"version":1,"layers":[)"
    R"({"name":"in","op":"input","inputs":[],"channels":3},)"
    R"({"name":"a.1","op":"conv2d","inputs":[0],"kernel":3,"stride":2,"padding":1,"lineage":[0,5]},)"
    R"({"name":"r","op":"relu","inputs":[1]},)"
    R"({"name":"p","op":"max_pool","inputs":[2],"kernel":3,"stride":2},)"
    R"({"name":"b","op":"concat","inputs":[3,3]},)"
    R"({"name":"d","op":"dropout","inputs":[4],"permille":500},)"
    R"({"name":"h","op":"conv2d","inputs":[5],"kernel":1,"stride":1,"padding":0,"lineage":[0,1]},)"
    R"({"name":"g","op":"global_average_pool","inputs":[6]}]})";

void ExpectRefused(absl::string_view json, absl::string_view why) {
  const auto genome = Genome::FromJson(json);
  ASSERT_FALSE(genome.ok()) << "accepted: " << json.substr(0, 300);
  EXPECT_EQ(genome.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(genome.status().message()), HasSubstr(std::string(why)));
}

// kEveryOperation with one passage replaced.
std::string With(absl::string_view from, absl::string_view to) {
  const std::string changed = absl::StrReplaceAll(kEveryOperation, {{from, to}});
  EXPECT_NE(changed, kEveryOperation) << from << " does not occur";
  return changed;
}

TEST(GenomeJsonTest, EveryOperationHasItsForm) {
  const auto genome = Genome::FromJson(kEveryOperation);
  ASSERT_TRUE(genome.ok()) << genome.status();
  EXPECT_EQ(genome->Json(), kEveryOperation);
  EXPECT_EQ(genome->conv(1), (Conv2d{3, 2, 1, {0, 5}}));
  EXPECT_EQ(std::get<MaxPool>(genome->layer(3).operation), (MaxPool{3, 2}));
  EXPECT_EQ(std::get<Dropout>(genome->layer(5).operation), Dropout{500});
}

TEST(GenomeJsonTest, DigestsAreThoseOfTheText) {
  const Genome genome = *Genome::FromJson(kEveryOperation);
  EXPECT_EQ(genome.Digest(), Sha256Hex(kEveryOperation));
  EXPECT_EQ(
      genome.ArchitectureDigest(),
      Sha256Hex(absl::StrReplaceAll(kEveryOperation, {{"\"lineage\":[0,5]", "\"lineage\":2"},
                                                      {"\"lineage\":[0,1]", "\"lineage\":2"}})));
}

TEST(GenomeJsonTest, LineageIsInTheGenomesDigestAlone) {
  const Genome one = *Genome::FromJson(kEveryOperation);
  const Genome other = *Genome::FromJson(With("[0,5]", "[1,2]"));
  EXPECT_NE(one.Digest(), other.Digest());
  EXPECT_EQ(one.ArchitectureDigest(), other.ArchitectureDigest());
  const Genome wider = *Genome::FromJson(With("[0,5]", "[0,1,5]"));
  EXPECT_NE(one.ArchitectureDigest(), wider.ArchitectureDigest());
}

// These name networks in databases and on boards: they may never change.
TEST(GenomeJsonTest, SqueezeNetsDigestsAreFixed) {
  const Genome genome = *SqueezeNetV11(10);
  EXPECT_EQ(genome.Digest(), "0e52912abf5b2201724b3723ed8f53bac2e7f523a223df1a0b341c9c9d93816d");
  EXPECT_EQ(genome.ArchitectureDigest(),
            "fb3716bcb685a2b4c23aabeb6f453402c8ef89aba7c4c976d4f42512a4ead767");
  EXPECT_EQ(SqueezeNetV11(1000)->Digest(),
            "7576837008e5b7f81eda323e73f14512cc5541075ab83d22af12a00fa5770458");
}

TEST(GenomeJsonTest, OnlyTheCanonicalTextIsRead) {
  ExpectRefused(absl::StrCat(kEveryOperation, "\n"), "not canonical");
  ExpectRefused(absl::StrCat(" ", kEveryOperation), "differs first at byte 0");
  ExpectRefused(With(",\"op\":\"relu\"", ", \"op\":\"relu\""), "not canonical");
  ExpectRefused(With("\"op\":\"relu\",\"inputs\":[1]", "\"inputs\":[1],\"op\":\"relu\""),
                "not canonical");
  ExpectRefused(With("\"relu\"", "\"rel\\u0075\""), "not canonical");
  ExpectRefused(With("\"permille\":500", "\"permille\":500,\"extra\":1"), "not canonical");
  ExpectRefused(With("\"version\":1,", "\"version\":1,\"extra\":null,"), "not canonical");
}

TEST(GenomeJsonTest, NumbersAreIntegersInRange) {
  for (const char* number :
       {"3.0", "3e0", "-3", "\"3\"", "null", "true", "[3]", "99999999999", "18446744073709551619",
        "9999999999999999999999999999", "-9223372036854775808", "1e400", "-0", "03", "+3", "0x3"}) {
    ExpectRefused(With("\"kernel\":3,\"stride\":2,\"padding\":1",
                       absl::StrCat("\"kernel\":", number, ",\"stride\":2,\"padding\":1")),
                  "");
    ExpectRefused(With("[0,5]", absl::StrCat("[0,", number, "]")), "");
    ExpectRefused(With("\"inputs\":[2]", absl::StrCat("\"inputs\":[", number, "]")), "");
  }
  ExpectRefused(With("\"permille\":500", "\"permille\":2147483648"), "from 0 to 2147483647");
}

TEST(GenomeJsonTest, DuplicateKeysAreRefused) {
  ExpectRefused(With("\"permille\":500", "\"permille\":500,\"permille\":500"),
                "\"permille\" occurs twice");
  ExpectRefused(With("{\"version\":1", "{\"version\":1,\"version\":1"), "\"version\" occurs twice");
}

TEST(GenomeJsonTest, MissingAndMistypedFieldsAreNamed) {
  ExpectRefused("[]", "it is no object");
  ExpectRefused("{}", "\"version\" is missing");
  ExpectRefused(With("\"version\":1", "\"version\":2"), "version is 2");
  ExpectRefused("{\"version\":1}", "\"layers\" is missing");
  ExpectRefused("{\"version\":1,\"layers\":{}}", "\"layers\" must be an array");
  ExpectRefused("{\"version\":1,\"layers\":[1]}", "layer 0: it is no object");
  ExpectRefused("{\"version\":1,\"layers\":[]}", "not 0");
  ExpectRefused(With(",\"permille\":500", ""), "layer 5: \"permille\" is missing");
  ExpectRefused(With("\"name\":\"r\",", ""), "layer 2: \"name\" is missing");
  ExpectRefused(With("\"op\":\"relu\",", ""), "layer 2: \"op\" is missing");
  ExpectRefused(With("\"inputs\":[1]", "\"inputs\":1"), "\"inputs\" must be an array");
  ExpectRefused(With("\"name\":\"r\"", "\"name\":1"), "\"name\" must be a string");
  ExpectRefused(With("\"relu\"", "\"gelu\""), "the operation \"gelu\" is not known");
  ExpectRefused(With("\"lineage\":[0,5]", "\"lineage\":2"), "\"lineage\" must be an array");
}

TEST(GenomeJsonTest, GenomesThatAreNoneAreRefused) {
  ExpectRefused(With("\"stride\":2,\"padding\":1", "\"stride\":0,\"padding\":1"), "stride is 0");
  ExpectRefused(With("[0,5]", "[5,0]"), "not strictly increasing");
  ExpectRefused(With("\"inputs\":[6]", "\"inputs\":[7]"), "earlier layer");
}

TEST(GenomeJsonTest, HostileTextIsRefusedWithoutHarm) {
  ExpectRefused("", "not JSON");
  ExpectRefused(std::string(1'000'000, '['), "nested deeper than 4");
  std::string objects;
  for (int i = 0; i < 200'000; ++i) objects += "{\"a\":";
  ExpectRefused(objects, "nested deeper than 4");
  ExpectRefused(With("[0,5]", "[0,[5]]"), "nested deeper than 4");
  ExpectRefused(std::string((size_t{4} << 20) + 1, ' '), "at most 4194304 are read");
  ExpectRefused(std::string(size_t{4} << 20, ' '), "not JSON");
  ExpectRefused(With("\"r\"", "\"\xFF\""), "UTF-8");
  ExpectRefused(With("\"r\"", "\"\xED\xA0\x80\""), "UTF-8");
  ExpectRefused(With("\"r\"", absl::string_view("\"r\0\"", 4)), "UTF-8");
  ExpectRefused(With("\"r\"", "\"\\u0000\""), "the name \"\\000\" is not");
  ExpectRefused(With("\"r\"", "\"\\ud800\""), "UTF-8");
  ExpectRefused(absl::StrCat(kEveryOperation, kEveryOperation), "not JSON");
}

TEST(GenomeJsonTest, EveryTruncationIsRefused) {
  const absl::string_view whole = kEveryOperation;
  for (size_t size = 0; size < whole.size(); ++size) ExpectRefused(whole.substr(0, size), "");
}

TEST(GenomeJsonTest, WhateverIsReadIsWrittenBackAsItWas) {
  const std::string whole = kEveryOperation;
  int accepted = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const char c : {'0', '1', '2', '7', 'a', '"', ',', '[', ']', '{', '}', ' ', '-', '\\'}) {
      std::string changed = whole;
      changed[i] = c;
      const auto genome = Genome::FromJson(changed);
      if (!genome.ok()) continue;
      ++accepted;
      EXPECT_EQ(genome->Json(), changed);
    }
  }
  EXPECT_GT(accepted, 10);
}

}  // namespace
}  // namespace squish
