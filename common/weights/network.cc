#include "common/weights/network.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/base/strict_json.h"
#include "common/weights/safetensors.h"
#include "common/weights/tensors.h"

namespace squish {
namespace {

using Json = nlohmann::json;
// Its numbers are single precision: written as briefly as they can be read back.
using FloatJson =
    nlohmann::basic_json<std::map, std::vector, std::string, bool, int64_t, uint64_t, float>;

constexpr char kGenome[] = "squish.genome";
constexpr char kClassNames[] = "squish.class_names";
constexpr char kInputSize[] = "squish.input_size";
constexpr char kResize[] = "squish.resize";
constexpr char kMean[] = "squish.mean";
constexpr char kStd[] = "squish.std";
constexpr char kChannelOrder[] = "squish.channel_order";
constexpr char kRgb[] = "RGB";
constexpr char kLicence[] = "squish.licence";
constexpr char kNote[] = "squish.note";

constexpr size_t kMaximumFloatsBytes = 4096;
constexpr int kMaximumInputSize = 8192;
constexpr size_t kMaximumProvenanceBytes = 4096;  // Each part.

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

using Metadata = std::map<std::string, std::string>;

absl::StatusOr<std::string> Find(const Metadata& metadata, const char* key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return Invalid("its metadata has no ", key);
  return found->second;
}

template <typename Floats>
std::string FloatsToJson(const Floats& values) {
  FloatJson json = FloatJson::array();
  for (const float value : values) json.push_back(value);
  return json.dump();
}

template <typename Floats>
absl::Status ReadFloats(const Metadata& metadata, const char* key, int count, Floats& values) {
  SQUISH_ASSIGN_OR_RETURN(const std::string text, Find(metadata, key));
  if (text.size() > kMaximumFloatsBytes) return Invalid(key, " is too long");
  const FloatJson json = FloatJson::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_array() || static_cast<int>(json.size()) != count) {
    return Invalid(key, " is no JSON array of ", count, " numbers");
  }
  for (const FloatJson& item : json) {
    if (!item.is_number() || !std::isfinite(item.get<float>())) {
      return Invalid(key, " has an entry that is no number");
    }
    values.Add(item.get<float>());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ReadClassNames(const Metadata& metadata, int classes) {
  SQUISH_ASSIGN_OR_RETURN(const std::string text, Find(metadata, kClassNames));
  StrictJsonLimits limits;
  limits.maximum_bytes = size_t{16} << 20;
  limits.maximum_depth = 1;
  absl::StatusOr<Json> json = ParseStrictJson(text, limits);
  if (!json.ok()) return Annotate(json.status(), kClassNames);
  if (!json->is_array() || static_cast<int>(json->size()) != classes) {
    return Invalid(kClassNames, " is no JSON array of ", classes, " names, one for each class");
  }
  std::vector<std::string> names;
  names.reserve(json->size());
  for (const Json& item : *json) {
    if (!item.is_string()) return Invalid(kClassNames, " has an entry that is no string");
    names.push_back(item.get<std::string>());
  }
  return names;
}

absl::StatusOr<v1::Preprocessing> ReadPreprocessing(const Metadata& metadata, int channels) {
  v1::Preprocessing preprocessing;
  SQUISH_ASSIGN_OR_RETURN(const std::string size, Find(metadata, kInputSize));
  int32_t input_size = 0;
  if (!absl::SimpleAtoi(size, &input_size) || input_size < 1 || input_size > kMaximumInputSize) {
    return Invalid(kInputSize, " is no whole number from 1 to ", kMaximumInputSize);
  }
  preprocessing.set_input_size(input_size);
  SQUISH_ASSIGN_OR_RETURN(const std::string resize, Find(metadata, kResize));
  v1::ResizeRule rule;
  if (!v1::ResizeRule_Parse(resize, &rule) || rule == v1::RESIZE_RULE_UNSPECIFIED) {
    return Invalid(kResize, " \"", absl::Utf8SafeCEscape(resize.substr(0, 64)), "\" is not known");
  }
  preprocessing.set_resize(rule);
  SQUISH_ASSIGN_OR_RETURN(const std::string order, Find(metadata, kChannelOrder));
  if (order != kRgb) return Invalid(kChannelOrder, " is not ", kRgb);
  SQUISH_RETURN_IF_ERROR(ReadFloats(metadata, kMean, channels, *preprocessing.mutable_mean()));
  SQUISH_RETURN_IF_ERROR(ReadFloats(metadata, kStd, channels, *preprocessing.mutable_std()));
  for (const float std : preprocessing.std()) {
    if (!(std > 0.0f)) return Invalid(kStd, " has an entry that is not above 0");
  }
  return preprocessing;
}

absl::StatusOr<v1::Provenance> ReadProvenance(const Metadata& metadata) {
  v1::Provenance provenance;
  const std::pair<const char*, std::string*> parts[] = {
      {kLicence, provenance.mutable_licence()}, {kNote, provenance.mutable_note()}};
  for (const auto& [key, part] : parts) {
    const auto found = metadata.find(key);
    if (found == metadata.end()) continue;
    if (found->second.size() > kMaximumProvenanceBytes) return Invalid(key, " is too long");
    *part = found->second;
  }
  return provenance;
}

absl::StatusOr<Network> FromView(const SafetensorsView& view) {
  SQUISH_ASSIGN_OR_RETURN(const std::string json, Find(view.metadata, kGenome));
  SQUISH_ASSIGN_OR_RETURN(Genome genome, Genome::FromJson(json));
  SQUISH_ASSIGN_OR_RETURN(TensorMap weights, TensorsFromView(view));
  SQUISH_RETURN_IF_ERROR(CheckWeights(genome, weights));
  SQUISH_ASSIGN_OR_RETURN(std::vector<std::string> class_names,
                          ReadClassNames(view.metadata, genome.classes()));
  SQUISH_ASSIGN_OR_RETURN(v1::Preprocessing preprocessing,
                          ReadPreprocessing(view.metadata, genome.OutputChannels(0)));
  SQUISH_ASSIGN_OR_RETURN(v1::Provenance provenance, ReadProvenance(view.metadata));
  return Network{std::move(genome), std::move(weights), std::move(class_names),
                 std::move(preprocessing), std::move(provenance)};
}

}  // namespace

std::map<std::string, std::string> NetworkMetadata(const Network& network) {
  const v1::Preprocessing& preprocessing = network.preprocessing;
  const v1::ResizeRule resize =
      preprocessing.resize() == v1::RESIZE_RULE_UNSPECIFIED ? v1::SQUASH : preprocessing.resize();
  Metadata metadata = {
      {"format", "pt"},
      {kGenome, network.genome.Json()},
      {kClassNames,
       Json(network.class_names)
           .dump(/*indent=*/-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace)},
      {kInputSize, absl::StrCat(preprocessing.input_size())},
      {kResize, v1::ResizeRule_Name(resize)},
      {kMean, FloatsToJson(preprocessing.mean())},
      {kStd, FloatsToJson(preprocessing.std())},
      {kChannelOrder, kRgb},
  };
  const v1::Provenance& provenance = network.provenance;
  if (!provenance.licence().empty()) metadata[kLicence] = provenance.licence();
  if (!provenance.note().empty()) metadata[kNote] = provenance.note();
  return metadata;
}

std::string Network::ToSafetensors() const {
  return SerializeSafetensors(NetworkMetadata(*this), ViewOfTensors(weights));
}

absl::StatusOr<Network> Network::FromSafetensors(absl::string_view file) {
  SQUISH_ASSIGN_OR_RETURN(const SafetensorsView view, ParseSafetensors(file));
  absl::StatusOr<Network> network = FromView(view);
  if (!network.ok()) return Annotate(network.status(), "not a network file");
  return network;
}

}  // namespace squish
