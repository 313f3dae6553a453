#include "common/rpc/rpc.h"

#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "absl/base/call_once.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/base/version.h"

namespace squish {
namespace {

// A connection that says nothing for so long is asked whether it is still there, also
// while a call is parked, and is given up when it does not answer.
constexpr int kKeepaliveMilliseconds = 20'000;
constexpr int kKeepaliveTimeoutMilliseconds = 10'000;
// gRPC's own default grows to two minutes, long after the coordinator is back.
constexpr int kMaximumReconnectMilliseconds = 5'000;
constexpr int kMinimumReconnectMilliseconds = 200;

// What gRPC has to say of a failure we say ourselves, in a sentence.
void SendGrpcLogToSpdlog() {
  static absl::once_flag once;
  absl::call_once(once, [] {
    gpr_set_log_function([](gpr_log_func_args* line) {
      spdlog::debug("gRPC {}:{}: {}", line->file, line->line, line->message);
    });
  });
}

// What our channels' user agents begin with, the version behind it: "squish/1.2.3 grpc-c++/…".
constexpr absl::string_view kProgram = "squish/";

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

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& target) {
  SendGrpcLogToSpdlog();
  grpc::ChannelArguments arguments;
  arguments.SetUserAgentPrefix(absl::StrCat(kProgram, kVersion));
  arguments.SetMaxReceiveMessageSize(kMaximumAnswerBytes);
  arguments.SetMaxSendMessageSize(kMaximumRequestBytes);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMilliseconds);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMilliseconds);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kMinimumReconnectMilliseconds);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kMinimumReconnectMilliseconds);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaximumReconnectMilliseconds);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
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
