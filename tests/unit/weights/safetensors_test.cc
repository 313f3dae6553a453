#include "common/weights/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

// A file with this header and this many zero bytes of data.
std::string File(absl::string_view header, size_t data_bytes = 0) {
  std::string file(8, '\0');
  const uint64_t length = header.size();
  std::memcpy(file.data(), &length, 8);
  absl::StrAppend(&file, header);
  file.resize(file.size() + data_bytes);
  return file;
}

void ExpectRefused(absl::string_view file, absl::string_view why) {
  const auto view = ParseSafetensors(file);
  ASSERT_FALSE(view.ok()) << "accepted: " << file.substr(0, 200);
  EXPECT_EQ(view.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(view.status().message()), HasSubstr(std::string(why)));
}

std::string TensorJson(absl::string_view name, absl::string_view dtype, absl::string_view shape,
                       absl::string_view offsets) {
  return absl::StrCat("\"", name, "\":{\"dtype\":\"", dtype, "\",\"shape\":[", shape,
                      "],\"data_offsets\":[", offsets, "]}");
}

std::string Tensors(std::initializer_list<std::string> tensors) {
  std::string header = "{";
  for (const std::string& tensor : tensors) {
    absl::StrAppend(&header, header.size() > 1 ? "," : "", tensor);
  }
  return header + "}";
}

// --- Accepted ---------------------------------------------------------------

TEST(SafetensorsTest, WhatIsWrittenIsReadBack) {
  const std::string a("\1\2\3\4\5\6\7\x8", 8), b("xyz");
  const std::map<std::string, std::string> metadata = {{"k", "v \" \n ü"}};
  const std::map<std::string, TensorView> tensors = {{"a", {"F32", {2, 1}, a}},
                                                     {"b", {"U8", {3}, b}}};
  const std::string file = SerializeSafetensors(metadata, tensors);
  uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  EXPECT_EQ(length % 8, 0);
  EXPECT_EQ(file.size(), 8 + length + 11);
  const auto view = ParseSafetensors(file);
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->metadata, metadata);
  ASSERT_EQ(view->tensors.size(), 2);
  EXPECT_EQ(view->tensors.at("a").dtype, "F32");
  EXPECT_EQ(view->tensors.at("a").shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(view->tensors.at("a").bytes, a);
  EXPECT_EQ(view->tensors.at("b").bytes, b);
  EXPECT_EQ(SerializeSafetensors(view->metadata, view->tensors), file);
}

TEST(SafetensorsTest, FilesOfOthersMayOrderTensorsAsTheyLike) {
  const auto view = ParseSafetensors(
      File(Tensors({TensorJson("b", "U8", "2", "2,4"), TensorJson("a", "U8", "2", "0,2")}), 4));
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->tensors.size(), 2);
}

TEST(SafetensorsTest, ScalarsAndEmptyTensorsAreFine) {
  const auto view = ParseSafetensors(File(
      Tensors({TensorJson("scalar", "F64", "", "0,8"), TensorJson("none", "F32", "3,0", "8,8")}),
      8));
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->tensors.at("scalar").bytes.size(), 8);
  EXPECT_EQ(view->tensors.at("none").bytes.size(), 0);
}

TEST(SafetensorsTest, AnEmptyHeaderObjectIsAnEmptyFile) {
  EXPECT_TRUE(ParseSafetensors(File("{}      ")).ok());
}

TEST(SafetensorsTest, EveryDtypeOfTheFormatIsKnown) {
  const std::pair<const char*, int> dtypes[] = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1},
      {"U16", 2},  {"I16", 2}, {"F16", 2}, {"BF16", 2},    {"U32", 4},
      {"I32", 4},  {"F32", 4}, {"U64", 8}, {"I64", 8},     {"F64", 8}};
  for (const auto& [dtype, bytes] : dtypes) {
    const std::string header =
        Tensors({TensorJson("t", dtype, "5", absl::StrCat("0,", 5 * bytes))});
    EXPECT_TRUE(ParseSafetensors(File(header, 5 * bytes)).ok()) << dtype;
  }
}

TEST(SafetensorsTest, TextThatIsNotUtf8IsWrittenReadably) {
  const std::string file = SerializeSafetensors({{"k", "a\xFF"}}, {});
  const auto view = ParseSafetensors(file);
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->metadata.at("k"), "a\xEF\xBF\xBD");
}

// --- Refused ----------------------------------------------------------------

TEST(SafetensorsTest, EveryTruncationIsRefused) {
  const std::string data("12345678");
  const std::string file = SerializeSafetensors({{"k", "v"}}, {{"a", {"F32", {2}, data}}});
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(ParseSafetensors(absl::string_view(file).substr(0, size)).ok()) << size;
  }
  ExpectRefused("", "less than the header's length");
  ExpectRefused(absl::string_view(file).substr(0, 20), "truncated");
}

TEST(SafetensorsTest, OversizedHeadersAreRefusedBeforeTheyAreRead) {
  std::string file(8, '\xFF');
  ExpectRefused(file, "announces a header of 18446744073709551615 bytes");
  const uint64_t just_over = (uint64_t{16} << 20) + 1;
  std::memcpy(file.data(), &just_over, 8);
  ExpectRefused(file, "at most 16777216");
}

TEST(SafetensorsTest, HeadersThatAreNoObjectAreRefused) {
  for (const char* header :
       {"", "[]", "null", "1", "\"{}\"", " {}", "{", "{}x", "{\"a\":}", "\xEF\xBB\xBF{}"}) {
    ExpectRefused(File(header), "header");
  }
}

TEST(SafetensorsTest, HeadersThatAreNotUtf8AreRefused) {
  ExpectRefused(File("{\"\xFF\":{}}"), "not JSON in UTF-8");
  ExpectRefused(File("{\"__metadata__\":{\"k\":\"\xC0\xAF\"}}"), "not JSON in UTF-8");
}

