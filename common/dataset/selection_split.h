// Which training pictures are held out for selection. Pure.
#ifndef SQUISH_COMMON_DATASET_SELECTION_SPLIT_H_
#define SQUISH_COMMON_DATASET_SELECTION_SPLIT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace squish {

// The rule's name; part of every fingerprint.
constexpr absl::string_view kSelectionRule = "selection: per class ceil(n/5) smallest sha256/1";

// A training picture as the rule sees it.
struct TrainingPicture {
  int label;
  std::string content;  // SHA-256 of the source's picture.
};

// ⌈0.2·n⌉: how many of a class's n pictures are held out.
constexpr int HeldOutCount(int n) { return n / 5 + (n % 5 != 0 ? 1 : 0); }

// Per class the ⌈0.2·n⌉ pictures with the smallest content digest. Equal content
// never straddles the split: whatever has a held-out digest, under any label, is held
// out too. result[i] tells of pictures[i]; it depends on their content, not on their
// order. INVALID_ARGUMENT: a class (named) has no picture, or none left to train on.
absl::StatusOr<std::vector<bool>> HeldOutForSelection(absl::Span<const TrainingPicture> pictures,
                                                      absl::Span<const std::string> class_names);

// What HeldOutForSelection will most likely say of a picture, from its digest alone: the
// digests are uniform, so the smallest fifth of any class lies in the lowest fifth of
// all of them, but for a few per cent near its end.
bool LikelyHeldOut(absl::string_view content);

}  // namespace squish

#endif  // SQUISH_COMMON_DATASET_SELECTION_SPLIT_H_
