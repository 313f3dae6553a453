#include "common/weights/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/base/strict_json.h"

namespace squish {
namespace {

static_assert(std::endian::native == std::endian::little, "the file's tensors are little-endian");

using Json = nlohmann::json;

constexpr char kMetadataKey[] = "__metadata__";
constexpr size_t kLengthBytes = 8;
constexpr uint64_t kMaximumHeaderBytes = uint64_t{16} << 20;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

std::string Escape(absl::string_view text) { return absl::Utf8SafeCEscape(text.substr(0, 128)); }

// Bytes of one element; 0 for a dtype that is not known.
int64_t ElementBytes(absl::string_view dtype) {
  static constexpr std::pair<absl::string_view, int64_t> kSizes[] = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1},
      {"U16", 2},  {"I16", 2}, {"F16", 2}, {"BF16", 2},    {"U32", 4},
      {"I32", 4},  {"F32", 4}, {"U64", 8}, {"I64", 8},     {"F64", 8}};
  for (const auto& [name, bytes] : kSizes) {
    if (name == dtype) return bytes;
  }
  return 0;
}

// --- The header -------------------------------------------------------------

absl::StatusOr<absl::string_view> HeaderOf(absl::string_view file) {
  if (file.size() < kLengthBytes) {
    return Invalid("it has ", file.size(), " bytes, less than the header's length takes");
  }
  uint64_t length = 0;
  std::memcpy(&length, file.data(), kLengthBytes);
  if (length > kMaximumHeaderBytes) {
    return Invalid("it announces a header of ", length, " bytes; at most ", kMaximumHeaderBytes,
                   " are read");
  }
  if (length > file.size() - kLengthBytes) {
    return Invalid("it is truncated: the header has ", length, " bytes, the file has ",
                   file.size() - kLengthBytes, " behind the length");
  }
  return file.substr(kLengthBytes, length);
}

absl::StatusOr<Json> ParseHeader(absl::string_view header) {
  // The format asks for the brace in the first byte; space may only follow.
  if (header.empty() || header[0] != '{') return Invalid("the header is no JSON object");
  StrictJsonLimits limits;
  limits.maximum_bytes = kMaximumHeaderBytes;
  limits.maximum_depth = 3;  // Header, tensor, shape.
  absl::StatusOr<Json> json = ParseStrictJson(header, limits);
  if (!json.ok()) return Annotate(json.status(), "the header");
  return json;
}

absl::Status ReadMetadata(const Json& json, std::map<std::string, std::string>& metadata) {
  if (!json.is_object()) return Invalid(kMetadataKey, " is no object");
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) return Invalid(kMetadataKey, ": ", Escape(key), " is no string");
    metadata[key] = value.get<std::string>();
  }
  return absl::OkStatus();
}

// --- One tensor -------------------------------------------------------------

absl::StatusOr<std::vector<int64_t>> ReadNumbers(const Json& tensor, const char* key) {
  const auto found = tensor.find(key);
  if (found == tensor.end() || !found->is_array()) return Invalid(key, " is no array");
  std::vector<int64_t> numbers;
  for (const Json& item : *found) {
    if (!item.is_number_unsigned() ||
        item.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return Invalid(key, " has an entry that is no whole number from 0 to 2^63 - 1");
    }
    numbers.push_back(item.get<int64_t>());
  }
  return numbers;
}

absl::StatusOr<int64_t> BytesOfShape(const std::vector<int64_t>& shape, int64_t element_bytes) {
  int64_t bytes = element_bytes;
  for (const int64_t side : shape) {
    if (__builtin_mul_overflow(bytes, side, &bytes)) {
      return Invalid("the shape's product is over 2^63 bytes");
    }
  }
  return bytes;
}

struct Extent {
  int64_t begin;
  int64_t end;
  std::string name;
};

