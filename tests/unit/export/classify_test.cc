// examples/classify, on a folder as it is handed out and on pictures whose resized pixels
// are known.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <random>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/child/child.h"
#include "common/export/handout.h"
#include "common/export/onnx_model.h"
#include "common/genome/ancestors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/checkout.h"
#include "tests/support/random_genome.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/torch_reference.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

constexpr int kSide = 64;

struct Picture {
  int width, height;
  std::string pixels;  // RGB.
};

// Coloured noise in blocks.
Picture Drawn(uint64_t seed) {
  std::mt19937_64 engine(seed);
  uint8_t colours[8][8][3];
  for (auto& row : colours) {
    for (auto& colour : row) {
      for (uint8_t& value : colour) value = static_cast<uint8_t>(engine());
    }
  }
  Picture picture{kSide, kSide, {}};
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      for (int c = 0; c < 3; ++c) picture.pixels += static_cast<char>(colours[y / 8][x / 8][c]);
    }
  }
  return picture;
}

// Every pixel so many times: shrinking by area gives the original back.
Picture Enlarged(const Picture& picture, int across, int down) {
  Picture large{picture.width * across, picture.height * down, {}};
  for (int y = 0; y < large.height; ++y) {
    for (int x = 0; x < large.width; ++x) {
      large.pixels += picture.pixels.substr(
          (static_cast<size_t>(y / down) * picture.width + x / across) * 3, 3);
    }
  }
  return large;
}

// Twice as wide, or high, with grey at both ends.
Picture Framed(const Picture& picture, bool wide) {
  Picture framed{
      wide ? 2 * picture.width : picture.width, wide ? picture.height : 2 * picture.height, {}};
  const int left = (framed.width - picture.width) / 2, top = (framed.height - picture.height) / 2;
  for (int y = 0; y < framed.height; ++y) {
    for (int x = 0; x < framed.width; ++x) {
      const int column = x - left, row = y - top;
      const bool inside = column >= 0 && column < picture.width && row >= 0 && row < picture.height;
      framed.pixels +=
          inside ? picture.pixels.substr((static_cast<size_t>(row) * picture.width + column) * 3, 3)
                 : std::string(3, '\x7f');
    }
  }
  return framed;
}

class ClassifyTest : public testing::Test {
 protected:
  ClassifyTest() {
    network_.class_names = {"tench", "church bell", "été"};
    network_.preprocessing.set_input_size(kSide);
    network_.preprocessing.set_mean(0, 1e-5f);  // In JSON with an exponent,
    network_.preprocessing.set_std(1, 1.0f);    // and a whole number.
    TellPicturesApart();
    HandOut();
  }

  std::string Path(absl::string_view name) const { return JoinPath(folder_, name); }

  // Fresh weights see the same class everywhere: scales the head up and shifts it so that
  // one picture gives all classes the same, and others do not.
  void TellPicturesApart() {
    for (float& weight : network_.weights.at("classifier.1.weight").values) weight *= 20;
    std::vector<float>& bias = network_.weights.at("classifier.1.bias").values;
    constexpr float kAboveTheRelu = 50;
    bias.assign(bias.size(), kAboveTheRelu);
    const std::vector<float> logits = Logits(Drawn(0));
    for (size_t i = 0; i < bias.size(); ++i) bias[i] = 2 * kAboveTheRelu - logits[i];
  }

  void HandOut() {
    const auto model = ToOnnx(network_, {.input_size = kSide});
    ASSERT_TRUE(model.ok()) << model.status();
    ASSERT_TRUE(WriteFileDurably(Path("model.onnx"), model->SerializeAsString()).ok());
    ASSERT_TRUE(WriteFileDurably(Path("labels.txt"), Labels(network_)).ok());
    ASSERT_TRUE(WriteFileDurably(Path("preprocessing.json"), PreprocessingJson(network_)).ok());
  }

  void Save(const Picture& picture) {
    const std::string header = absl::StrCat("P6\n", picture.width, " ", picture.height, "\n255\n");
    ASSERT_TRUE(WriteFileDurably(Path("picture.ppm"), header + picture.pixels).ok());
  }

  struct Run {
    std::string out, error, end;
  };
  Run Classify(std::vector<std::string> arguments) {
    ChildOptions options;
    options.command = std::move(arguments);
    options.command.insert(options.command.begin(), TestProgramPath("classify"));
    options.environment = InheritedEnvironment();
    options.stdout_path = Path("out");
    options.stderr_path = Path("error");
    for (const char* file : {"out", "error"}) std::filesystem::remove(Path(file));
    const auto child = Child::Spawn(options);
    EXPECT_TRUE(child.ok()) << child.status();
    Run run;
    run.end = (*child)->CloseAndWait(absl::Seconds(60));
    run.out = ReadFile(Path("out")).value_or("");
    run.error = ReadFile(Path("error")).value_or("");
    return run;
  }

