#include "jetson-agent/engine/contract.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/base/strict_json.h"
#include "common/base/text.h"

namespace squish {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaximumMessageBytes = 2048;
constexpr size_t kMaximumPathBytes = 4096;
constexpr size_t kMaximumIdBytes = 64;
constexpr size_t kMaximumLayers = 10'000;
constexpr size_t kMaximumLayerNameBytes = 256;
constexpr int64_t kMaximumCalls = 1'000'000'000'000;
constexpr size_t kMaximumPictures = 4096;
constexpr size_t kMaximumClasses = 65'536;
constexpr char kSafetensors[] = "safetensors";
constexpr char kOnnx[] = "onnx";

// The line's one key and the object behind it.
struct Message {
  std::string kind;
  Json body;
};

absl::StatusOr<Message> ParseMessage(absl::string_view line) {
  SQUISH_ASSIGN_OR_RETURN(Json json, ParseStrictJson(line, {}));
  if (!json.is_object() || json.size() != 1 || !json.begin()->is_object()) {
    return absl::InvalidArgumentError("a message is an object with one key and an object in it");
  }
  return Message{json.begin().key(), json.begin().value()};
}

absl::Status Bad(const char* field, absl::string_view wanted) {
  return absl::InvalidArgumentError(absl::StrCat("`", field, "` must be ", wanted));
}

absl::StatusOr<std::string> Text(const Json& body, const char* field, size_t maximum_bytes) {
  const auto found = body.find(field);
  if (found == body.end() || !found->is_string()) return Bad(field, "a string");
  std::string text = found->get<std::string>();
  if (text.empty() || text.size() > maximum_bytes) {
    return Bad(field, absl::StrCat("1 to ", maximum_bytes, " bytes long"));
  }
  return text;
}

// Text for people: cut, not refused, when it is long; never inside a character.
absl::StatusOr<std::string> Note(const Json& body, const char* field) {
  const auto found = body.find(field);
  if (found == body.end() || !found->is_string()) return Bad(field, "a string");
  return std::string(Utf8Prefix(found->get_ref<const std::string&>(), kMaximumMessageBytes));
}

// A name that becomes part of a measurement's setting.
absl::StatusOr<std::string> Name(const Json& body, const char* field) {
  SQUISH_ASSIGN_OR_RETURN(std::string name, Text(body, field, kMaximumIdBytes));
  if (name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-") != std::string::npos) {
    return Bad(field, "of the characters a-z 0-9 . _ -");
  }
  return name;
}

absl::StatusOr<int64_t> Integer(const Json& body, const char* field, int64_t minimum,
                                int64_t maximum) {
  const auto found = body.find(field);
  const bool fits = found != body.end() && found->is_number_integer() &&
                    (!found->is_number_unsigned() ||
                     found->get<uint64_t>() <= static_cast<uint64_t>(maximum)) &&
                    found->get<int64_t>() >= minimum && found->get<int64_t>() <= maximum;
  if (!fits) return Bad(field, absl::StrCat("an integer from ", minimum, " to ", maximum));
  return found->get<int64_t>();
}

absl::StatusOr<double> PositiveNumber(const Json& body, const char* field) {
  const auto found = body.find(field);
  if (found == body.end() || !found->is_number()) return Bad(field, "a number");
  const double value = found->get<double>();
  if (!(value > 0) || !std::isfinite(value)) return Bad(field, "positive and finite");
  return value;
}

// false where the field is missing.
absl::StatusOr<bool> OptionalFlag(const Json& body, const char* field) {
  const auto found = body.find(field);
  if (found == body.end()) return false;
  if (!found->is_boolean()) return Bad(field, "true or false");
  return found->get<bool>();
}

// Empty where the field is missing.
absl::StatusOr<std::string> OptionalText(const Json& body, const char* field,
                                         size_t maximum_bytes) {
  if (!body.contains(field)) return std::string();
  return Text(body, field, maximum_bytes);
}

// The first of those that we know, so that the list can grow.
absl::StatusOr<NetworkFormat> ParseFormats(const Json& body) {
  const auto found = body.find("formats");
  if (found == body.end()) return NetworkFormat::kSafetensors;
  if (found->is_array()) {
    for (const Json& format : *found) {
      if (format == kSafetensors) return NetworkFormat::kSafetensors;
      if (format == kOnnx) return NetworkFormat::kOnnx;
    }
  }
  return Bad("formats", "an array with \"safetensors\" or \"onnx\" in it");
}

absl::StatusOr<EngineReady> ParseReady(const Json& body) {
  SQUISH_RETURN_IF_ERROR(
      Annotate(Integer(body, "contract", kEngineContract, kEngineContract).status(),
               "the engine speaks another version of the contract"));
  EngineReady ready;
  SQUISH_ASSIGN_OR_RETURN(ready.engine, Name(body, "engine"));
  SQUISH_ASSIGN_OR_RETURN(ready.precision, Name(body, "precision"));
  SQUISH_ASSIGN_OR_RETURN(ready.version, Note(body, "version"));
  const auto synthetic = body.find("synthetic");
  if (synthetic == body.end() || !synthetic->is_boolean()) return Bad("synthetic", "true or false");
  ready.synthetic = synthetic->get<bool>();
  if (body.contains("device_class")) {
    SQUISH_ASSIGN_OR_RETURN(ready.device_class, Text(body, "device_class", kMaximumIdBytes));
  }
  SQUISH_ASSIGN_OR_RETURN(ready.format, ParseFormats(body));
  SQUISH_ASSIGN_OR_RETURN(ready.outputs, OptionalFlag(body, "outputs"));
  SQUISH_ASSIGN_OR_RETURN(ready.restarts_per_block, OptionalFlag(body, "restarts_per_block"));
  SQUISH_ASSIGN_OR_RETURN(ready.builds, OptionalFlag(body, "builds"));
  if (body.contains("load_seconds")) {
    SQUISH_ASSIGN_OR_RETURN(ready.load_seconds, PositiveNumber(body, "load_seconds"));
    if (ready.load_seconds > kMaximumLoadSeconds) {
      return Bad("load_seconds", absl::StrCat("at most ", kMaximumLoadSeconds));
    }
  }
  return ready;
}

absl::StatusOr<Loaded> ParseLoaded(const Json& body) {
  Loaded loaded;
  SQUISH_ASSIGN_OR_RETURN(loaded.id, Text(body, "id", kMaximumIdBytes));
  SQUISH_ASSIGN_OR_RETURN(loaded.engine_sha256,
                          OptionalText(body, "engine_sha256", kMaximumIdBytes));
  if (!loaded.engine_sha256.empty() && !IsSha256Hex(loaded.engine_sha256)) {
    return Bad("engine_sha256", "64 lower-case hexadecimal digits");
  }
  return loaded;
}

absl::StatusOr<BlockReply> ParseBlock(const Json& body) {
  BlockReply block;
  SQUISH_ASSIGN_OR_RETURN(block.id, Text(body, "id", kMaximumIdBytes));
  SQUISH_ASSIGN_OR_RETURN(block.images, Integer(body, "images", 1, INT64_MAX));
  SQUISH_ASSIGN_OR_RETURN(block.seconds, PositiveNumber(body, "seconds"));
  const auto latencies = body.find("latencies");
  if (latencies == body.end()) return block;
  if (!latencies->is_array() || latencies->size() > kMaximumLatencies) {
    return Bad("latencies", absl::StrCat("an array of at most ", kMaximumLatencies));
  }
  for (const Json& latency : *latencies) {
    const double seconds = latency.is_number() ? latency.get<double>() : 0;
    if (!(seconds > 0) || !std::isfinite(seconds)) {
      return Bad("latencies", "positive, finite numbers");
    }
    block.latencies.push_back(seconds);
  }
  return block;
}

// JSON has no word for what is not finite: it is null.
absl::StatusOr<OutputsReply> ParseOutputs(const Json& body) {
  OutputsReply outputs;
  SQUISH_ASSIGN_OR_RETURN(outputs.id, Text(body, "id", kMaximumIdBytes));
  const auto values = body.find("values");
  if (values == body.end() || !values->is_array() || values->size() > kMaximumPictures) {
    return Bad("values", absl::StrCat("an array of at most ", kMaximumPictures, " arrays"));
  }
  for (const Json& picture : *values) {
    if (!picture.is_array() || picture.size() > kMaximumClasses) {
      return Bad("values", absl::StrCat("arrays of at most ", kMaximumClasses, " numbers"));
    }
    std::vector<double>& row = outputs.values.emplace_back();
    for (const Json& value : picture) {
      if (!value.is_number() && !value.is_null()) return Bad("values", "numbers or null");
      const double number =
          value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
      row.push_back(std::isfinite(number) ? number : std::numeric_limits<double>::quiet_NaN());
    }
  }
  return outputs;
}

absl::StatusOr<Profiled> ParseProfiled(const Json& body) {
  Profiled profiled;
  SQUISH_ASSIGN_OR_RETURN(profiled.id, Text(body, "id", kMaximumIdBytes));
  const auto layers = body.find("layers");
  if (layers == body.end() || !layers->is_array() || layers->size() > kMaximumLayers) {
    return Bad("layers", absl::StrCat("an array of at most ", kMaximumLayers));
  }
  for (const Json& layer : *layers) {
    if (!layer.is_object()) return Bad("layers", "objects");
    LayerMilliseconds time;
    SQUISH_ASSIGN_OR_RETURN(time.layer, Text(layer, "layer", kMaximumLayerNameBytes));
    const auto milliseconds = layer.find("milliseconds");
    if (milliseconds == layer.end() || !milliseconds->is_number() ||
        !(milliseconds->get<double>() >= 0) || !std::isfinite(milliseconds->get<double>())) {
      return Bad("milliseconds", "a number of at least 0");
    }
    time.milliseconds = milliseconds->get<double>();
    profiled.layers.push_back(std::move(time));
  }
  return profiled;
}

absl::StatusOr<LoadRequest> ParseLoad(const Json& body) {
  LoadRequest load;
  SQUISH_ASSIGN_OR_RETURN(load.id, Text(body, "id", kMaximumIdBytes));
  SQUISH_ASSIGN_OR_RETURN(load.path, Text(body, "path", kMaximumPathBytes));
  SQUISH_ASSIGN_OR_RETURN(load.batch, Integer(body, "batch", 1, 4096));
  SQUISH_ASSIGN_OR_RETURN(load.input_size, Integer(body, "input_size", 1, 8192));
  SQUISH_ASSIGN_OR_RETURN(load.threads, Integer(body, "threads", 1, 1024));
  SQUISH_ASSIGN_OR_RETURN(load.onnx, OptionalText(body, "onnx", kMaximumPathBytes));
  SQUISH_ASSIGN_OR_RETURN(load.probe, OptionalText(body, "probe", kMaximumPathBytes));
  if (body.contains("build")) {
    SQUISH_ASSIGN_OR_RETURN(load.build, Integer(body, "build", 1, kMaximumBuilds));
  }
  return load;
}

std::string Dump(const char* kind, Json body) {
  // Foreign text (paths, library messages) may be anything: replaced, not thrown at.
  return Json{{kind, std::move(body)}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

struct Writer {
  std::string operator()(const LoadRequest& load) const {
    Json body = {{"id", load.id},
                 {"path", load.path},
                 {"batch", load.batch},
                 {"input_size", load.input_size},
                 {"threads", load.threads}};
    if (!load.onnx.empty()) body["onnx"] = load.onnx;
    if (!load.probe.empty()) body["probe"] = load.probe;
    if (load.build != 1) body["build"] = load.build;
    return Dump("load", std::move(body));
  }
  std::string operator()(const RunRequest& run) const {
    return Dump("run", {{"id", run.id}, {"calls", run.calls}});
  }
  std::string operator()(const OutputsRequest& outputs) const {
    return Dump("outputs", {{"id", outputs.id}});
  }
  std::string operator()(const ProfileRequest& profile) const {
    return Dump("profile", {{"id", profile.id}, {"calls", profile.calls}});
  }
  std::string operator()(const UnloadRequest& unload) const {
    return Dump("unload", {{"id", unload.id}});
  }
  std::string operator()(const EngineReady& ready) const {
    Json body = {{"contract", kEngineContract},
                 {"engine", ready.engine},
                 {"precision", ready.precision},
                 {"version", ready.version},
                 {"synthetic", ready.synthetic}};
    if (!ready.device_class.empty()) body["device_class"] = ready.device_class;
    if (ready.format == NetworkFormat::kOnnx) body["formats"] = Json::array({kOnnx});
    if (ready.outputs) body["outputs"] = true;
    if (ready.restarts_per_block) body["restarts_per_block"] = true;
    if (ready.builds) body["builds"] = true;
    if (ready.load_seconds > 0) body["load_seconds"] = ready.load_seconds;
    return Dump("ready", std::move(body));
  }
  std::string operator()(const Loaded& loaded) const {
    Json body = {{"id", loaded.id}};
    if (!loaded.engine_sha256.empty()) body["engine_sha256"] = loaded.engine_sha256;
    return Dump("loaded", std::move(body));
  }
  std::string operator()(const BlockReply& block) const {
    Json body = {{"id", block.id}, {"images", block.images}, {"seconds", block.seconds}};
    if (!block.latencies.empty()) body["latencies"] = block.latencies;
    return Dump("block", std::move(body));
  }
  // nlohmann's JSON writes null for what is not finite.
  std::string operator()(const OutputsReply& outputs) const {
    return Dump("outputs", {{"id", outputs.id}, {"values", outputs.values}});
  }
  std::string operator()(const Profiled& profiled) const {
    Json layers = Json::array();
    for (const LayerMilliseconds& time : profiled.layers) {
      layers.push_back({{"layer", time.layer}, {"milliseconds", time.milliseconds}});
    }
    return Dump("profiled", {{"id", profiled.id}, {"layers", std::move(layers)}});
  }
  std::string operator()(const Unloaded& unloaded) const {
    return Dump("unloaded", {{"id", unloaded.id}});
  }
  std::string operator()(const Unsupported& unsupported) const {
    return Dump("unsupported", {{"message", unsupported.message}});
  }
  std::string operator()(const EngineError& error) const {
    return Dump("error", {{"message", error.message}});
  }
};

}  // namespace

std::string ToLine(const EngineRequest& request) { return std::visit(Writer{}, request); }

std::string ToLine(const EngineReply& reply) { return std::visit(Writer{}, reply); }

absl::StatusOr<EngineRequest> ParseRequest(absl::string_view line) {
  SQUISH_ASSIGN_OR_RETURN(const Message message, ParseMessage(line));
  if (message.kind == "load") return ParseLoad(message.body);
  SQUISH_ASSIGN_OR_RETURN(std::string id, Text(message.body, "id", kMaximumIdBytes));
  if (message.kind == "unload") return UnloadRequest{std::move(id)};
  if (message.kind == "outputs") return OutputsRequest{std::move(id)};
  if (message.kind != "run" && message.kind != "profile") {
    return absl::InvalidArgumentError("a request is one of load, run, outputs, profile, unload");
  }
  SQUISH_ASSIGN_OR_RETURN(const int64_t calls, Integer(message.body, "calls", 1, kMaximumCalls));
  if (message.kind == "profile") return ProfileRequest{std::move(id), calls};
  return RunRequest{std::move(id), calls};
}

absl::StatusOr<EngineReply> ParseReply(absl::string_view line) {
  SQUISH_ASSIGN_OR_RETURN(const Message message, ParseMessage(line));
  const auto& [kind, body] = message;
  if (kind == "ready") return ParseReady(body);
  if (kind == "loaded") return ParseLoaded(body);
  if (kind == "block") return ParseBlock(body);
  if (kind == "outputs") return ParseOutputs(body);
  if (kind == "profiled") return ParseProfiled(body);
  if (kind == "unsupported" || kind == "error") {
    SQUISH_ASSIGN_OR_RETURN(std::string text, Note(body, "message"));
    if (kind == "error") return EngineError{std::move(text)};
    return Unsupported{std::move(text)};
  }
  if (kind != "unloaded") {
    return absl::InvalidArgumentError(
        "an answer is one of ready, loaded, block, outputs, profiled, unloaded, unsupported, "
        "error");
  }
  SQUISH_ASSIGN_OR_RETURN(std::string id, Text(body, "id", kMaximumIdBytes));
  return Unloaded{std::move(id)};
}

}  // namespace squish
