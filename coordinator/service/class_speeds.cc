#include "coordinator/service/class_speeds.h"

#include <algorithm>
#include <utility>

namespace squish {
namespace {

double MedianOfThree(std::vector<double> values) {
  static_assert(ClassSpeeds::kSpeeds == 3);
  std::sort(values.begin(), values.end());
  return values[1];
}

}  // namespace

std::optional<ClassSpeeds::Standing> ClassSpeeds::Note(const std::string& kind_name,
                                                       const std::string& board,
                                                       double images_per_second) {
  Kind& kind = kinds_[kind_name];
  kind.heard = ++notes_;
  if (kinds_.size() > kMaximumKinds) {
    kinds_.erase(std::min_element(kinds_.begin(), kinds_.end(), [](const auto& a, const auto& b) {
      return a.second.heard < b.second.heard;
    }));
  }
  Board& own = kind.boards[board];
  if (own.first.size() < kSpeeds) {
    own.first.push_back(images_per_second);
    if (own.first.size() == kSpeeds) own.complete = notes_;
  }
  own.last.push_back(images_per_second);
  if (own.last.size() > kSpeeds) own.last.erase(own.last.begin());
  if (own.complete == 0) return std::nullopt;

  // (speed, since when) of every board that has said enough.
  std::vector<std::pair<double, uint64_t>> boards;
  for (const auto& [name, one] : kind.boards) {
    if (one.complete != 0) boards.emplace_back(MedianOfThree(one.first), one.complete);
  }
  if (boards.size() < 2) return std::nullopt;
  std::sort(boards.begin(), boards.end());
  const auto& upper = boards[boards.size() / 2];
  const auto& lower = boards[(boards.size() - 1) / 2];
  return Standing{.own = MedianOfThree(own.last),
                  .of_class = lower.second < upper.second ? lower.first : upper.first,
                  .boards = static_cast<int>(boards.size())};
}

void ClassSpeeds::Forget(const std::string& board) {
  for (auto it = kinds_.begin(); it != kinds_.end();) {
    it->second.boards.erase(board);
    it = it->second.boards.empty() ? kinds_.erase(it) : std::next(it);
  }
}

}  // namespace squish
