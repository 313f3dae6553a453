#include "common/dataset/difference.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/text.h"

namespace squish {
namespace {

constexpr size_t kNamed = 10;
constexpr size_t kMaximumBytes = 4096;

// Of each picture, by name: its label and content.
using Pictures = std::map<std::string, std::pair<int, std::string>>;

Pictures PicturesOf(const DatasetCache& cache) {
  Pictures pictures;
  for (const v1::Split split : {v1::TRAIN, v1::SELECTION, v1::VAL}) {
    for (int i = 0; i < cache.Count(split); ++i) {
      pictures[cache.Name(split, i)] = {cache.Label(split, i), cache.Content(split, i)};
    }
  }
  return pictures;
}

}  // namespace

std::string DescribeDifference(const DatasetCache& before, const DatasetCache& now) {
  const Pictures old_ones = PicturesOf(before), new_ones = PicturesOf(now);
  std::vector<std::string> changed, added, gone;
  for (const auto& [name, picture] : new_ones) {
    const auto found = old_ones.find(name);
    if (found == old_ones.end()) {
      added.push_back(absl::StrCat(name, " is new"));
    } else if (found->second != picture) {
      changed.push_back(absl::StrCat(name, " has changed"));
    }
  }
  for (const auto& [name, picture] : old_ones) {
    if (new_ones.count(name) == 0) gone.push_back(absl::StrCat(name, " is gone or unreadable"));
  }
  std::vector<std::string> all = std::move(changed);
  all.insert(all.end(), added.begin(), added.end());
  all.insert(all.end(), gone.begin(), gone.end());
  if (all.empty()) return "the files are the same, but they were decoded by other rules";
  const size_t more = all.size() > kNamed ? all.size() - kNamed : 0;
  all.resize(all.size() - more);
  return absl::StrCat(Utf8Prefix(absl::StrJoin(all, "; "), kMaximumBytes - 64),
                      more > 0 ? absl::StrCat("; and ", more, " more") : "");
}

}  // namespace squish
