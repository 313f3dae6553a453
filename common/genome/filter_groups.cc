#include "common/genome/filter_groups.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace squish {
namespace {

// Union and find over layer indices; the root of a set is its smallest member.
class DisjointSets {
 public:
  explicit DisjointSets(int size) : parent_(size) { std::iota(parent_.begin(), parent_.end(), 0); }
  int Find(int member) {
    while (parent_[member] != member) {
      parent_[member] = parent_[parent_[member]];
      member = parent_[member];
    }
    return member;
  }
  void Unite(int a, int b) {
    a = Find(a);
    b = Find(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<int> parent_;
};

}  // namespace

std::vector<FilterGroup> GroupFilters(const std::vector<int>& convs,
                                      const std::vector<FilterTie>& ties) {
  DisjointSets sets(convs.back() + 1);
  for (const FilterTie& tie : ties) sets.Unite(tie.first, tie.second);
  std::map<int, FilterGroup> by_root;
  for (const int conv : convs) by_root[sets.Find(conv)].layers.push_back(conv);
  by_root[sets.Find(convs.back())].prunable = false;
  std::vector<FilterGroup> groups;
  groups.reserve(by_root.size());
  for (auto& [root, group] : by_root) groups.push_back(std::move(group));
  return groups;
}

}  // namespace squish
