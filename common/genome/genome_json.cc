#include "common/genome/genome_json.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/base/strict_json.h"

namespace squish {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

// --- Writing ----------------------------------------------------------------

struct OperationName {
  const char* operator()(const Input&) const { return "input"; }
  const char* operator()(const Conv2d&) const { return "conv2d"; }
  const char* operator()(const Relu&) const { return "relu"; }
  const char* operator()(const MaxPool&) const { return "max_pool"; }
  const char* operator()(const Concat&) const { return "concat"; }
  const char* operator()(const GlobalAveragePool&) const { return "global_average_pool"; }
  const char* operator()(const Dropout&) const { return "dropout"; }
};

struct OperationFields {
  OrderedJson& json;
  LineageForm form;

  void operator()(const Input& input) const { json["channels"] = input.channels; }
  void operator()(const Conv2d& conv) const {
    json["kernel"] = conv.kernel;
    json["stride"] = conv.stride;
    json["padding"] = conv.padding;
    if (form == LineageForm::kIndices) {
      json["lineage"] = conv.lineage;
    } else {
      json["lineage"] = conv.filters();
    }
  }
  void operator()(const MaxPool& pool) const {
    json["kernel"] = pool.kernel;
    json["stride"] = pool.stride;
  }
  void operator()(const Dropout& dropout) const { json["permille"] = dropout.permille; }
  void operator()(const Relu&) const {}
  void operator()(const Concat&) const {}
  void operator()(const GlobalAveragePool&) const {}
};

// --- Reading ----------------------------------------------------------------

absl::StatusOr<int> IntFrom(const Json& value, absl::string_view what) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<uint64_t>();
    if (number <= std::numeric_limits<int>::max()) return static_cast<int>(number);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", what, "\" must be a whole number from 0 to 2147483647"));
}

absl::StatusOr<Json::const_iterator> Find(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found != object.end()) return found;
  return absl::InvalidArgumentError(absl::StrCat("\"", key, "\" is missing"));
}

absl::Status Read(const Json& object, const char* key, int& value) {
  SQUISH_ASSIGN_OR_RETURN(const auto found, Find(object, key));
  SQUISH_ASSIGN_OR_RETURN(value, IntFrom(*found, key));
  return absl::OkStatus();
}

absl::Status Read(const Json& object, const char* key, std::vector<int>& values) {
  SQUISH_ASSIGN_OR_RETURN(const auto found, Find(object, key));
  if (!found->is_array()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", key, "\" must be an array"));
  }
  values.reserve(found->size());
  for (const Json& item : *found) {
    SQUISH_ASSIGN_OR_RETURN(const int value, IntFrom(item, key));
    values.push_back(value);
  }
  return absl::OkStatus();
}

absl::Status Read(const Json& object, const char* key, std::string& value) {
  SQUISH_ASSIGN_OR_RETURN(const auto found, Find(object, key));
  if (!found->is_string()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", key, "\" must be a string"));
  }
  value = found->get<std::string>();
  return absl::OkStatus();
}

absl::Status ReadOperation(const Json& json, Operation& operation) {
  std::string name;
  SQUISH_RETURN_IF_ERROR(Read(json, "op", name));
  if (name == "input") return Read(json, "channels", operation.emplace<Input>().channels);
  if (name == "conv2d") {
    auto& conv = operation.emplace<Conv2d>();
    SQUISH_RETURN_IF_ERROR(Read(json, "kernel", conv.kernel));
    SQUISH_RETURN_IF_ERROR(Read(json, "stride", conv.stride));
    SQUISH_RETURN_IF_ERROR(Read(json, "padding", conv.padding));
    return Read(json, "lineage", conv.lineage);
  }
  if (name == "max_pool") {
    auto& pool = operation.emplace<MaxPool>();
    SQUISH_RETURN_IF_ERROR(Read(json, "kernel", pool.kernel));
    return Read(json, "stride", pool.stride);
  }
  if (name == "dropout") return Read(json, "permille", operation.emplace<Dropout>().permille);
  if (name == "relu") {
    operation.emplace<Relu>();
  } else if (name == "concat") {
    operation.emplace<Concat>();
  } else if (name == "global_average_pool") {
    operation.emplace<GlobalAveragePool>();
  } else {
    return absl::InvalidArgumentError(absl::StrCat(
        "the operation \"", absl::Utf8SafeCEscape(name.substr(0, 64)), "\" is not known"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Layer> LayerFromJson(const Json& json) {
  if (!json.is_object()) return absl::InvalidArgumentError("it is no object");
  Layer layer;
  SQUISH_RETURN_IF_ERROR(Read(json, "name", layer.name));
  SQUISH_RETURN_IF_ERROR(Read(json, "inputs", layer.inputs));
  SQUISH_RETURN_IF_ERROR(ReadOperation(json, layer.operation));
  return layer;
}

}  // namespace

std::string LayersToJson(const std::vector<Layer>& layers, LineageForm form) {
  OrderedJson list = OrderedJson::array();
  for (const Layer& layer : layers) {
    OrderedJson json;
    json["name"] = layer.name;
    json["op"] = std::visit(OperationName{}, layer.operation);
    json["inputs"] = layer.inputs;
    std::visit(OperationFields{json, form}, layer.operation);
    list.push_back(std::move(json));
  }
  OrderedJson genome;
  genome["version"] = 1;
  genome["layers"] = std::move(list);
  return genome.dump();
}

absl::StatusOr<std::vector<Layer>> LayersFromJson(absl::string_view text) {
  StrictJsonLimits limits;
  limits.maximum_bytes = kMaximumGenomeJsonBytes;
  limits.maximum_depth = 4;  // Genome, layers, layer, lineage.
  SQUISH_ASSIGN_OR_RETURN(const Json json, ParseStrictJson(text, limits));
  if (!json.is_object()) return absl::InvalidArgumentError("it is no object");
  int version = 0;
  SQUISH_RETURN_IF_ERROR(Read(json, "version", version));
  if (version != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("its version is ", version, "; this program reads version 1"));
  }
  SQUISH_ASSIGN_OR_RETURN(const auto list, Find(json, "layers"));
  if (!list->is_array()) return absl::InvalidArgumentError("\"layers\" must be an array");
  std::vector<Layer> layers;
  layers.reserve(list->size());
  for (const Json& item : *list) {
    absl::StatusOr<Layer> layer = LayerFromJson(item);
    if (!layer.ok()) return Annotate(layer.status(), absl::StrCat("layer ", layers.size()));
    layers.push_back(*std::move(layer));
  }
  return layers;
}

}  // namespace squish