TEST(SafetensorsTest, DeepHeadersAreRefused) {
  std::string deep = "{\"a\":";
  deep.append(1'000'000, '[');
  ExpectRefused(File(deep), "nested deeper than 3");
}

TEST(SafetensorsTest, HeadersWithTooManyValuesAreRefused) {
  std::string many = "{\"a\":[0";
  for (int i = 0; i < (1 << 20); ++i) many += ",0";
  ExpectRefused(File(many + "]}"), "more than 1048576 values");
}

TEST(SafetensorsTest, DuplicateKeysAreRefused) {
  const std::string tensor = TensorJson("a", "U8", "1", "0,1");
  ExpectRefused(File(Tensors({tensor, tensor}), 1), "\"a\" occurs twice");
  ExpectRefused(File("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}"), "\"k\" occurs twice");
  ExpectRefused(
      File("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,1]}}", 1),
      "\"shape\" occurs twice");
}

TEST(SafetensorsTest, MetadataMustBeStrings) {
  ExpectRefused(File("{\"__metadata__\":1}"), "__metadata__ is no object");
  ExpectRefused(File("{\"__metadata__\":{\"k\":1}}"), "k is no string");
}

TEST(SafetensorsTest, UnknownDtypesAreRefused) {
  for (const char* dtype : {"", "F33", "f32", "F3", "F32 "}) {
    ExpectRefused(File(Tensors({TensorJson("t", dtype, "1", "0,4")}), 4), "is not known");
  }
  ExpectRefused(File("{\"t\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}", 4), "dtype");
}

TEST(SafetensorsTest, AbsurdShapesAreRefused) {
  const auto with_shape = [](absl::string_view shape, absl::string_view offsets, size_t bytes) {
    return File(Tensors({TensorJson("t", "F32", shape, offsets)}), bytes);
  };
  ExpectRefused(with_shape("-1", "0,4", 4), "whole number");
  ExpectRefused(with_shape("1.0", "0,4", 4), "whole number");
  ExpectRefused(with_shape("\"1\"", "0,4", 4), "whole number");
  ExpectRefused(with_shape("9223372036854775808", "0,4", 4), "whole number");
  ExpectRefused(with_shape("99999999999999999999999999", "0,4", 4), "whole number");
  ExpectRefused(with_shape("1e999", "0,4", 4), "not JSON");
  // Products that wrap around to exactly the right number of bytes.
  ExpectRefused(with_shape("4611686018427387905", "0,4", 4), "over 2^63");
  ExpectRefused(with_shape("2147483648,2147483648,4", "0,0", 0), "over 2^63");
  ExpectRefused(with_shape("9223372036854775807,9223372036854775807,0", "0,0", 0), "over 2^63");
  ExpectRefused(with_shape("2", "0,4", 4), "dtype and shape make 8 bytes, data_offsets 4");
}

TEST(SafetensorsTest, BadOffsetsAreRefused) {
  const auto with_offsets = [](absl::string_view offsets, size_t bytes) {
    return File(Tensors({TensorJson("t", "U8", "4", offsets)}), bytes);
  };
  ExpectRefused(with_offsets("0,4", 3), "outside the 3 bytes");
  ExpectRefused(with_offsets("4,0", 8), "outside");
  ExpectRefused(with_offsets("0", 4), "1 entries");
  ExpectRefused(with_offsets("0,4,4", 4), "3 entries");
  ExpectRefused(with_offsets("-4,0", 4), "whole number");
  ExpectRefused(with_offsets("18446744073709551612,0", 4), "whole number");
  ExpectRefused(with_offsets("9223372036854775804,9223372036854775807", 4), "outside");
}

TEST(SafetensorsTest, OverlapsAndGapsAreRefused) {
  const auto two = [](absl::string_view first, absl::string_view second, size_t bytes) {
    return File(Tensors({TensorJson("a", "U8", "4", first), TensorJson("b", "U8", "4", second)}),
                bytes);
  };
  ExpectRefused(two("0,4", "3,7", 8), "overlaps");
  ExpectRefused(two("0,4", "0,4", 8), "overlaps");
  ExpectRefused(two("0,4", "5,9", 9), "gap");
  ExpectRefused(two("1,5", "5,9", 9), "gap");
  ExpectRefused(two("0,4", "4,8", 9), "1 bytes of data behind the last tensor");
  ExpectRefused(File("{}", 1), "1 bytes of data behind the last tensor");
}

TEST(SafetensorsTest, TensorsNeedExactlyTheirThreeKeys) {
  ExpectRefused(File("{\"t\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1), "data_offsets");
  ExpectRefused(File("{\"t\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1), "shape");
  ExpectRefused(File("{\"t\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1), "dtype");
  ExpectRefused(
      File("{\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"code\":\"x\"}}", 1),
      "keys beside");
  ExpectRefused(File("{\"t\":[1]}"), "tensor t: it is no object");
}

TEST(SafetensorsTest, ChangedBytesNeverDoHarm) {
  // Every single-byte change of a small file is either refused or reads as tensors
  // that tile the same data.
  const std::string data("12345678");
  const std::string file = SerializeSafetensors({}, {{"a", {"F32", {2}, data}}});
  for (size_t i = 0; i < file.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      std::string changed = file;
      changed[i] = static_cast<char>(value);
      const auto view = ParseSafetensors(changed);
      if (!view.ok()) continue;
      size_t bytes = 0;
      for (const auto& [name, tensor] : view->tensors) bytes += tensor.bytes.size();
      EXPECT_EQ(bytes, data.size()) << "byte " << i << " set to " << value;
    }
  }
}

}  // namespace
}  // namespace squish
