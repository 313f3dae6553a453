#include "worker/trainer/feed.h"

#include "common/torch/aten.h"

namespace squish {
namespace {

// What a device is sent as bytes, and normalises itself.
bool CroppedOnly(const v1::Recipe& recipe) {
  return recipe.crop_area() == 1 && recipe.colour() == 0;
}

std::array<Batch, WorkAhead::kSlots> Stages(const Batches& train, const v1::Recipe& recipe) {
  const bool bytes = !train.device().is_cpu() && CroppedOnly(recipe);
  std::array<Batch, WorkAhead::kSlots> stages;
  for (Batch& stage : stages) stage = train.Stage(recipe.batch(), bytes);
  return stages;
}

}  // namespace

Feed::Feed(const Batches& train, const v1::Recipe& recipe, uint64_t seed, int64_t first,
           int64_t steps)
    : train_(train),
      recipe_(recipe),
      seed_(seed),
      order_(seed, train.Labels()),
      staged_(Stages(train, recipe)),
      ahead_(steps - first, [this, first](int64_t step, int slot) {
        train_.Fill(Choices(first + step), staged_[slot]);
      }) {}

std::vector<Choice> Feed::Choices(int64_t step) {
  std::vector<Choice> choices(recipe_.batch());
  for (int i = 0; i < recipe_.batch(); ++i) {
    const int64_t position = step * recipe_.batch() + i;
    const int picture = order_.At(position);
    choices[i] = {picture, DrawCrop(recipe_, seed_, position, train_.Side(picture), train_.side()),
                  DrawColour(recipe_, seed_, position)};
  }
  return choices;
}

Batch Feed::Next() { return train_.Finish(staged_[ahead_.Next()]); }

}  // namespace squish
