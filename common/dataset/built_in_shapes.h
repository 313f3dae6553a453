// The built-in set: pictures that the program draws from a seed, so that everybody can
// evolve networks without a data set at hand. One textured shape (its outline is the
// class; see shape_outline.h), large or now and then far away, in any pose and colour,
// before a textured ground, among and partly behind smaller pieces, under uneven light
// and noise.
//
// Pure, and the same bytes on every machine: random numbers are counter-based and the
// arithmetic is +, −, ×, ÷, sqrt and floor on doubles, in one fixed order.
#ifndef SQUISH_COMMON_DATASET_BUILT_IN_SHAPES_H_
#define SQUISH_COMMON_DATASET_BUILT_IN_SHAPES_H_

#include <string>
#include <vector>

#include "common/dataset/picture_source.h"

namespace squish {

// Picture i has label i mod 10; train and val are different streams of one seed.
class BuiltInShapesSource : public PictureSource {
 public:
  BuiltInShapesSource(const v1::BuiltInShapes& spec, int input_size)
      : spec_(spec), input_size_(input_size) {}

  const std::vector<std::string>& class_names() const override;
  int train_images() const override { return spec_.train_images(); }
  int val_images() const override { return spec_.val_images(); }
  std::string Rules() const override { return "built-in shapes/2"; }
  absl::StatusOr<std::string> Identity(absl::FunctionRef<void()> alive) const override;
  // Drawn at the input size: there is nothing larger to take a margin from.
  absl::StatusOr<Picture> Read(int index, MarginRule margin, absl::Span<uint8_t> pixels) override;

 private:
  const v1::BuiltInShapes spec_;
  const int input_size_;
};

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_BUILT_IN_SHAPES_H_
