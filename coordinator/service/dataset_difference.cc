#include "coordinator/service/dataset_difference.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/text.h"

namespace squish {
namespace {

constexpr size_t kNamed = 3;
constexpr size_t kNameBytes = 100;

bool SameCounts(const v1::ClassSummary& a, const v1::ClassSummary& b) {
  return a.train_images() == b.train_images() && a.selection_images() == b.selection_images() &&
         a.val_images() == b.val_images();
}

}  // namespace

std::string DescribeClassDifference(const v1::DatasetSummary& pinned,
                                    const v1::DatasetSummary& other) {
  if (!std::equal(pinned.class_names().begin(), pinned.class_names().end(),
                  other.class_names().begin(), other.class_names().end())) {
    return absl::StrCat("its ", other.class_names_size(), " classes are not the experiment's ",
                        pinned.class_names_size());
  }
  const int classes = std::min({pinned.classes_size(), other.classes_size(),
                                pinned.class_names_size()});
  std::vector<std::string> differences;
  for (int c = 0; c < classes; ++c) {
    const v1::ClassSummary& was = pinned.classes(c);
    const v1::ClassSummary& is = other.classes(c);
    const absl::string_view name = Utf8Prefix(pinned.class_names(c), kNameBytes);
    if (!SameCounts(was, is)) {
      differences.push_back(absl::StrCat(
          "class '", name, "' has ", is.train_images(), " training, ", is.selection_images(),
          " selection and ", is.val_images(), " val pictures instead of ", was.train_images(),
          ", ", was.selection_images(), " and ", was.val_images()));
    } else if (was.content_digest() != is.content_digest()) {
      differences.push_back(absl::StrCat("the pictures of class '", name, "' are others"));
    }
  }
  const size_t more = differences.size() > kNamed ? differences.size() - kNamed : 0;
  differences.resize(differences.size() - more);
  return absl::StrCat(absl::StrJoin(differences, "; "),
                      more > 0 ? absl::StrCat("; and ", more, " classes more") : "");
}

}  // namespace squish
