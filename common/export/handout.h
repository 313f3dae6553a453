// What a network's files in other formats come with: class names and what is to be done to
// a picture, as texts that other programs read. The forms are in docs/exported-files.md.
// Pure; thread-safe.
#ifndef SQUISH_COMMON_EXPORT_HANDOUT_H_
#define SQUISH_COMMON_EXPORT_HANDOUT_H_

#include <map>
#include <string>

#include "common/weights/network.h"

namespace squish {

// What a network is handed out as. OnnxFileName(0), which takes any number of pictures a
// call, is "model.onnx"; of eight it is "model-batch-8.onnx".
constexpr char kNetworkFileName[] = "network.safetensors";
constexpr char kTorchScriptFileName[] = "model.pt";
std::string OnnxFileName(int batch);

// `labels.txt`: a class name a line, in label order. Line breaks inside a name become
// spaces.
std::string Labels(const Network& network);

// `preprocessing.json`: input_size, resize, interpolation, channel_order, mean and std.
// OpenCV's cv::FileStorage reads it, too.
std::string PreprocessingJson(const Network& network);

// What an ONNX or TorchScript file says of itself, by key: the network file's own keys
// (docs/network-file.md) without the genome's text, and `squish.interpolation`,
// `squish.outputs`, `squish.genome_digest`, `squish.weights_digest`.
std::map<std::string, std::string> HandoutMetadata(const Network& network);

// The same as one JSON object, whose values are strings.
std::string HandoutMetadataJson(const Network& network);

}  // namespace squish

#endif  // SQUISH_COMMON_EXPORT_HANDOUT_H_
