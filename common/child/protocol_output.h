// For the main function of a child that speaks a protocol on stdout: keeps stdout for
// that. Whatever else is printed, by libraries too, goes to stderr from then on.
//
//   ProtocolOutput output;
//   output.WriteLine(R"({"ready":{}})");
#ifndef SQUISH_COMMON_CHILD_PROTOCOL_OUTPUT_H_
#define SQUISH_COMMON_CHILD_PROTOCOL_OUTPUT_H_

#include "absl/strings/string_view.h"

namespace squish {

// Not thread-safe. One a process, made before anything is printed.
class ProtocolOutput {
 public:
  // Aborts when the process has no stdout or stderr.
  ProtocolOutput();
  ~ProtocolOutput();
  ProtocolOutput(const ProtocolOutput&) = delete;
  ProtocolOutput& operator=(const ProtocolOutput&) = delete;

  // Writes the line and a newline, whole. False: nobody reads any more.
  bool WriteLine(absl::string_view line);

 private:
  int descriptor_;
};

}  // namespace squish

#endif  // SQUISH_COMMON_CHILD_PROTOCOL_OUTPUT_H_
