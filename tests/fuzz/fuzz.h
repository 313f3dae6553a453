// What the harnesses share.
#ifndef SQUISH_TESTS_FUZZ_FUZZ_H_
#define SQUISH_TESTS_FUZZ_FUZZ_H_

#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace squish {

inline absl::string_view TextOf(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Ends the process, which is what a fuzzer calls a finding.
inline void Require(bool condition, absl::string_view what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

inline void Require(const absl::Status& status, absl::string_view what) {
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  Require(status.ok(), what);
}

// An input that is a row of requests, `what to do (1 byte) │ length of its argument (2 bytes,
// little-endian) │ argument`: takes the next one off `input`. False: there is none.
inline bool TakeRequest(absl::string_view& input, uint8_t& what, absl::string_view& argument) {
  constexpr size_t kHeadBytes = 3;
  if (input.size() < kHeadBytes) return false;
  const auto byte = [&input](size_t at) { return static_cast<uint8_t>(input[at]); };
  what = byte(0);
  argument = input.substr(kHeadBytes, byte(1) + 256 * byte(2));
  input.remove_prefix(kHeadBytes + argument.size());
  return true;
}

}  // namespace squish

#endif  // SQUISH_TESTS_FUZZ_FUZZ_H_
