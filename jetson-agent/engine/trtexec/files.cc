#include "jetson-agent/engine/trtexec/files.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/base/strict_json.h"

namespace squish {
namespace {

using Json = nlohmann::json;

constexpr double kSecondsPerMillisecond = 1e-3;

// The timestamps that a block is made of, in the names of TensorRT 6 and 7, and of 8 on.
constexpr const char* kStarts[] = {"startInMs", "startH2dMs"};
constexpr const char* kEnds[] = {"endOutMs", "endD2hMs"};
// What a call took, best first: newer versions than 8.2 have no endToEndMs.
constexpr const char* kLatencies[] = {"endToEndMs", "latencyMs"};

absl::StatusOr<Json> ParseArray(absl::string_view text, absl::string_view what) {
  constexpr StrictJsonLimits kLimits{size_t{1} << 28, 8, size_t{1} << 25};
  const absl::StatusOr<Json> json = ParseStrictJson(text, kLimits);
  if (!json.ok() || !json->is_array()) {
    return absl::InvalidArgumentError(
        absl::StrCat("trtexec's file of ", what, " is no whole JSON array",
                     json.ok() ? "" : absl::StrCat(": ", json.status().message())));
  }
  return *json;
}

// The first of these fields that the object has.
template <size_t kCount>
absl::StatusOr<double> Number(const Json& object, const char* const (&names)[kCount]) {
  for (const char* name : names) {
    const auto found = object.find(name);
    if (found == object.end()) continue;
    if (found->is_number() && std::isfinite(found->get<double>())) return found->get<double>();
    return absl::InvalidArgumentError(
        absl::StrCat("trtexec's file of times has a `", name, "` that is no number"));
  }
  return absl::InvalidArgumentError(absl::StrCat("trtexec's file of times has no `", names[0],
                                                 "` or `", names[kCount - 1],
                                                 "`: is it of a version that we do not know?"));
}

// The characters that an option's name may have.
bool IsOptionCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
}

// Between `before` and the next character that is not alphanumeric.
std::string WordAfter(absl::string_view text, absl::string_view before) {
  const size_t found = text.find(before);
  if (found == absl::string_view::npos) return "";
  text.remove_prefix(found + before.size());
  size_t length = 0;
  while (length < text.size() && absl::ascii_isalnum(static_cast<unsigned char>(text[length]))) {
    ++length;
  }
  return std::string(text.substr(0, length));
}

// The line in which `words` stand, without what precedes them.
std::optional<std::string> LineFrom(absl::string_view log, absl::string_view words) {
  const size_t found = log.find(words);
  if (found == absl::string_view::npos) return std::nullopt;
  const absl::string_view rest = log.substr(found);
  return std::string(rest.substr(0, rest.find('\n')));
}

bool IsComplaint(absl::string_view line) {
  return absl::StrContains(line, "[E]") || absl::StrContains(line, "ERROR") ||
         absl::StrContains(line, "rror: ") || absl::StrContains(line, "failure");
}

std::string LastComplaint(absl::string_view log) {
  std::string last;
  for (const absl::string_view line : absl::StrSplit(log, '\n')) {
    if (IsComplaint(line)) last = std::string(absl::StripAsciiWhitespace(line));
  }
  return last;
}

}  // namespace

absl::StatusOr<TrtexecHelp> ParseTrtexecHelp(absl::string_view text) {
  TrtexecHelp help;
  help.version = WordAfter(text, "[TensorRT v");
  for (size_t at = text.find("--"); at != absl::string_view::npos; at = text.find("--", at)) {
    size_t end = at;
    while (end < text.size() && IsOptionCharacter(text[end])) ++end;
    help.options.insert(std::string(text.substr(at, end - at)));
    at = end;
  }
  for (const char* needed : {"--onnx", "--saveEngine", "--loadEngine", "--loadInputs",
                             "--exportTimes", "--exportOutput", "--iterations", "--duration",
                             "--warmUp"}) {
    if (!help.Has(needed)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "its --help names no ", needed, ": the trtexec of TensorRT 6 or newer is wanted"));
    }
  }
  return help;
}

