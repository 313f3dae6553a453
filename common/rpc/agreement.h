// For the room's own use: what both sides must agree on.
#ifndef SQUISH_COMMON_RPC_AGREEMENT_H_
#define SQUISH_COMMON_RPC_AGREEMENT_H_

#include "absl/strings/string_view.h"

namespace squish {

// What our channels' user agents begin with, the version behind it: "squish/1.2.3 grpc-c++/…".
inline constexpr absl::string_view kProgram = "squish/";

// A connection that says nothing for so long is asked whether it is still there, also
// while a call is parked, and is given up when it does not answer.
inline constexpr int kKeepaliveMilliseconds = 20'000;
inline constexpr int kKeepaliveTimeoutMilliseconds = 10'000;

}  // namespace squish

#endif  // SQUISH_COMMON_RPC_AGREEMENT_H_
