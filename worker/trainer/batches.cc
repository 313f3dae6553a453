#include "worker/trainer/batches.h"

#include "common/torch/aten.h"

#include <cstring>
#include <numeric>

namespace squish {
namespace {

at::Tensor TableOf(const Normaliser& normaliser, const at::Device& device) {
  at::Tensor table = at::empty({3 * 256}, at::kFloat);
  std::memcpy(table.data_ptr<float>(), normaliser.table().data(), sizeof(normaliser.table()));
  return table.to(device);
}

}  // namespace

Batches::Batches(const DatasetCache& cache, v1::Split split,
                 const v1::Preprocessing& preprocessing, const at::Device& device)
    : cache_(cache),
      split_(split),
      side_(cache.image_size()),
      count_(cache.Count(split)),
      device_(device),
      normaliser_(preprocessing),
      table_(TableOf(normaliser_, device)) {}

std::vector<int> Batches::Labels() const {
  std::vector<int> labels(count_);
  for (int i = 0; i < count_; ++i) labels[i] = cache_.Label(split_, i);
  return labels;
}

// `scratch` has room for the result.
void Batches::Render(const Choice& choice, float* scratch, float* out) const {
  const uint8_t* const picture = cache_.Image(split_, choice.picture).data();
  const int64_t pixels = int64_t{side_} * side_;
  if (choice.crop.height > 0) {
    ResizeWindow(picture, Side(choice.picture), choice.crop, side_, scratch);
  } else {
    // As bytes a picture takes a quarter of the room, in whichever of both is free.
    auto* const bytes = reinterpret_cast<uint8_t*>(choice.colour.IsPlain() ? scratch : out);
    CopyWindow(picture, Side(choice.picture), choice.crop, side_, bytes);
    if (choice.colour.IsPlain()) return normaliser_.Bytes(bytes, pixels, out);
    SplitChannels(bytes, pixels, scratch);
  }
  if (!choice.colour.IsPlain()) VaryColour(choice.colour, pixels, scratch);
  normaliser_.Planes(scratch, pixels, out);
}

Batch Batches::Stage(int64_t n, bool bytes) const {
  return {at::empty({n, side_, side_, 3}, bytes ? at::kByte : at::kFloat).permute({0, 3, 1, 2}),
          at::empty({n}, at::kLong)};
}

void Batches::Fill(absl::Span<const Choice> choices, const Batch& staged) const {
  const size_t values = static_cast<size_t>(side_) * side_ * 3;
  const bool bytes = staged.pictures.scalar_type() == at::kByte;
  std::vector<float> scratch(bytes ? 0 : values);
  for (size_t i = 0; i < choices.size(); ++i) {
    const Choice& choice = choices[i];
    if (bytes) {
      CopyWindow(cache_.Image(split_, choice.picture).data(), Side(choice.picture), choice.crop,
                 side_, staged.pictures.data_ptr<uint8_t>() + i * values);
    } else {
      Render(choice, scratch.data(), staged.pictures.data_ptr<float>() + i * values);
    }
    staged.labels.data_ptr<int64_t>()[i] = cache_.Label(split_, choice.picture);
  }
}

Batch Batches::Finish(const Batch& staged) const {
  at::Tensor pictures = staged.pictures.to(device_);
  if (pictures.scalar_type() == at::kByte) {
    const at::Tensor channels = at::arange(3, table_.options().dtype(at::kLong)) * 256;
    const at::Tensor places = pictures.permute({0, 2, 3, 1}).to(at::kLong) + channels;
    pictures = table_.take(places).permute({0, 3, 1, 2});
  }
  return {pictures, staged.labels.to(device_)};
}

Batch Batches::Make(absl::Span<const Choice> choices) const {
  const Batch staged = Stage(static_cast<int64_t>(choices.size()), /*bytes=*/false);
  Fill(choices, staged);
  return Finish(staged);
}

Batch Batches::MakePlain(absl::Span<const int> pictures) const {
  std::vector<Choice> choices;
  for (const int picture : pictures) {
    choices.push_back({picture, WholePicture(Side(picture), side_), {}});
  }
  return Make(choices);
}

Batch Batches::MakePlain(int first, int count) const {
  std::vector<int> pictures(count);
  std::iota(pictures.begin(), pictures.end(), first);
  return MakePlain(pictures);
}

}  // namespace squish
