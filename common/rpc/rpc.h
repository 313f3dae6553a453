// gRPC at the edges of processes: one place for channels, servers, identity, and the
// translation between absl::Status and grpc::Status.
#ifndef SQUISH_COMMON_RPC_RPC_H_
#define SQUISH_COMMON_RPC_RPC_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace squish {

// Who calls. An argument of every service method.
struct Caller {
  std::string peer;      // "ipv4:127.0.0.1:53210"
  std::string identity;  // From credentials; "anonymous" on insecure channels.
};
Caller CallerOf(const grpc::ServerContextBase& context);

// Codes are the same numbers on both sides.
grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

// An insecure channel with keepalive and a connection of its own. It takes messages
// of up to kMaximumAnswerBytes.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& target);

// What a server takes as one message.
inline constexpr int kMaximumRequestBytes = 4 << 20;
// What a client takes: an experiment's list of individuals is one message, and a
// thousand generations of eight are about 16 MiB.
inline constexpr int kMaximumAnswerBytes = 64 << 20;

// Keepalive and message limits of our servers; one server to a port.
void ConfigureServer(grpc::ServerBuilder& builder);

// Starts a server on `address` ("127.0.0.1:0" picks a port) with health and
// reflection. FAILED_PRECONDITION: the address is in use or cannot be bound (it is
// named). `services` must outlive the server.
struct RunningServer {
  std::unique_ptr<grpc::Server> server;
  int port = 0;
};
absl::StatusOr<RunningServer> StartServer(const std::string& address,
                                          const std::vector<grpc::Service*>& services);

}  // namespace squish

#endif  // SQUISH_COMMON_RPC_RPC_H_
