#include "common/dataset/selection_split.h"

#include <algorithm>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace squish {
namespace {

std::vector<std::vector<absl::string_view>> DigestsByClass(
    absl::Span<const TrainingPicture> pictures, size_t classes) {
  std::vector<std::vector<absl::string_view>> digests(classes);
  for (const TrainingPicture& picture : pictures) digests[picture.label].push_back(picture.content);
  return digests;
}

absl::Status CheckEveryClassTrains(absl::Span<const TrainingPicture> pictures,
                                   const std::vector<bool>& held_out,
                                   absl::Span<const std::string> class_names) {
  std::vector<int> all(class_names.size()), train(class_names.size());
  for (size_t i = 0; i < pictures.size(); ++i) {
    ++all[pictures[i].label];
    if (!held_out[i]) ++train[pictures[i].label];
  }
  for (size_t c = 0; c < class_names.size(); ++c) {
    if (train[c] > 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("class '", class_names[c], "' has ", all[c],
                     " training pictures and none is left to train on after the selection split; "
                     "give it at least two different ones"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<bool>> HeldOutForSelection(absl::Span<const TrainingPicture> pictures,
                                                      absl::Span<const std::string> class_names) {
  std::set<absl::string_view> held_digests;
  for (auto& digests : DigestsByClass(pictures, class_names.size())) {
    const size_t count = static_cast<size_t>(HeldOutCount(static_cast<int>(digests.size())));
    std::partial_sort(digests.begin(), digests.begin() + count, digests.end());
    held_digests.insert(digests.begin(), digests.begin() + count);
  }
  std::vector<bool> held_out(pictures.size());
  for (size_t i = 0; i < pictures.size(); ++i) {
    held_out[i] = held_digests.count(pictures[i].content) > 0;
  }
  const absl::Status status = CheckEveryClassTrains(pictures, held_out, class_names);
  if (!status.ok()) return status;
  return held_out;
}

bool LikelyHeldOut(absl::string_view content) { return content < "33333333"; }

}  // namespace squish
