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
// FAILED_PRECONDITION: a program of Squish of another major version, which its channel tells;
// both versions are named. Programs that are not Squish's, such as grpcurl, may call.
absl::StatusOr<Caller> CallerOf(const grpc::ServerContextBase& context);

// Answers a call with nothing but a status, which is no OK. `Reactor` is the type that the
// method returns.
template <typename Reactor>
Reactor* Refuse(const absl::Status& status);

// Codes are the same numbers on both sides.
grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

// An insecure channel with keepalive and a connection of its own, which tells the server our
// version. It takes messages of up to kMaximumAnswerBytes.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& target);

// What a server takes as one message.
inline constexpr int kMaximumRequestBytes = 4 << 20;
// What a client takes: an experiment's list of individuals is one message, and a
// thousand generations of eight are about 16 MiB.
inline constexpr int kMaximumAnswerBytes = 64 << 20;

// What a caller may send beside messages; more ends the call RESOURCE_EXHAUSTED.
inline constexpr int kMaximumMetadataBytes = 16 << 10;
// Calls that one connection has open at a time; further ones wait at the client.
inline constexpr int kMaximumCallsOfConnection = 128;

// Keepalive and limits of our servers; one server to a port.
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

// --- Implementation.

template <typename Reactor>
Reactor* Refuse(const absl::Status& status) {
  class Refusal : public Reactor {
   public:
    explicit Refusal(const grpc::Status& status) { this->Finish(status); }
    void OnDone() override { delete this; }
  };
  return new Refusal(ToGrpc(status));
}

}  // namespace squish

#endif  // SQUISH_COMMON_RPC_RPC_H_
