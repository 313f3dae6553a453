// A folder with CIFAR-10's binary batches. Rows are longer than fuzzers like, so an input
// says what the files are made of:
//
//   input size − 8 │ rows, 0 to 3 │ bytes too many (signed) │ length of the names │ names │ rest
//
// Both batches hold the rest again and again. Without names there is no file of them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "common/dataset/cifar10.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/temporary_folder.h"

namespace squish {
namespace {

constexpr int kRow = 1 + 3 * 32 * 32;
constexpr size_t kHead = 4;

void Write(const std::string& path, absl::string_view content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  Require(file.flush().good(), "a file cannot be written");
}

std::string Batch(absl::string_view rest, int size) {
  std::string batch;
  while (!rest.empty() && static_cast<int>(batch.size()) < size) {
    batch.append(rest.data(), std::min(rest.size(), size - batch.size()));
  }
  return batch;
}

void ReadAll(PictureSource& source, int input_size) {
  Require(source.class_names().size() == 10, "there are not ten classes");
  Require(source.Identity([] {}).status(), "a folder that was opened has no identity");
  const int margin = MarginSide(input_size);
  for (int i = 0; i < source.train_images() + source.val_images(); ++i) {
    for (const PictureSource::MarginRule rule :
         {PictureSource::MarginRule([](absl::string_view) { return false; }),
          PictureSource::MarginRule([](absl::string_view) { return true; })}) {
      std::vector<uint8_t> pixels(3 * margin * margin);  // On the heap: sanitizers watch it.
      const auto picture = source.Read(i, rule, absl::MakeSpan(pixels));
      if (!picture.ok()) {
        Require(absl::IsInvalidArgument(picture.status()), "a damaged row is another error");
        continue;
      }
      Require(picture->label >= 0 && picture->label < 10, "a label is of no class");
      Require(picture->side == input_size || (picture->has_margin && picture->side == margin),
              "a picture has a strange size");
    }
  }
}

}  // namespace
}  // namespace squish

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace squish;
  if (size < kHead) return 0;
  static const std::string folder = TemporaryFolder(Below::kMemory);
  const int input_size = 8 + data[0] % 128;
  const int batch_size = std::max(0, data[1] % 4 * kRow + static_cast<int8_t>(data[2]));
  absl::string_view rest = TextOf(data + kHead, size - kHead);
  const absl::string_view names = rest.substr(0, data[3]);
  rest.remove_prefix(names.size());

  const std::string names_path = folder + "/batches.meta.txt";
  std::filesystem::remove(names_path);
  if (!names.empty()) Write(names_path, names);
  const std::string batch = Batch(rest, batch_size);
  Write(folder + "/data_batch_1.bin", batch);
  Write(folder + "/test_batch.bin", batch);

  const auto source = OpenCifar10(folder, input_size);
  if (source.ok()) ReadAll(**source, input_size);
  // File names are a stranger's too: the order must be one.
  Require(!(NaturallyBefore(names, rest) && NaturallyBefore(rest, names)),
          "two names come before each other");
  Require(!NaturallyBefore(names, names), "a name comes before itself");
  return 0;
}
