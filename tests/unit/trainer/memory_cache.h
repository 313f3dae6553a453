// A small data set in memory, easy to learn.
#ifndef SQUISH_TESTS_UNIT_TRAINER_MEMORY_CACHE_H_
#define SQUISH_TESTS_UNIT_TRAINER_MEMORY_CACHE_H_

#include <map>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "common/dataset/cache.h"
#include "common/genome/ancestors.h"
#include "common/weights/network.h"

namespace squish {

// Noise, with a brighter stripe where the class is: class c of C in the c-th band of
// columns. Mirroring would move it, so training on it is without flips.
class MemoryCache : public DatasetCache {
 public:
  MemoryCache(int side, int classes, int train, int selection) : side_(side) {
    summary_.set_fingerprint("stripes");
    for (int c = 0; c < classes; ++c) summary_.add_class_names("stripe-" + std::to_string(c));
    summary_.set_train_images(train);
    summary_.set_selection_images(selection);
    for (int i = 0; i < 3; ++i) {
      summary_.add_mean(0.4f);
      summary_.add_std(0.25f);
    }
    counts_ = {{v1::TRAIN, train}, {v1::SELECTION, selection}, {v1::VAL, 0}};
    Draw(v1::TRAIN, classes);
    Draw(v1::SELECTION, classes);
  }

  const v1::DatasetSummary& summary() const override { return summary_; }
  int image_size() const override { return side_; }
  int Count(v1::Split split) const override { return counts_.at(split); }
  absl::Span<const uint8_t> Image(v1::Split split, int index) const override {
    return pixels().subspan(PictureBytes() * Place(split, index), PictureBytes());
  }
  int Label(v1::Split split, int index) const override { return labels_[Place(split, index)]; }
  absl::Span<const uint8_t> labels() const { return labels_; }
  absl::Span<const uint8_t> pixels() const { return pixels_; }

  v1::Preprocessing preprocessing() const {
    v1::Preprocessing preprocessing;
    preprocessing.set_input_size(side_);
    preprocessing.set_resize(v1::SQUASH);
    *preprocessing.mutable_mean() = summary_.mean();
    *preprocessing.mutable_std() = summary_.std();
    return preprocessing;
  }

  // A fresh SqueezeNet v1.1 of that width for these pictures.
  Network FreshNetwork(double width, uint64_t seed) const {
    const int classes = summary_.class_names_size();
    Genome genome = *SqueezeNetV11(classes, width);
    TensorMap weights = FreshWeights(genome, seed, 0, 0);
    return Network{std::move(genome), std::move(weights),
                   {summary_.class_names().begin(), summary_.class_names().end()},
                   preprocessing()};
  }

 private:
  size_t PictureBytes() const { return static_cast<size_t>(side_) * side_ * 3; }
  size_t Place(v1::Split split, int index) const {
    return static_cast<size_t>(index) + (split == v1::TRAIN ? 0 : counts_.at(v1::TRAIN));
  }

  void Draw(v1::Split split, int classes) {
    const RandomStream stream(RandomDomain::kBuiltInShapes, {static_cast<uint64_t>(split)});
    for (int i = 0; i < counts_.at(split); ++i) {
      const int label = i % classes;
      labels_.push_back(static_cast<uint8_t>(label));
      for (size_t j = 0; j < PictureBytes(); ++j) {
        const int column = static_cast<int>(j / 3) % side_;
        const bool bright = column * classes / side_ == label;
        const uint32_t noise = stream.Bits(i * PictureBytes() + j) % 128;
        pixels_.push_back(static_cast<uint8_t>(noise + (bright ? 100 : 0)));
      }
    }
  }

  const int side_;
  v1::DatasetSummary summary_;
  std::map<v1::Split, int> counts_;
  std::vector<uint8_t> labels_;
  std::vector<uint8_t> pixels_;
};

// A complete recipe for such a set.
inline v1::Recipe StripesRecipe() {
  v1::Recipe recipe;
  recipe.set_epochs(1);
  recipe.set_batch(16);
  recipe.set_learning_rate(0.02);
  recipe.set_final_learning_rate(0);
  recipe.set_warmup_epochs(0.2);
  recipe.set_momentum(0.9);
  recipe.set_weight_decay(0.0002);
  recipe.set_label_smoothing(0);
  recipe.set_gradient_clip(2);
  recipe.set_dropout(0.5);
  recipe.set_flip(false);
  recipe.set_shift(1);
  recipe.set_crop_area(1);
  recipe.set_colour(0);
  recipe.set_precision(v1::Recipe::FP32);
  return recipe;
}

}  // namespace squish

#endif  // SQUISH_TESTS_UNIT_TRAINER_MEMORY_CACHE_H_