  // What the network itself says of a picture of its own size.
  std::vector<float> Logits(const Picture& picture) const {
    Tensor input{{1, 3, kSide, kSide}, std::vector<float>(size_t{3} * kSide * kSide)};
    for (int c = 0; c < 3; ++c) {
      for (int i = 0; i < kSide * kSide; ++i) {
        const double value = static_cast<uint8_t>(picture.pixels[3 * i + c]) / 255.0;
        input.values[c * kSide * kSide + i] = static_cast<float>(
            (value - network_.preprocessing.mean(c)) / network_.preprocessing.std(c));
      }
    }
    return TorchReference(network_, std::move(input)).logits.values;
  }
  std::pair<std::string, double> Truth(const Picture& picture) const {
    const std::vector<float> logits = Logits(picture);
    const auto best = std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float logit : logits) sum += std::exp(double{logit} - *best);
    return {network_.class_names[best - logits.begin()], 1 / sum};
  }

  void ExpectSeenAs(const Picture& shown, const Picture& resized) {
    Save(shown);
    const Run run = Classify({folder_, Path("picture.ppm")});
    ASSERT_EQ(run.end, "exit status 0") << run.error;
    const auto [name, probability] = Truth(resized);
    const size_t space = run.out.rfind(' ');
    ASSERT_NE(space, std::string::npos) << run.out;
    EXPECT_EQ(run.out.substr(0, space), name);
    double printed = 0;
    ASSERT_TRUE(absl::SimpleAtod(run.out.substr(space + 1), &printed)) << run.out;
    EXPECT_NEAR(printed, probability, 1e-4);
  }

  void ExpectError(const std::vector<std::string>& arguments, const char* end,
                   const char* message) {
    const Run run = Classify(arguments);
    EXPECT_EQ(run.end, end);
    EXPECT_EQ(run.out, "");
    EXPECT_THAT(run.error, HasSubstr(message));
  }

  const std::string folder_ = TemporaryFolder();
  Network network_ = RandomNetwork(*SqueezeNetV11(3, 0.25), 3);
};

TEST_F(ClassifyTest, SaysWhatTheNetworkSays) {
  std::set<std::string> names;
  for (uint64_t seed = 1; seed < 9; ++seed) {
    ExpectSeenAs(Drawn(seed), Drawn(seed));
    names.insert(Truth(Drawn(seed)).first);
  }
  EXPECT_GT(names.size(), 1u) << "pictures that are all the same to the network test little";
}

TEST_F(ClassifyTest, SquashedPicturesAreShrunkByArea) {
  ExpectSeenAs(Enlarged(Drawn(1), 2, 3), Drawn(1));
}

TEST_F(ClassifyTest, TheMiddleIsCutOutAlongEitherSide) {
  network_.preprocessing.set_resize(v1::SHORT_SIDE_CENTER_CROP);
  HandOut();
  ExpectSeenAs(Framed(Drawn(2), /*wide=*/true), Drawn(2));
  ExpectSeenAs(Enlarged(Framed(Drawn(2), /*wide=*/false), 2, 2), Drawn(2));
}

TEST_F(ClassifyTest, SmallPicturesAreEnlarged) {
  const Picture dot{1, 1, "\x10\x80\xf0"};
  ExpectSeenAs(dot, Enlarged(dot, kSide, kSide));
}

TEST_F(ClassifyTest, WhatIsMissingOrWrongIsSaid) {
  Save(Drawn(1));
  const std::string picture = Path("picture.ppm");
  ExpectError({}, "exit status 2", "usage: classify FOLDER PICTURE");
  ExpectError({folder_, Path("nothing.jpg")}, "exit status 1", "nothing.jpg");
  ExpectError({folder_, Path("labels.txt")}, "exit status 1", "cannot read the picture");
  ExpectError({Path("nowhere"), picture}, "exit status 1", "preprocessing.json");
  ASSERT_TRUE(WriteFileDurably(Path("labels.txt"), "one\n").ok());
  ExpectError({folder_, picture}, "exit status 1", "labels.txt is not the model's");
  std::filesystem::remove(Path("labels.txt"));
  ExpectError({folder_, picture}, "exit status 1", "labels.txt");
  HandOut();
  std::filesystem::remove(Path("model.onnx"));
  ExpectError({folder_, picture}, "exit status 1", "model.onnx");
  ASSERT_TRUE(WriteFileDurably(Path("preprocessing.json"), "{}").ok());
  ExpectError({folder_, picture}, "exit status 1", "not understood");
}

}  // namespace
}  // namespace squish
