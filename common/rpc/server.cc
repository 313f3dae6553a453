// The server's half of rpc.h. Apart from the client's, so that a static client carries none.
#include <grpcpp/ext/proto_server_reflection_plugin.h>

#include "absl/base/call_once.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/base/version.h"
#include "common/rpc/agreement.h"
#include "common/rpc/log.h"
#include "common/rpc/rpc.h"

namespace squish {
namespace {

// Whether the calling program is of a version that fits ours, if it is Squish's.
absl::Status CheckProgram(const grpc::ServerContextBase& context) {
  const auto agent = context.client_metadata().find("user-agent");
  if (agent == context.client_metadata().end()) return absl::OkStatus();
  absl::string_view program(agent->second.data(), agent->second.size());
  if (!absl::ConsumePrefix(&program, kProgram)) return absl::OkStatus();
  // What comes from strangers is not repeated at length.
  return CheckSameMajorVersion(kVersion, program.substr(0, program.find(' ')).substr(0, 32));
}

}  // namespace

absl::StatusOr<Caller> CallerOf(const grpc::ServerContextBase& context) {
  SQUISH_RETURN_IF_ERROR(CheckProgram(context));
  Caller caller{context.peer(), "anonymous"};
  const std::shared_ptr<const grpc::AuthContext> auth = context.auth_context();
  if (auth != nullptr && auth->IsPeerAuthenticated()) {
    const std::vector<grpc::string_ref> names = auth->GetPeerIdentity();
    if (!names.empty()) caller.identity.assign(names[0].data(), names[0].size());
  }
  return caller;
}

void ConfigureServer(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMaximumRequestBytes);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Clients ping every kKeepaliveMilliseconds; a little earlier is still no abuse.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kKeepaliveMilliseconds / 2);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaximumMetadataBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaximumCallsOfConnection);
  // Linux would share the port between two servers and lose half the calls to each.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

absl::StatusOr<RunningServer> StartServer(const std::string& address,
                                          const std::vector<grpc::Service*>& services) {
  SendGrpcLogToSpdlog();
  static absl::once_flag once;
  absl::call_once(once, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
  RunningServer running;
  grpc::ServerBuilder builder;
  ConfigureServer(builder);
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &running.port);
  for (grpc::Service* service : services) builder.RegisterService(service);
  running.server = builder.BuildAndStart();
  if (running.server == nullptr || running.port == 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot listen on ", address,
        ": another program uses that port, or the address is not one of this machine; "
        "choose another with --listen HOST:PORT (port 0 picks a free one)"));
  }
  return running;
}

}  // namespace squish
