// What the boards of a class say of one ancestor under one setting, and which of them is not
// like the others.
//
//   the class's speed   the median over its boards of what each said first
//   a board's own       the median of what it said last
//
// Ratios forgive a slow board, for its ancestor is as slow; but not one that computes in
// another way than its class: with other clocks, another library, half of its cooling. Each
// median is of kSpeeds measurements, so that one that was disturbed sets nobody apart. What
// boards said first, not now, is the class: it does not follow one that drifts, and of two the
// one that has moved is known. Where two differed from the start, the class is who came first.
//
// In memory only. Not thread-safe; without time.
#ifndef SQUISH_COORDINATOR_SERVICE_CLASS_SPEEDS_H_
#define SQUISH_COORDINATOR_SERVICE_CLASS_SPEEDS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace squish {

class ClassSpeeds {
 public:
  static constexpr size_t kSpeeds = 3;
  static constexpr size_t kMaximumKinds = 256;  // The one that was heard of least lately goes.

  // In images/s.
  struct Standing {
    double own = 0;
    double of_class = 0;
    int boards = 0;  // That the class is known by, this one included: at least two.
  };

  // A speed (above 0) of the ancestor that `kind` names, with the setting it was measured
  // under. nullopt: the board, or all others, have said fewer than kSpeeds of that kind.
  std::optional<Standing> Note(const std::string& kind, const std::string& board,
                               double images_per_second);

  // It begins anew, and is no part of the class until it has said enough again.
  void Forget(const std::string& board);

 private:
  struct Board {
    std::vector<double> first, last;  // At most kSpeeds each.
    uint64_t complete = 0;            // When `first` became so; 0: it is not.
  };
  struct Kind {
    uint64_t heard = 0;
    std::map<std::string, Board> boards;
  };

  std::map<std::string, Kind> kinds_;
  uint64_t notes_ = 0;  // Counts.
};

}  // namespace squish

#endif  // SQUISH_COORDINATOR_SERVICE_CLASS_SPEEDS_H_