absl::Status ReadTensor(const Json& json, absl::string_view data, TensorView& tensor,
                        Extent& extent) {
  if (!json.is_object()) return Invalid("it is no object");
  const auto dtype = json.find("dtype");
  if (dtype == json.end() || !dtype->is_string()) return Invalid("dtype is no string");
  tensor.dtype = dtype->get<std::string>();
  const int64_t element_bytes = ElementBytes(tensor.dtype);
  if (element_bytes == 0) return Invalid("the dtype \"", Escape(tensor.dtype), "\" is not known");
  SQUISH_ASSIGN_OR_RETURN(tensor.shape, ReadNumbers(json, "shape"));
  SQUISH_ASSIGN_OR_RETURN(const std::vector<int64_t> offsets, ReadNumbers(json, "data_offsets"));
  if (json.size() != 3) return Invalid("it has keys beside dtype, shape and data_offsets");
  if (offsets.size() != 2) return Invalid("data_offsets has ", offsets.size(), " entries, not 2");
  extent.begin = offsets[0];
  extent.end = offsets[1];
  if (extent.begin > extent.end || extent.end > static_cast<int64_t>(data.size())) {
    return Invalid("data_offsets ", extent.begin, " to ", extent.end, " are outside the ",
                   data.size(), " bytes of data");
  }
  SQUISH_ASSIGN_OR_RETURN(const int64_t bytes, BytesOfShape(tensor.shape, element_bytes));
  if (bytes != extent.end - extent.begin) {
    return Invalid("dtype and shape make ", bytes, " bytes, data_offsets ",
                   extent.end - extent.begin);
  }
  tensor.bytes = data.substr(extent.begin, bytes);
  return absl::OkStatus();
}

// The tensors must tile the data: no byte is left over and none has two owners.
absl::Status CheckTiling(std::vector<Extent> extents, int64_t data_bytes) {
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  int64_t end = 0;
  for (const Extent& extent : extents) {
    if (extent.begin != end) {
      return Invalid("tensor ", Escape(extent.name), " begins at ", extent.begin,
                     extent.begin < end ? " and overlaps" : " and leaves a gap after",
                     " the one that ends at ", end);
    }
    end = extent.end;
  }
  if (end != data_bytes) {
    return Invalid(data_bytes - end, " bytes of data behind the last tensor belong to none");
  }
  return absl::OkStatus();
}

absl::StatusOr<SafetensorsView> Parse(absl::string_view file) {
  SQUISH_ASSIGN_OR_RETURN(const absl::string_view header, HeaderOf(file));
  SQUISH_ASSIGN_OR_RETURN(const Json json, ParseHeader(header));
  const absl::string_view data = file.substr(kLengthBytes + header.size());
  SafetensorsView view;
  std::vector<Extent> extents;
  for (const auto& [name, value] : json.items()) {
    if (name == kMetadataKey) {
      SQUISH_RETURN_IF_ERROR(ReadMetadata(value, view.metadata));
      continue;
    }
    Extent& extent = extents.emplace_back();
    extent.name = name;
    const absl::Status status = ReadTensor(value, data, view.tensors[name], extent);
    if (!status.ok()) return Annotate(status, absl::StrCat("tensor ", Escape(name)));
  }
  SQUISH_RETURN_IF_ERROR(CheckTiling(std::move(extents), static_cast<int64_t>(data.size())));
  return view;
}

}  // namespace

absl::StatusOr<SafetensorsView> ParseSafetensors(absl::string_view file) {
  absl::StatusOr<SafetensorsView> view = Parse(file);
  if (!view.ok()) return Annotate(view.status(), "not a safetensors file");
  return view;
}

std::string SerializeSafetensors(const std::map<std::string, std::string>& metadata,
                                 const std::map<std::string, TensorView>& tensors) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[kMetadataKey] = metadata;
  uint64_t data_bytes = 0;
  for (const auto& [name, tensor] : tensors) {
    nlohmann::ordered_json& entry = header[name];
    entry["dtype"] = tensor.dtype;
    entry["shape"] = tensor.shape;
    entry["data_offsets"] = {data_bytes, data_bytes + tensor.bytes.size()};
    data_bytes += tensor.bytes.size();
  }
  std::string text = header.dump(/*indent=*/-1, ' ', /*ensure_ascii=*/false,
                                 nlohmann::ordered_json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');

  std::string file;
  file.reserve(kLengthBytes + text.size() + data_bytes);
  const uint64_t length = text.size();
  file.append(reinterpret_cast<const char*>(&length), kLengthBytes);
  file.append(text);
  for (const auto& [name, tensor] : tensors) {
    file.append(tensor.bytes.data(), tensor.bytes.size());
  }
  return file;
}

}  // namespace squish
