// A stand-in of NVIDIA's trtexec (fake_trtexec.py) and what it takes for networks and gives as
// outputs.
#ifndef SQUISH_TESTS_UNIT_ENGINE_STAND_INS_H_
#define SQUISH_TESTS_UNIT_ENGINE_STAND_INS_H_

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/ids.h"
#include "common/weights/tensors.h"
#include "jetson-agent/engine/pictures.h"
#include "tests/support/checkout.h"

namespace squish {

// A program that is the stand-in of a version in which something goes wrong.
inline std::string WriteStandInTrtexec(const std::string& folder, const std::string& version,
                                       const std::string& bad) {
  const std::string path = JoinPath(folder, absl::StrCat("trtexec-", version, "-", bad));
  EXPECT_TRUE(WriteFileDurably(path, absl::StrCat("#!/bin/sh\nexec python3 -IS ",
                                                  SourcePath("tests/unit/engine/fake_trtexec.py"),
                                                  " ", version, " ", bad, " \"$@\"\n"))
                  .ok());
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

// `words` as fake_trtexec.py says.
inline std::string WriteStandInOnnx(const std::string& folder, const std::string& words) {
  const std::string path = JoinPath(folder, absl::StrCat("model-", RandomHex(4), ".onnx"));
  EXPECT_TRUE(WriteFileDurably(path, absl::StrCat("fake-onnx ", words, "\n")).ok());
  return path;
}

inline std::string WriteTensors(const std::string& folder, const TensorMap& tensors) {
  const std::string path = JoinPath(folder, absl::StrCat("tensors-", RandomHex(4)));
  EXPECT_TRUE(WriteFileDurably(path, SerializeSafetensors({}, ViewOfTensors(tensors))).ok());
  return path;
}

inline std::string WriteProbe(const std::string& folder, const Pictures& pictures) {
  return WriteTensors(folder, {{"pictures",
                                {{pictures.count, pictures.channels, pictures.side, pictures.side},
                                 pictures.values}}});
}

inline std::string WriteOutputs(const std::string& folder,
                                const std::vector<std::vector<double>>& outputs) {
  Tensor tensor{{static_cast<int64_t>(outputs.size()), static_cast<int64_t>(outputs[0].size())},
                {}};
  for (const std::vector<double>& row : outputs) {
    for (const double value : row) tensor.values.push_back(static_cast<float>(value));
  }
  return WriteTensors(folder, {{"outputs", tensor}});
}

struct StandInProbe {
  std::string pictures_path;
  std::vector<std::vector<double>> outputs;  // What the stand-in gives for them.
};

inline StandInProbe WriteStandInProbe(const std::string& folder, int count, int side, int classes) {
  const Pictures pictures = RandomPictures(count, 3, side);
  StandInProbe probe{WriteProbe(folder, pictures), {}};
  const int size = 3 * side * side;
  for (int i = 0; i < count; ++i) {
    std::vector<double>& row = probe.outputs.emplace_back(classes);
    for (int j = 0; j < size; ++j) {
      const int of_class = (size - j % classes + classes - 1) / classes;
      row[j % classes] += pictures.values[i * size + j] / of_class;
    }
  }
  return probe;
}

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_ENGINE_STAND_INS_H_
