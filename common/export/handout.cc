#include "common/export/handout.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace squish {
namespace {

using Json = nlohmann::ordered_json;

// How a picture is resized, by the names that OpenCV has for it.
constexpr char kInterpolation[] = "INTER_AREA to shrink, INTER_LINEAR to enlarge";
constexpr char kOutputs[] = "logits: after the last layer, without softmax";

std::string Dump(const Json& json, int indent) {
  return json.dump(indent, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

}  // namespace

std::string OnnxFileName(int batch) {
  return batch == 0 ? "model.onnx" : absl::StrCat("model-batch-", batch, ".onnx");
}

std::string Labels(const Network& network) {
  std::string labels;
  for (std::string name : network.class_names) {
    for (char& c : name) {
      if (c == '\n' || c == '\r') c = ' ';
    }
    absl::StrAppend(&labels, name, "\n");
  }
  return labels;
}

std::string PreprocessingJson(const Network& network) {
  const std::map<std::string, std::string> metadata = NetworkMetadata(network);
  Json json;
  json["input_size"] = network.preprocessing.input_size();
  json["resize"] = metadata.at("squish.resize");
  json["interpolation"] = kInterpolation;
  json["channel_order"] = metadata.at("squish.channel_order");
  // Their text is the shortest that gives the same single-precision numbers back.
  json["mean"] = Json::parse(metadata.at("squish.mean"));
  json["std"] = Json::parse(metadata.at("squish.std"));
  return Dump(json, /*indent=*/2) + "\n";
}

std::map<std::string, std::string> HandoutMetadata(const Network& network) {
  std::map<std::string, std::string> metadata = NetworkMetadata(network);
  metadata.erase("format");
  metadata.erase("squish.genome");
  metadata["squish.interpolation"] = kInterpolation;
  metadata["squish.outputs"] = kOutputs;
  metadata["squish.genome_digest"] = network.genome.Digest();
  metadata["squish.weights_digest"] = WeightsDigest(network.weights);
  return metadata;
}

std::string HandoutMetadataJson(const Network& network) {
  Json json = Json::object();
  for (const auto& [key, value] : HandoutMetadata(network)) json[key] = value;
  return Dump(json, /*indent=*/2) + "\n";
}

}  // namespace squish
