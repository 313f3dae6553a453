#include "jetson-agent/measure/output_check.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace squish {
namespace {

v1::OutputCheck Outcome(v1::OutputCheck::Outcome outcome, std::string note) {
  v1::OutputCheck check;
  check.set_outcome(outcome);
  check.set_note(std::move(note));
  return check;
}

// Empty: the outputs are as many as the reference and all finite.
std::string Malformed(const Logits& outputs, const Logits& reference) {
  if (outputs.size() != reference.size()) {
    return absl::StrCat("outputs for ", outputs.size(), " pictures, not for ", reference.size());
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].size() != reference[i].size()) {
      return absl::StrCat(outputs[i].size(), " outputs for a picture, not ", reference[i].size());
    }
    for (const double value : outputs[i]) {
      if (!std::isfinite(value)) return "an output that is not finite";
    }
  }
  return "";
}

double LargestAbsolute(const Logits& reference) {
  double largest = 0;
  for (const std::vector<double>& picture : reference) {
    for (const double value : picture) largest = std::max(largest, std::abs(value));
  }
  return largest;
}

double LargestDifference(const Logits& one, const Logits& other) {
  double largest = 0;
  for (size_t i = 0; i < one.size(); ++i) {
    for (size_t j = 0; j < one[i].size(); ++j) {
      largest = std::max(largest, std::abs(one[i][j] - other[i][j]));
    }
  }
  return largest;
}

// How far any picture's outputs are from the first one's.
double LargestBetweenPictures(const Logits& reference) {
  return LargestDifference(Logits(reference.size(), reference.front()), reference);
}

int Severity(v1::OutputCheck::Outcome outcome) {
  switch (outcome) {
    case v1::OutputCheck::DIFFERS:
      return 3;
    case v1::OutputCheck::NOT_CHECKED:
      return 2;
    case v1::OutputCheck::PROVES_NOTHING:
      return 1;
    default:
      return 0;
  }
}

}  // namespace

double OutputTolerance(absl::string_view precision) { return precision == "fp32" ? 1e-3 : 5e-2; }

v1::OutputCheck CheckOutputs(absl::string_view precision, const Logits& outputs,
                             const Logits& reference) {
  if (reference.empty()) return OutputsNotChecked("there is nothing to compare them with");
  const double tolerance = OutputTolerance(precision);
  v1::OutputCheck check;
  const std::string malformed = Malformed(outputs, reference);
  const double scale = LargestAbsolute(reference);
  if (!malformed.empty()) {
    check = Outcome(v1::OutputCheck::DIFFERS, malformed);
  } else if (scale == 0) {
    check = Outcome(v1::OutputCheck::PROVES_NOTHING, "the network's own outputs are all zero");
  } else {
    const double difference = LargestDifference(outputs, reference) / scale;
    const bool constant = LargestBetweenPictures(reference) <= tolerance * scale;
    if (difference > tolerance) {
      check = Outcome(v1::OutputCheck::DIFFERS, "");
    } else if (constant) {
      check = Outcome(v1::OutputCheck::PROVES_NOTHING,
                      "the network's own outputs are the same for all pictures");
    } else {
      check = Outcome(v1::OutputCheck::AGREES, "");
    }
    // Finite, whatever an engine says.
    check.set_difference(std::min(difference, 1e300));
  }
  check.set_tolerance(tolerance);
  return check;
}

v1::OutputCheck OutputsNotChecked(std::string why) {
  return Outcome(v1::OutputCheck::NOT_CHECKED, std::move(why));
}

v1::OutputCheck Worse(const v1::OutputCheck& one, const v1::OutputCheck& other) {
  v1::OutputCheck worse = Severity(other.outcome()) > Severity(one.outcome()) ? other : one;
  worse.set_difference(std::max(one.difference(), other.difference()));
  worse.set_tolerance(std::max(one.tolerance(), other.tolerance()));
  return worse;
}

std::string BrokenOutputRule(const v1::OutputCheck& check) {
  if (!check.note().empty()) return absl::StrCat("the engine gives ", check.note());
  return absl::StrFormat(
      "the engine's outputs differ from the network's by %.3g of the largest, at most %.3g is "
      "allowed",
      check.difference(), check.tolerance());
}

}  // namespace squish
