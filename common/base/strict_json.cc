#include "common/base/strict_json.h"

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace squish {
namespace {

using Json = nlohmann::json;

// Text of a stranger inside a message: escaped, and not too much of it.
std::string Quote(absl::string_view text) {
  return absl::StrCat("\"", absl::Utf8SafeCEscape(text.substr(0, 64)), text.size() > 64 ? "…" : "",
                      "\"");
}

// Reads a text without building anything, and stops at the first thing refused.
class Checker : public nlohmann::json_sax<Json> {
 public:
  explicit Checker(const StrictJsonLimits& limits) : limits_(limits) {}

  const std::string& error() const { return error_; }

  bool null() override { return Value(); }
  bool boolean(bool) override { return Value(); }
  bool number_integer(number_integer_t) override { return Value(); }
  bool number_unsigned(number_unsigned_t) override { return Value(); }
  bool number_float(number_float_t, const string_t&) override { return Value(); }
  bool string(string_t&) override { return Value(); }
  bool binary(binary_t&) override { return Value(); }
  bool start_object(size_t) override { return Open(); }
  bool end_object() override { return Close(); }
  bool start_array(size_t) override { return Open(); }
  bool end_array() override { return Close(); }

  bool key(string_t& key) override {
    if (keys_.back().insert(key).second) return true;
    return Refuse(absl::StrCat("the key ", Quote(key), " occurs twice in one object"));
  }

  bool parse_error(size_t position, const std::string&, const Json::exception&) override {
    return Refuse(absl::StrCat("it is not JSON in UTF-8 (byte ", position, ")"));
  }

 private:
  bool Refuse(std::string error) {
    error_ = std::move(error);
    return false;
  }
  bool Value() {
    if (++values_ <= limits_.maximum_values) return true;
    return Refuse(absl::StrCat("it has more than ", limits_.maximum_values, " values"));
  }
  bool Open() {
    keys_.emplace_back();
    if (static_cast<int>(keys_.size()) <= limits_.maximum_depth) return Value();
    return Refuse(absl::StrCat("it is nested deeper than ", limits_.maximum_depth));
  }
  bool Close() {
    keys_.pop_back();
    return true;
  }

  const StrictJsonLimits limits_;
  std::vector<std::set<std::string>> keys_;  // Of every open object (or array).
  size_t values_ = 0;
  std::string error_;
};

}  // namespace

absl::StatusOr<Json> ParseStrictJson(absl::string_view text, const StrictJsonLimits& limits) {
  if (text.size() > limits.maximum_bytes) {
    return absl::InvalidArgumentError(absl::StrCat("it has ", text.size(), " bytes; at most ",
                                                   limits.maximum_bytes, " are read"));
  }
  Checker checker(limits);
  if (!Json::sax_parse(text.begin(), text.end(), &checker)) {
    return absl::InvalidArgumentError(checker.error());
  }
  return Json::parse(text.begin(), text.end());
}

}  // namespace squish