absl::StatusOr<RunTiming> ParseTrtexecTimes(absl::string_view json, int64_t calls) {
  SQUISH_ASSIGN_OR_RETURN(const Json trace, ParseArray(json, "times"));
  const auto count = static_cast<int64_t>(trace.size());
  if (calls < 1 || count < calls) {
    return absl::InvalidArgumentError(absl::StrCat("trtexec was asked for ", calls,
                                                   " calls and its file of times has ", count));
  }
  const size_t first = trace.size() - static_cast<size_t>(calls);
  constexpr auto kMaximum = static_cast<int64_t>(kMaximumLatencies);
  const int64_t calls_per_latency = (calls + kMaximum - 1) / kMaximum;
  SQUISH_ASSIGN_OR_RETURN(const double start, Number(trace[first], kStarts));
  SQUISH_ASSIGN_OR_RETURN(const double end, Number(trace.back(), kEnds));
  RunTiming timing{(end - start) * kSecondsPerMillisecond};
  if (!(timing.seconds > 0)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("trtexec's calls took %.3g s", timing.seconds));
  }
  for (int64_t i = 0; i < calls; i += calls_per_latency) {
    SQUISH_ASSIGN_OR_RETURN(const double latency,
                            Number(trace[first + static_cast<size_t>(i)], kLatencies));
    if (!(latency > 0)) {
      return absl::InvalidArgumentError(
          absl::StrFormat("a call of trtexec's took %.3g ms", latency));
    }
    timing.latencies.push_back(latency * kSecondsPerMillisecond);
  }
  return timing;
}

absl::StatusOr<std::vector<std::vector<double>>> ParseTrtexecOutput(absl::string_view json,
                                                                    int pictures) {
  // It writes what is not finite as C++ does, which is no JSON.
  const std::string text = absl::StrReplaceAll(
      json, {{"-nan", "null"}, {"nan", "null"}, {"-inf", "null"}, {"inf", "null"}});
  SQUISH_ASSIGN_OR_RETURN(const Json outputs, ParseArray(text, "outputs"));
  for (const Json& output : outputs) {
    if (!output.is_object() || output.value("name", Json()) != "logits") continue;
    const auto values = output.find("values");
    if (values == output.end() || !values->is_array() || values->empty() ||
        values->size() % static_cast<size_t>(pictures) != 0) {
      return absl::InvalidArgumentError("trtexec's outputs are no rows of equal length");
    }
    const size_t classes = values->size() / static_cast<size_t>(pictures);
    std::vector<std::vector<double>> rows(static_cast<size_t>(pictures));
    for (size_t i = 0; i < values->size(); ++i) {
      const Json& value = (*values)[i];
      rows[i / classes].push_back(value.is_number() ? value.get<double>()
                                                    : std::numeric_limits<double>::quiet_NaN());
    }
    return rows;
  }
  return absl::InvalidArgumentError("trtexec's file of outputs has no `logits`");
}

absl::Status TrtexecFailure(absl::string_view action, absl::string_view ending,
                            absl::string_view log) {
  const std::string what = absl::StrCat("trtexec failed to ", action, " (", ending, ")");
  // Said before attempts to find a plugin, too: only of one that failed it is a reason.
  if (const auto line = LineFrom(log, "No importer registered for op")) {
    return absl::UnimplementedError(absl::StrCat(what, ": ", *line));
  }
  if (const auto line = LineFrom(log, "Unknown option")) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": ", *line));
  }
  if (const auto line = LineFrom(log, "out of memory")) {
    return absl::ResourceExhaustedError(absl::StrCat(what, ": the device is out of memory"));
  }
  const std::string complaint = LastComplaint(log);
  return absl::InternalError(complaint.empty() ? absl::StrCat(what, " without a word")
                                               : absl::StrCat(what, ": ", complaint));
}

}  // namespace squish
